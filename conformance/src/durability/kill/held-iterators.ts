import { blobOf, NoAnswerError, type Connection } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import {
  contentHashOf,
  isAbove,
  type Ledger,
  type ReadRecord,
  type ShardBook,
  type ShardReading,
  type StreamBook,
} from './ledger.ts';
import type { HeldIterator, Load } from './world.ts';

const recordsLimit = 20;
const heldMax = 60;
const killsMax = 3;

interface WireRecord {
  readonly SequenceNumber: string;
  readonly PartitionKey: string;
  readonly Data: unknown;
  readonly ApproximateArrivalTimestamp: Date | number;
}

export interface Page {
  readonly records: ReadRecord[];
  readonly next: string | undefined;
  readonly millisBehindLatest: number;
}

export async function readPage(connection: Connection, token: string, limit: number): Promise<Page> {
  const body = (await connection.mustCall('GetRecords', { ShardIterator: token, Limit: limit })) as {
    Records: WireRecord[];
    NextShardIterator?: string;
    MillisBehindLatest: number;
  };
  const records = body.Records.map((each) => ({
    sequenceNumber: each.SequenceNumber,
    partitionKey: each.PartitionKey,
    contentHash: contentHashOf(blobOf(each.Data)),
    arrivalMs: Number(each.ApproximateArrivalTimestamp),
  }));
  return { records, next: body.NextShardIterator, millisBehindLatest: body.MillisBehindLatest };
}

export async function getIterator(connection: Connection, shard: ShardBook, how: object): Promise<string> {
  const input = { StreamName: shard.stream, ShardId: shard.id, ...how };
  return (await connection.mustCall('GetShardIterator', input))['ShardIterator'] as string;
}

/**
 * Asks for iterators of all kinds while the load runs, reads on with some of them, and holds them for the time after the kill.
 */
export async function holdIterators(load: Load, connection: Connection, random: SeededRandom): Promise<void> {
  const { world } = load;
  while (!load.isStopped) {
    const book = random.pick(world.stable).book as StreamBook;
    try {
      const held = await ask(world.ledger, connection, random, random.pick(book.shards));
      if (held !== undefined) hold(world.iterators, held, random);
      if (held?.isExact && random.chance(0.6)) await readOn(world, connection, random, held);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      return;
    }
  }
}

function hold(held: HeldIterator[], one: HeldIterator, random: SeededRandom): void {
  if (held.length < heldMax) held.push(one);
  else held[random.int(0, heldMax - 1)] = one;
}

async function ask(
  ledger: Ledger,
  connection: Connection,
  random: SeededRandom,
  shard: ShardBook,
): Promise<HeldIterator | undefined> {
  const after = shard.newest;
  const kind = random.pick(['LATEST', 'LATEST', 'AFTER_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER', 'TRIM_HORIZON']);
  const common = { kind, shard, kills: 0 };
  switch (kind) {
    case 'LATEST': {
      const token = await getIterator(connection, shard, { ShardIteratorType: kind });
      return { ...common, token, after, isExact: false, beforeId: ledger.nextId };
    }
    case 'AFTER_SEQUENCE_NUMBER': {
      if (after === '') return undefined;
      const token = await getIterator(connection, shard, { ShardIteratorType: kind, StartingSequenceNumber: after });
      return { ...common, token, after, isExact: true, beforeId: Infinity };
    }
    default: {
      const token = await getIterator(connection, shard, { ShardIteratorType: kind });
      return { ...common, token, after: '', isExact: true, beforeId: Infinity };
    }
  }
}

/** Reads as a consumer does: what it sees must stay, and the next iterator goes on behind it. */
async function readOn(
  { ledger, iterators }: Load['world'],
  connection: Connection,
  random: SeededRandom,
  from: HeldIterator,
): Promise<void> {
  const { records, next } = await readPage(connection, from.token, random.int(1, 50));
  for (const record of records) ledger.see(from.shard, record);
  const after = records.at(-1)?.sequenceNumber ?? from.after;
  if (next === undefined) ledger.violate(`${from.shard.stream}/${from.shard.id} is open and gave no next iterator`);
  else hold(iterators, { ...from, kind: 'NextShardIterator', token: next, after, kills: 0 }, random);
}

/** After a restart: each goes on where it has to. Those to be used once more after another kill are given back. */
export async function checkIterators(
  held: readonly HeldIterator[],
  readings: ReadonlyMap<ShardBook, ShardReading>,
  connection: Connection,
  ledger: Ledger,
): Promise<{ checked: number; kept: HeldIterator[] }> {
  const kept: HeldIterator[] = [];
  let checked = 0;
  for (const iterator of held) {
    const reading = readings.get(iterator.shard);
    if (reading === undefined) continue;
    const { records } = await readPage(connection, iterator.token, recordsLimit);
    const failure = failureOf(iterator, reading, records);
    const { kind, shard, after } = iterator;
    if (failure !== undefined)
      ledger.violate(
        `an iterator ${kind} of ${shard.stream}/${shard.id} behind ${after || 'the beginning'} ${failure}`,
      );
    checked++;
    if (++iterator.kills < killsMax && checked % 3 === 0) kept.push(iterator);
  }
  return { checked, kept };
}

/** Exported for the test that this can fail. */
export function failureOf(
  iterator: HeldIterator,
  reading: ShardReading,
  records: readonly ReadRecord[],
): string | undefined {
  const { sequenceNumbers, attemptIds } = reading;
  const first = records[0]?.sequenceNumber;
  const start = first === undefined ? sequenceNumbers.length : sequenceNumbers.indexOf(first);
  if (start < 0) return `goes on at ${first}, which is not there`;
  const wanted = sequenceNumbers.slice(start, start + recordsLimit);
  if (records.length !== wanted.length || records.some(({ sequenceNumber }, i) => sequenceNumber !== wanted[i])) {
    return `gives ${records.length} records from ${first} on that are not those of the shard`;
  }
  const before = start === 0 ? '' : (sequenceNumbers[start - 1] as string);
  if (isAbove(iterator.after, before)) return `goes on at ${first}, too early`;
  if (iterator.isExact && before !== iterator.after) return `goes on behind ${before || 'the beginning'}`;
  const passed = attemptIds.findIndex((id, i) => i < start && id >= iterator.beforeId);
  return passed < 0 ? undefined : `passes over record ${attemptIds[passed]}, put later`;
}
