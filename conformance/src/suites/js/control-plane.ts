import assert from 'node:assert/strict';
import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DecreaseStreamRetentionPeriodCommand,
  DeleteStreamCommand,
  DescribeLimitsCommand,
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  IncreaseStreamRetentionPeriodCommand,
  ListShardsCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  RemoveTagsFromStreamCommand,
  TagResourceCommand,
  UntagResourceCommand,
  paginateListStreams,
  waitUntilStreamExists,
  waitUntilStreamNotExists,
  type KinesisClient,
  type ListShardsCommandOutput,
} from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import { withStream } from './stream.ts';

export async function checkControlPlane(client: KinesisClient, checks: Checks): Promise<void> {
  await checks.check('waiters StreamExists and StreamNotExists', () => waiters(client));
  await checks.check('paginator of ListStreams', () => listStreams(client));
  await withStream(client, { name: freshName('js-control'), shardCount: 5 }, async ({ StreamName, StreamARN }) => {
    const name = StreamName as string;
    await checks.check('DescribeStream and DescribeStreamSummary', () => describe(client, name));
    await checks.check('ListShards by pages', () => listShards(client, name));
    await checks.check('tags of a stream', () => streamTags(client, name));
    await checks.check('tags of a resource', () => resourceTags(client, StreamARN as string));
    await checks.check('retention', () => retention(client, name));
  });
}

async function waiters(client: KinesisClient): Promise<void> {
  const StreamName = freshName('js-waiter');
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  const existing = await waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1 }, { StreamName });
  assert.equal(existing.state, 'SUCCESS');
  await client.send(new DeleteStreamCommand({ StreamName }));
  const gone = await waitUntilStreamNotExists({ client, maxWaitTime: 60, minDelay: 1 }, { StreamName });
  assert.equal(gone.state, 'SUCCESS');
}

async function listStreams(client: KinesisClient): Promise<void> {
  const prefix = freshName('js-pages');
  const names = Array.from({ length: 7 }, (_, index) => `${prefix}-${index}`);
  for (const StreamName of names) await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  try {
    const found: string[] = [];
    for await (const page of paginateListStreams({ client, pageSize: 2 }, {})) {
      assert.ok((page.StreamNames?.length ?? 0) <= 2, 'a page has at most two names');
      found.push(...(page.StreamNames ?? []));
    }
    assert.deepEqual(
      found.filter((name) => name.startsWith(prefix)),
      names,
    );
    assert.deepEqual(found, [...new Set(found)].sort(), 'sorted by name, each once');
  } finally {
    for (const StreamName of names) await client.send(new DeleteStreamCommand({ StreamName }));
  }
}

async function describe(client: KinesisClient, StreamName: string): Promise<void> {
  const { StreamDescription: full } = await client.send(new DescribeStreamCommand({ StreamName, Limit: 3 }));
  assert.equal(full?.StreamStatus, 'ACTIVE');
  assert.equal(full.Shards?.length, 3);
  assert.equal(full.HasMoreShards, true);
  assert.equal(full.EncryptionType, 'NONE');
  assert.equal(full.RetentionPeriodHours, 24);
  assert.equal(full.Shards?.[0]?.HashKeyRange?.StartingHashKey, '0');
  const rest = await client.send(
    new DescribeStreamCommand({ StreamName, ExclusiveStartShardId: full.Shards?.[2]?.ShardId as string }),
  );
  assert.equal(rest.StreamDescription?.Shards?.length, 2);
  assert.equal(rest.StreamDescription.HasMoreShards, false);
  assert.equal(rest.StreamDescription.Shards.at(-1)?.HashKeyRange?.EndingHashKey, String(2n ** 128n - 1n));
  const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
  assert.equal(summary?.OpenShardCount, 5);
  assert.equal(summary.StreamModeDetails?.StreamMode, 'PROVISIONED');
  assert.deepEqual(summary.StreamCreationTimestamp, full.StreamCreationTimestamp);
  const limits = await client.send(new DescribeLimitsCommand({}));
  assert.ok((limits.OpenShardCount ?? 0) >= 5, 'OpenShardCount');
}

async function listShards(client: KinesisClient, StreamName: string): Promise<void> {
  const first = await client.send(new ListShardsCommand({ StreamName, MaxResults: 2 }));
  const ids = (first.Shards ?? []).map(({ ShardId }) => ShardId);
  let { NextToken } = first;
  while (NextToken !== undefined) {
    const page: ListShardsCommandOutput = await client.send(new ListShardsCommand({ NextToken, MaxResults: 2 }));
    ids.push(...(page.Shards ?? []).map(({ ShardId }) => ShardId));
    NextToken = page.NextToken;
  }
  assert.deepEqual(
    ids,
    [0, 1, 2, 3, 4].map((shard) => `shardId-00000000000${shard}`),
  );
}

async function streamTags(client: KinesisClient, StreamName: string): Promise<void> {
  const Tags = { team: 'mill', größe: 'ü 1', empty: '' };
  await client.send(new AddTagsToStreamCommand({ StreamName, Tags }));
  const first = await client.send(new ListTagsForStreamCommand({ StreamName, Limit: 2 }));
  assert.equal(first.HasMoreTags, true);
  const rest = await client.send(
    new ListTagsForStreamCommand({ StreamName, ExclusiveStartTagKey: first.Tags?.at(-1)?.Key as string }),
  );
  assert.equal(rest.HasMoreTags, false);
  const all = [...(first.Tags ?? []), ...(rest.Tags ?? [])];
  assert.deepEqual(Object.fromEntries(all.map(({ Key, Value }) => [Key, Value])), Tags);
  await client.send(new RemoveTagsFromStreamCommand({ StreamName, TagKeys: Object.keys(Tags) }));
  assert.deepEqual((await client.send(new ListTagsForStreamCommand({ StreamName }))).Tags, []);
}

async function resourceTags(client: KinesisClient, ResourceARN: string): Promise<void> {
  await client.send(new TagResourceCommand({ ResourceARN, Tags: { a: '1', b: '2' } }));
  await client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['a'] }));
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN }));
  assert.deepEqual(Tags, [{ Key: 'b', Value: '2' }]);
}

async function retention(client: KinesisClient, StreamName: string): Promise<void> {
  const hours = async (): Promise<number | undefined> =>
    (await client.send(new DescribeStreamSummaryCommand({ StreamName }))).StreamDescriptionSummary
      ?.RetentionPeriodHours;
  await client.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 8760 }));
  assert.equal(await hours(), 8760);
  await client.send(new DecreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 24 }));
  assert.equal(await hours(), 24);
}
