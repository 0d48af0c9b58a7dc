import { deaggregate, hashKeyFromDecimal, hashKeyOf } from '@millrace/client/aggregation';
import type { Connection } from '../../durability/connection.ts';
import { listShards, type WireShard } from '../../durability/shard-list.ts';

/** A user record as a consumer finds it. */
export interface FoundRecord {
  readonly shardId: string;
  readonly sequenceNumber: string;
  /** Undefined when it was put as it is. */
  readonly subSequenceNumber: number | undefined;
  readonly text: string;
  /** The KCL drops an aggregate if one of its records does not belong to the shard, and all the others in it. */
  readonly isDropped: boolean;
}

interface WireRecord {
  readonly SequenceNumber: string;
  readonly PartitionKey: string;
  readonly Data: Uint8Array;
}

/** Every user record of a stream: shard by shard, parents before their children. */
export async function readAll(connection: Connection, streamName: string): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const shard of await listShards(connection, streamName)) {
    for (const record of await readShard(connection, streamName, shard)) found.push(...usersOf(shard, record));
  }
  return found;
}

async function readShard(connection: Connection, StreamName: string, { ShardId }: WireShard): Promise<WireRecord[]> {
  const records: WireRecord[] = [];
  const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  let { ShardIterator: iterator } = await connection.mustCall('GetShardIterator', start);
  for (;;) {
    const answer = await connection.mustCall('GetRecords', { ShardIterator: iterator });
    records.push(...(answer['Records'] as WireRecord[]));
    iterator = answer['NextShardIterator'];
    if (iterator === undefined || answer['MillisBehindLatest'] === 0) return records;
  }
}

function usersOf(
  { ShardId, HashKeyRange }: WireShard,
  { SequenceNumber, PartitionKey, Data }: WireRecord,
): FoundRecord[] {
  const start = hashKeyFromDecimal(HashKeyRange.StartingHashKey);
  const end = hashKeyFromDecimal(HashKeyRange.EndingHashKey);
  const users = deaggregate(Data);
  const all = users ?? [{ partitionKey: PartitionKey, data: Data }];
  const hashKeys = all.map(({ partitionKey }) => hashKeyOf(partitionKey));
  const isDropped = hashKeys.some((hashKey) => hashKey < start || end < hashKey);
  return all.map(({ data }, index) => ({
    shardId: ShardId,
    sequenceNumber: SequenceNumber,
    subSequenceNumber: users === undefined ? undefined : index,
    text: Buffer.from(data).toString(),
    isDropped,
  }));
}
