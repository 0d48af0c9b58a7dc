import assert from 'node:assert/strict';
import {
  GetRecordsCommand,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
  waitUntilStreamExists,
  type ChildShard,
  type KinesisClient,
  type Shard,
} from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import { takeIterator, withStream } from './stream.ts';

const keyCount = 40;
const roundsOfReshards = 3;

/** A producer goes on while the stream is split, merged and scaled; a consumer follows the shards to their children. */
export async function checkResharding(client: KinesisClient, checks: Checks): Promise<void> {
  await withStream(client, { name: freshName('js-reshard'), shardCount: 2 }, async ({ StreamName }) => {
    const name = StreamName as string;
    await checks.check(
      'SplitShard, MergeShards and UpdateShardCount under load lose nothing, and keep each key in order',
      () => underLoad(client, name),
    );
    await checks.check(
      'ListShards with the filter AT_LATEST lists open shards, without it closed ones as well',
      async () => {
        const open = await openShards(client, name);
        const { Shards: all } = await client.send(new ListShardsCommand({ StreamName: name }));
        assert.ok((all?.length ?? 0) > open.length);
        assert.equal(
          all?.filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined).length,
          open.length,
        );
      },
    );
  });
}

async function underLoad(client: KinesisClient, StreamName: string): Promise<void> {
  const load = { isStopped: false, sent: 0 };
  const producing = produce(client, StreamName, load);
  try {
    for (let round = 0; round < roundsOfReshards; round++) await reshard(client, StreamName);
  } finally {
    load.isStopped = true;
  }
  await producing;
  const read = await consume(client, StreamName);
  assert.equal(read.length, load.sent, 'records read');
  for (let key = 0; key < keyCount; key++) {
    const own = read.filter((text) => text.startsWith(`${key}/`)).map((text) => Number(text.split('/')[1]));
    assert.deepEqual(
      own,
      own.map((_, i) => i),
      `key ${key} in order`,
    );
  }
}

async function produce(
  client: KinesisClient,
  StreamName: string,
  load: { isStopped: boolean; sent: number },
): Promise<void> {
  for (let number = 0; !load.isStopped || number < 20; number++) {
    const Records = Array.from({ length: keyCount }, (_, key) => ({
      PartitionKey: `key ${key}`,
      Data: Buffer.from(`${key}/${number}`),
    }));
    const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }));
    assert.equal(FailedRecordCount, 0);
    load.sent += keyCount;
  }
}

async function reshard(client: KinesisClient, StreamName: string): Promise<void> {
  const active = (): Promise<unknown> =>
    waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1 }, { StreamName });
  const [first] = (await openShards(client, StreamName)) as [Shard];
  const range = first.HashKeyRange;
  const middle = (BigInt(range?.StartingHashKey ?? 0) + BigInt(range?.EndingHashKey ?? 0)) / 2n;
  await client.send(
    new SplitShardCommand({ StreamName, ShardToSplit: first.ShardId, NewStartingHashKey: String(middle) }),
  );
  await active();
  const [lower, upper] = (await openShards(client, StreamName)) as [Shard, Shard];
  await client.send(
    new MergeShardsCommand({ StreamName, ShardToMerge: lower.ShardId, AdjacentShardToMerge: upper.ShardId }),
  );
  await active();
  for (const TargetShardCount of [3, 2]) {
    await client.send(new UpdateShardCountCommand({ StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' }));
    await active();
    assert.equal((await openShards(client, StreamName)).length, TargetShardCount);
  }
}

/** In the order of their ranges. */
async function openShards(client: KinesisClient, StreamName: string): Promise<Shard[]> {
  const { Shards } = await client.send(new ListShardsCommand({ StreamName, ShardFilter: { Type: 'AT_LATEST' } }));
  const start = ({ HashKeyRange: range }: Shard): bigint => BigInt(range?.StartingHashKey ?? 0);
  return (Shards ?? []).sort((a, b) => (start(a) < start(b) ? -1 : 1));
}

/** Reads a shard when all its parents have been read, as KCL does; an open one to its tip. */
async function consume(client: KinesisClient, StreamName: string): Promise<string[]> {
  const texts: string[] = [];
  const finished = new Set<string>();
  const { Shards } = await client.send(new ListShardsCommand({ StreamName, ShardFilter: { Type: 'AT_TRIM_HORIZON' } }));
  const waiting: Pick<ChildShard, 'ShardId' | 'ParentShards'>[] = (Shards ?? []).map(({ ShardId }) => ({
    ShardId,
    ParentShards: [],
  }));
  for (let next; (next = waiting.shift()) !== undefined;) {
    if (finished.has(next.ShardId as string)) continue;
    if (!next.ParentShards?.every((each) => finished.has(each))) {
      waiting.push(next);
      continue;
    }
    waiting.push(...(await readShard(client, { StreamName, ShardId: next.ShardId as string }, texts)));
    finished.add(next.ShardId as string);
  }
  return texts;
}

async function readShard(
  client: KinesisClient,
  shard: { StreamName: string; ShardId: string },
  texts: string[],
): Promise<ChildShard[]> {
  let iterator: string | undefined = await takeIterator(client, { ...shard, ShardIteratorType: 'TRIM_HORIZON' });
  for (;;) {
    const page: Awaited<ReturnType<typeof getRecords>> = await getRecords(client, iterator as string);
    texts.push(...(page.Records ?? []).map(({ Data }) => Buffer.from(Data as Uint8Array).toString()));
    iterator = page.NextShardIterator;
    if (iterator === undefined) return page.ChildShards ?? [];
    if (page.Records?.length === 0 && page.MillisBehindLatest === 0) return [];
  }
}

async function getRecords(client: KinesisClient, ShardIterator: string) {
  return client.send(new GetRecordsCommand({ ShardIterator, Limit: 1000 }));
}
