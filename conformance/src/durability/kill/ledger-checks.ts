import type { Checks } from '../../harness/checks.ts';
import { failureOf } from './held-iterators.ts';
import { checkLineageChecker } from './lineage-checks.ts';
import { contentHashOf, Ledger, type ReadRecord, type ShardBook } from './ledger.ts';

/** A world of two shards, with six acknowledged records and three without an answer, and how they are read. */
function sample(): { ledger: Ledger; shards: ShardBook[]; read: ReadRecord[][] } {
  const ledger = new Ledger();
  const half = 2n ** 127n;
  const shards: ShardBook[] = [0n, half].map((startHash, i) => ({
    stream: 'sample',
    id: `shard-${i}`,
    startHash,
    endHash: startHash + half - 1n,
    newest: '',
    storedCount: 0,
  }));
  const book = { name: 'sample', shards };
  const read: ReadRecord[][] = [[], []];
  for (let i = 0; i < 9; i++) {
    const index = i % 2;
    const data = Buffer.from(`content ${i}`);
    const shard = shards[index] as ShardBook;
    const { attempt, partitionKey } = ledger.begin({ stream: book, connection: i % 3, data, shard });
    const sequenceNumber = String(1000 + i);
    if (i < 6) ledger.acknowledge(attempt, sequenceNumber, shard.id);
    else ledger.leaveOpen(attempt);
    // One of those without an answer is not there.
    if (i !== 7) read[index]?.push({ sequenceNumber, partitionKey, contentHash: contentHashOf(data), arrivalMs: i });
  }
  return { ledger, shards, read };
}

const faults: Readonly<Record<string, (read: ReadRecord[][]) => void>> = {
  'a lost record': ([first]) => first?.splice(1, 1),
  'a lost last record': ([, second]) => second?.pop(),
  'a record there twice': ([first]) =>
    first?.push({ ...(first[0] as ReadRecord), sequenceNumber: '2000', arrivalMs: 99 }),
  'a record nobody put': ([first]) =>
    first?.push({ sequenceNumber: '2000', partitionKey: 'kzzz', contentHash: '', arrivalMs: 99 }),
  'another sequence number': ([first]) => change(first, 2, { sequenceNumber: '1005' }),
  'other content': ([first]) => change(first, 0, { contentHash: contentHashOf(Buffer.from('other')) }),
  'other content of a record without an answer': ([first]) => change(first, 3, { contentHash: 'other' }),
  'another key': ([first]) => change(first, 0, { partitionKey: `${first?.[0]?.partitionKey}x` }),
  'another shard': ([first, second]) =>
    second?.push({ ...(first?.pop() as ReadRecord), sequenceNumber: '2000', arrivalMs: 99 }),
  'records out of order': ([first]) => first?.reverse(),
  'swapped content': ([first]) => {
    const [a, b] = first as [ReadRecord, ReadRecord];
    change(first, 0, { partitionKey: b.partitionKey, contentHash: b.contentHash });
    change(first, 1, { partitionKey: a.partitionKey, contentHash: a.contentHash });
  },
};

function change(records: ReadRecord[] | undefined, index: number, by: Partial<ReadRecord>): void {
  if (records !== undefined) records[index] = { ...(records[index] as ReadRecord), ...by };
}

function readAll(ledger: Ledger, shards: readonly ShardBook[], read: readonly ReadRecord[][]): void {
  ledger.beginReading();
  shards.forEach((shard, i) => {
    const reading = ledger.readShard(shard);
    for (const record of read[i] as ReadRecord[]) reading.add(record);
    reading.end();
  });
  ledger.endReading();
}

/** Shows that the suite can fail: every fault in what is read has to be noticed. */
export async function checkTheChecker(checks: Checks): Promise<void> {
  await checks.check('the checker accepts what is right', () => {
    const { ledger, shards, read } = sample();
    readAll(ledger, shards, read);
    readAll(ledger, shards, read);
    if (ledger.violations.length > 0) throw new Error(ledger.violations.join('; '));
  });
  for (const [name, fault] of Object.entries(faults)) {
    await checks.check(`the checker notices ${name}`, () => {
      const { ledger, shards, read } = sample();
      fault(read);
      readAll(ledger, shards, read);
      if (ledger.violations.length === 0) throw new Error('it did not');
    });
  }
  await checks.check('the checker notices a record that comes back after it had been absent', () => {
    const { ledger, shards, read } = sample();
    const kept = read[0]?.pop() as ReadRecord;
    readAll(ledger, shards, read);
    if (ledger.violations.length > 0) throw new Error(ledger.violations.join('; '));
    read[0]?.push(kept);
    readAll(ledger, shards, read);
    if (ledger.violations.length === 0) throw new Error('it did not');
  });
  await checks.check(
    'the checker notices an iterator that goes on too early, too late, or passes over a record',
    checkIteratorFailures,
  );
  await checkLineageChecker(checks);
}

function checkIteratorFailures(): void {
  const { ledger, shards, read } = sample();
  const [shard] = shards as [ShardBook];
  const [records] = read as [ReadRecord[]];
  ledger.beginReading();
  const reading = ledger.readShard(shard);
  for (const record of records) reading.add(record);
  const common = { token: '', shard, kills: 0, after: '1002' };
  const exact = { ...common, kind: 'AFTER_SEQUENCE_NUMBER', isExact: true, beforeId: Infinity };
  const latest = { ...common, kind: 'LATEST', isExact: false, beforeId: 6 };
  const isRight = (held: typeof exact, from: number, count?: number): boolean =>
    failureOf(held, reading, records.slice(from, count === undefined ? undefined : from + count)) === undefined;
  if (!isRight(exact, 2) || !isRight(latest, 2) || !isRight(latest, 3)) throw new Error('it refuses what is right');
  if (isRight(exact, 1) || isRight(exact, 3) || isRight(exact, 2, 1))
    throw new Error('it accepts a wrong AFTER_SEQUENCE_NUMBER');
  if (isRight(latest, 1)) throw new Error('it accepts a LATEST that is too early');
  if (isRight({ ...latest, beforeId: 3 }, 3)) throw new Error('it accepts a LATEST that passes over a later record');
}
