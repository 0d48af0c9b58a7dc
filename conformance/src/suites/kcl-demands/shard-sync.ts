import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import { timestampOf } from '../../wire/call.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client } from './client.ts';
import { assertExactCover, assertLineage, parentsOf, type Shard } from './shapes.ts';
import { listShards, mergeOf, middle, reshard, scaleTo, shardId, splitOf, type StreamNames } from './streams.ts';

/** How a worker learns the shards of a stream. Source: clients reference §2.5, "Shard sync" and §1.3, "Shard map". */
export async function checkShardSync(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: 3 }, async ({ name, arn }) => {
    const stream = { StreamName: name, StreamARN: arn };
    await checks.check('ListShards for an empty lease table covers all hash keys, by each initial position', () =>
      initialPositions(client, stream),
    );
    await checks.check('ListShards gives a filtered list by pages, the token alone in the calls after the first', () =>
      pages(client, stream),
    );
    await checks.check('parents are listed with their children, both of a merge, each with an ending number', () =>
      lineage(client, stream),
    );
    await checks.check('AT_TRIM_HORIZON lists the shards that a reader from the horizon on begins with', () =>
      horizon(client, stream),
    );
  });
  await withStream(client, { ShardCount: 1 }, async ({ name }) => {
    await checks.check('AT_TIMESTAMP covers all hash keys exactly, at every millisecond around a reshard', () =>
      everyMoment(client, name),
    );
  });
  await withStream(client, { ShardCount: 2 }, async ({ name, arn }) => {
    await checks.check('every list made while a stream is resharded is whole and consistent', () =>
      underReshards(client, { StreamName: name, StreamARN: arn }),
    );
  });
}

async function initialPositions(client: Client, stream: StreamNames): Promise<void> {
  const Timestamp = timestampOf(Date.now(), client.encoding);
  for (const ShardFilter of [{ Type: 'AT_TRIM_HORIZON' }, { Type: 'AT_LATEST' }, { Type: 'AT_TIMESTAMP', Timestamp }]) {
    const shards = await listShards(client, { ...stream, ShardFilter });
    assert.equal(shards.length, 3, ShardFilter.Type);
    assertExactCover(shards);
  }
}

/** A token keeps the filter: one that forgot it would list the children as well, or the closed shard. */
async function pages(client: Client, stream: StreamNames): Promise<void> {
  await reshard(client, stream.StreamName, splitOf(1, middle));
  for (const [Type, numbers] of [
    ['AT_LATEST', [0, 2, 3, 4]],
    ['AT_TRIM_HORIZON', [0, 1, 2]],
  ] as const) {
    for (const MaxResults of [1, 2, 3, 4, 1000]) {
      const shards = await listShards(client, { ...stream, MaxResults, ShardFilter: { Type } });
      const ids = shards.map(({ ShardId }) => ShardId);
      assert.deepEqual(ids, numbers.map(shardId), `${Type} by pages of ${MaxResults}`);
      assertExactCover(shards);
    }
  }
}

async function lineage(client: Client, stream: StreamNames): Promise<void> {
  await reshard(client, stream.StreamName, mergeOf(0, 3));
  const shards = await listShards(client, stream);
  assertLineage(shards);
  assert.deepEqual(parentsById(shards), {
    [shardId(0)]: [],
    [shardId(1)]: [],
    [shardId(2)]: [],
    [shardId(3)]: [shardId(1)],
    [shardId(4)]: [shardId(1)],
    [shardId(5)]: [shardId(0), shardId(3)],
  });
}

function parentsById(shards: readonly Shard[]): Record<string, string[]> {
  return Object.fromEntries(shards.map((shard) => [shard.ShardId, parentsOf(shard)]));
}

async function horizon(client: Client, stream: StreamNames): Promise<void> {
  const shards = await listShards(client, { ...stream, ShardFilter: { Type: 'AT_TRIM_HORIZON' } });
  assert.deepEqual(
    shards.map(({ ShardId }) => ShardId),
    [0, 1, 2].map(shardId),
  );
  const all = await listShards(client, { ...stream, ShardFilter: { Type: 'FROM_TRIM_HORIZON' } });
  assert.equal(all.length, 6, 'FROM_TRIM_HORIZON');
}

async function everyMoment(client: Client, StreamName: string): Promise<void> {
  const fromMs = Date.now();
  for (const step of [splitOf(0), mergeOf(1, 2), scaleTo(2)]) await reshard(client, StreamName, step);
  const untilMs = Date.now();
  for (let ms = fromMs; ms <= untilMs; ms++) {
    const Timestamp = timestampOf(ms, client.encoding);
    const shards = await listShards(client, { StreamName, ShardFilter: { Type: 'AT_TIMESTAMP', Timestamp } });
    assertExactCover(shards);
  }
}

/** Several workers ask all the time; none of them may need a second try. */
async function underReshards(client: Client, stream: StreamNames): Promise<void> {
  let isOver = false;
  let lists = 0;
  const observe = async (): Promise<void> => {
    while (!isOver) {
      assertLineage(await listShards(client, { ...stream, MaxResults: 1000 }));
      assertExactCover(await listShards(client, { ...stream, ShardFilter: { Type: 'AT_LATEST' } }));
      const Timestamp = timestampOf(Date.now(), client.encoding);
      assertExactCover(await listShards(client, { ...stream, ShardFilter: { Type: 'AT_TIMESTAMP', Timestamp } }));
      lists += 3;
    }
  };
  const change = async (): Promise<void> => {
    try {
      for (let round = 0; round < 3; round++) {
        for (const count of [3, 4, 2, 1]) await reshard(client, stream.StreamName, scaleTo(count));
        const { ShardId } = (await open(client, stream))[0] as Shard;
        const split = ['SplitShard', { ShardToSplit: ShardId, NewStartingHashKey: middle }] as const;
        await reshard(client, stream.StreamName, split);
      }
    } finally {
      isOver = true;
    }
  };
  await Promise.all([observe(), observe(), change()]);
  assert.ok(lists > 10, `${lists} lists`);
}

function open(client: Client, stream: StreamNames): Promise<Shard[]> {
  return listShards(client, { ...stream, ShardFilter: { Type: 'AT_LATEST' } });
}
