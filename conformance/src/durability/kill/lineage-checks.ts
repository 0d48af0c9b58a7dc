import type { Checks } from '../../harness/checks.ts';
import type { Connection } from '../connection.ts';
import { Ledger } from './ledger.ts';
import { Lineage } from './lineage.ts';

interface FakeShard {
  readonly number: number;
  readonly parents: readonly number[];
  start: bigint;
  readonly end: bigint;
  isClosed: boolean;
  records: string[];
  children: number[];
}

const half = 2n ** 127n;
const id = (number: number): string => `shardId-00000000000${number}`;

/** A stream that was split once between the second and the third call, served without a server. */
class FakeStream {
  readonly shards: FakeShard[] = [
    { number: 0, parents: [], start: 0n, end: 2n * half - 1n, isClosed: true, records: [], children: [1, 2] },
    { number: 1, parents: [0], start: 0n, end: half - 1n, isClosed: false, records: [], children: [] },
    { number: 2, parents: [0], start: half, end: 2n * half - 1n, isClosed: false, records: [], children: [] },
  ];
  #calls = 0;
  readonly #load: { isStopped: boolean };

  constructor(load: { isStopped: boolean }) {
    this.#load = load;
  }

  call(operation: string, input: { Records: { Data: Buffer }[] }): Promise<object> {
    if (operation !== 'PutRecords') throw new Error(operation);
    const isBefore = this.#calls++ < 2;
    if (this.#calls === 4) this.#load.isStopped = true;
    input.Records.forEach(({ Data }, key) => {
      this.shards[isBefore ? 0 : 1 + (key % 2)]?.records.push(Data.toString());
    });
    return Promise.resolve({ status: 200, body: { Records: input.Records.map(() => ({ SequenceNumber: '1' })) } });
  }

  mustCall(operation: string, input: { ShardId?: string; ShardIterator?: string }): Promise<object> {
    const shard = this.shards.find(({ number }) => id(number) === (input.ShardId ?? input.ShardIterator));
    if (operation === 'ListShards') return Promise.resolve({ Shards: this.shards.map(describe) });
    if (operation === 'GetShardIterator') return Promise.resolve({ ShardIterator: input.ShardId });
    const Records = shard?.records.splice(0).map((text) => ({ Data: Buffer.from(text) }));
    const end =
      shard?.isClosed === true
        ? { ChildShards: shard.children.map((each) => ({ ShardId: id(each) })) }
        : { NextShardIterator: input.ShardIterator };
    return Promise.resolve({ Records, MillisBehindLatest: 0, ...end });
  }
}

function describe({ number, parents, start, end, isClosed }: FakeShard): object {
  return {
    ShardId: id(number),
    ...(parents.length > 0 && { ParentShardId: id(parents[0] as number) }),
    HashKeyRange: { StartingHashKey: String(start), EndingHashKey: String(end) },
    SequenceNumberRange: {
      StartingSequenceNumber: parents.length === 0 ? '1' : '10',
      ...(isClosed && { EndingSequenceNumber: '9' }),
    },
  };
}

const faults: Readonly<Record<string, (shards: [FakeShard, FakeShard, FakeShard]) => void>> = {
  'a lost record of a parent': ([parent]) => parent.records.splice(3, 1),
  'a lost record of a child': ([, child]) => child.records.pop(),
  'a record that is in the parent and in a child': ([parent, child]) => child.records.push(parent.records[0] as string),
  'a record nobody put': ([, child]) => child.records.push('0/99'),
  'a key out of order in a shard': ([parent]) => parent.records.reverse(),
  'a key out of order from parent to child': ([parent, child]) => {
    [parent.records, child.records] = [child.records, parent.records];
  },
  'a child that its parent does not name': ([parent]) => parent.children.pop(),
  'a parent that is not closed': ([parent]) => (parent.isClosed = false),
  'keys that no shard has': ([, , child]) => (child.start += 1n),
};

async function judge(fault: (shards: [FakeShard, FakeShard, FakeShard]) => void): Promise<readonly string[]> {
  const ledger = new Ledger();
  const load = { isStopped: false, world: { ledger } };
  const stream = new FakeStream(load);
  const connection = stream as unknown as Connection;
  const lineage = new Lineage();
  await lineage.write({ load, connection });
  fault(stream.shards as [FakeShard, FakeShard, FakeShard]);
  await lineage.verify(connection, ledger);
  return ledger.violations;
}

/** Shows that the checker of resharded streams can fail. */
export async function checkLineageChecker(checks: Checks): Promise<void> {
  await checks.check('the checker of resharded streams accepts what is right', async () => {
    const violations = await judge(() => undefined);
    if (violations.length > 0) throw new Error(violations.join('; '));
  });
  for (const [name, fault] of Object.entries(faults)) {
    await checks.check(`the checker of resharded streams notices ${name}`, async () => {
      if ((await judge(fault)).length === 0) throw new Error('it did not');
    });
  }
}
