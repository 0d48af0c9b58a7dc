import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../../wire/call.ts';
import type { Client } from './client.ts';
import { textsOf, type RecordsPage, type Shard, type WireRecord } from './shapes.ts';

/** A stream as the KCL names it: both ways at once. */
export interface StreamNames {
  readonly StreamName: string;
  readonly StreamARN: string;
}

export const middle: string = String(2n ** 127n);

export function shardId(number: number): string {
  return `shardId-${String(number).padStart(12, '0')}`;
}

/** All pages, as the KCL asks for them: by a token, and by nothing else. */
export async function listShards(caller: Caller, input: object): Promise<Shard[]> {
  const shards: Shard[] = [];
  let next: object = input;
  for (;;) {
    const page = (await caller.mustCall('ListShards', next)) as { Shards: Shard[]; NextToken?: string };
    shards.push(...page.Shards);
    if (page.NextToken === undefined) return shards;
    next = { NextToken: page.NextToken };
  }
}

/** Calls SplitShard, MergeShards or UpdateShardCount, and waits until the next may come. */
export async function reshard(
  caller: Caller,
  StreamName: string,
  [operation, input]: readonly [string, object],
): Promise<void> {
  await caller.mustCall(operation, { StreamName, ...input });
  for (;;) {
    const { StreamDescriptionSummary: summary } = await caller.mustCall('DescribeStreamSummary', { StreamName });
    if ((summary as { StreamStatus: string }).StreamStatus === 'ACTIVE') return;
    await sleep(100);
  }
}

export const splitOf = (number: number, at: string = middle): readonly [string, object] => [
  'SplitShard',
  { ShardToSplit: shardId(number), NewStartingHashKey: at },
];

export const mergeOf = (lower: number, upper: number): readonly [string, object] => [
  'MergeShards',
  { ShardToMerge: shardId(lower), AdjacentShardToMerge: shardId(upper) },
];

export const scaleTo = (TargetShardCount: number): readonly [string, object] => [
  'UpdateShardCount',
  { TargetShardCount, ScalingType: 'UNIFORM_SCALING' },
];

/** One record a text, in one call for each, so that their order is certain; answers with their numbers. */
export async function putAll(
  caller: Caller,
  StreamName: string,
  texts: readonly string[],
  ExplicitHashKey = '0',
): Promise<string[]> {
  const numbers: string[] = [];
  for (const text of texts) {
    const record = { PartitionKey: 'k', ExplicitHashKey, Data: new Uint8Array(Buffer.from(text)) };
    numbers.push((await caller.mustCall('PutRecord', { StreamName, ...record }))['SequenceNumber'] as string);
  }
  return numbers;
}

export function textsFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `record ${first + index}`);
}

export async function iteratorOf(client: Caller, stream: StreamNames, start: object): Promise<string> {
  return (await client.mustCall('GetShardIterator', { ...stream, ...start }))['ShardIterator'] as string;
}

export async function getRecords(client: Caller, ShardIterator: string, input: object = {}): Promise<RecordsPage> {
  return (await client.mustCall('GetRecords', { ShardIterator, Limit: 10_000, ...input })) as unknown as RecordsPage;
}

/** What one call gives from a position on. */
export async function textsAt(client: Client, stream: StreamNames, start: object): Promise<string[]> {
  const { Records } = await getRecords(client, await iteratorOf(client, stream, start), {
    StreamARN: stream.StreamARN,
  });
  return textsOf(Records);
}

/** All pages to the tip, or to the end of the shard. */
export async function readShard(client: Caller, stream: StreamNames, ShardId: string): Promise<WireRecord[]> {
  const records: WireRecord[] = [];
  let iterator: string | undefined = await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'TRIM_HORIZON' });
  while (iterator !== undefined) {
    const page: RecordsPage = await getRecords(client, iterator);
    records.push(...page.Records);
    if (page.Records.length === 0 && page.MillisBehindLatest === 0) break;
    iterator = page.NextShardIterator;
  }
  return records;
}
