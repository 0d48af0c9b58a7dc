import { blobOf, type Connection } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';

export const streamName = 'flipped';

/** What was stored: sequence numbers by shard, in their order; the offset of a record is its place. */
export interface Baseline {
  readonly pool: Buffer;
  readonly shards: ReadonlyMap<string, readonly string[]>;
  readonly count: number;
}

interface StoredRecord {
  readonly Data: Uint8Array;
  readonly PartitionKey: string;
}

/** Records of one call; the partition key says where in the pool the data was cut from. */
export function recordsOf(pool: Buffer, random: SeededRandom): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (let bytes = 0; bytes < 2_000_000 && records.length < 500;) {
    const length = random.magnitude(100, 200_000);
    const from = random.int(0, pool.length - length);
    records.push({
      Data: new Uint8Array(pool.buffer, pool.byteOffset + from, length),
      PartitionKey: `${from}-${length}`,
    });
    bytes += length;
  }
  return records;
}

/** Reads all shards from their beginning; `wrong` are sentences about records that are not what was put. */
export async function readAll(
  connection: Connection,
  pool: Buffer,
): Promise<{ shards: Map<string, string[]>; wrong: string[] }> {
  const shards = new Map<string, string[]>();
  const wrong: string[] = [];
  const { Shards } = (await connection.mustCall('ListShards', { StreamName: streamName })) as {
    Shards: { ShardId: string }[];
  };
  for (const { ShardId } of Shards) {
    const sequences: string[] = [];
    shards.set(ShardId, sequences);
    const start = { StreamName: streamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let token = (await connection.mustCall('GetShardIterator', start))['ShardIterator'] as string;
    for (;;) {
      const page = (await connection.mustCall('GetRecords', { ShardIterator: token })) as unknown as Page;
      for (const { SequenceNumber, PartitionKey, Data } of page.Records) {
        const [from = 0, length = 0] = PartitionKey.split('-').map(Number);
        const isRight = pool.subarray(from, from + length).equals(blobOf(Data));
        if (!isRight) wrong.push(`record ${SequenceNumber} of ${ShardId} is not what was put`);
        if (SequenceNumber <= (sequences.at(-1) ?? ''))
          wrong.push(`record ${SequenceNumber} of ${ShardId} is out of order`);
        sequences.push(SequenceNumber);
      }
      if (page.MillisBehindLatest === 0 && page.Records.length === 0) break;
      token = page.NextShardIterator;
    }
  }
  return { shards, wrong };
}

interface Page {
  readonly Records: ReadonlyArray<{
    readonly SequenceNumber: string;
    readonly PartitionKey: string;
    readonly Data: unknown;
  }>;
  readonly MillisBehindLatest: number;
  readonly NextShardIterator: string;
}
