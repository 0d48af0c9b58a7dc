/*
 * The KPL's aggregated record: a magic number, a protobuf message, and the MD5 of the message.
 *
 *   AggregatedRecord   1 partition_key_table (string, repeated) · 2 explicit_hash_key_table (string, repeated) · 3 records (Record, repeated) ·
 *                      15 put_again_whole (varint, optional; ours, which other readers skip)
 *   Record             1 partition_key_index (varint) · 2 explicit_hash_key_index (varint, optional) · 3 data (bytes)
 *
 * Source: aggregation-format.md of the KPL.
 */
import { Buffer } from 'node:buffer';

export const magic: Buffer = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
export const digestBytes = 16;
/** What goes on the wire as the partition key of an aggregate; which shard it goes to is said by its explicit hash key. */
export const aggregateKey = 'a';

/** Field numbers and wire types, as they stand before each field. */
export const tags = {
  partitionKey: 0x0a,
  explicitHashKey: 0x12,
  record: 0x1a,
  partitionKeyIndex: 0x08,
  explicitHashKeyIndex: 0x10,
  data: 0x1a,
  putAgainWhole: 0x78,
} as const;

/** One record as a producer gave it. */
export interface UserRecord {
  readonly partitionKey: string;
  /** Decimal, 0 to 2^128 - 1; goes before the partition key in choosing the shard. */
  readonly explicitHashKey?: string | undefined;
  readonly data: Uint8Array;
}
