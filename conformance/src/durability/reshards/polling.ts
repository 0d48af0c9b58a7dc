import { setTimeout as sleep } from 'node:timers/promises';
import { blobOf, type Connection } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { ChildShard, ShardReader } from './follower.ts';
import type { Life } from './life.ts';
import type { ReadRecord } from './oracle.ts';

const limitMax = 2000;
const idleMsMin = 10;
const idleMsMax = 60;

/** A record as GetRecords and events have it. */
export interface WireRecord {
  readonly SequenceNumber: string;
  readonly PartitionKey: string;
  readonly Data: unknown;
}

interface Page {
  readonly Records: readonly WireRecord[];
  readonly NextShardIterator?: string;
  readonly ChildShards?: readonly ChildShard[];
}

/** Reads a shard by GetRecords. @see ReadShard */
export async function poll(
  { shardId: ShardId, after, take }: ShardReader,
  life: Life,
  { connection, streamName: StreamName, random }: { connection: Connection; streamName: string; random: SeededRandom },
): Promise<readonly ChildShard[] | undefined> {
  const start = { StreamName, ShardId, ...positionAfter(after(), 'ShardIteratorType', 'StartingSequenceNumber') };
  let { ShardIterator } = (await connection.mustCall('GetShardIterator', start)) as { ShardIterator: string };
  while (!life.isOver) {
    const Limit = random.magnitude(1, limitMax);
    const page = (await connection.mustCall('GetRecords', { ShardIterator, Limit })) as unknown as Page;
    take(page.Records.map(readRecord));
    if (page.NextShardIterator === undefined) return page.ChildShards ?? [];
    ShardIterator = page.NextShardIterator;
    if (page.Records.length === 0) await sleep(random.int(idleMsMin, idleMsMax));
  }
  return undefined;
}

export function readRecord({ SequenceNumber, PartitionKey, Data }: WireRecord): ReadRecord {
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: PartitionKey,
    text: Buffer.from(blobOf(Data)).toString(),
  };
}

/** Behind a checkpoint, as either operation spells it. */
export function positionAfter(after: string, type: string, number: string): Record<string, string> {
  return after === '' ? { [type]: 'TRIM_HORIZON' } : { [type]: 'AFTER_SEQUENCE_NUMBER', [number]: after };
}
