import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client } from './client.ts';
import { assertEndRule, textsOf, type ChildShard, type RecordsPage } from './shapes.ts';
import {
  getRecords,
  iteratorOf,
  mergeOf,
  middle,
  putAll,
  reshard,
  shardId,
  splitOf,
  textsFrom,
  type StreamNames,
} from './streams.ts';

const texts = textsFrom(0, 10);

/**
 * What the last answers of a closed shard say, when it is polled: the leases of its children are made of nothing else.
 * Source: clients reference §2.5, "Reshard order" and "Iterators".
 */
export async function checkShardEnd(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: 1 }, async ({ name, arn }) => {
    const stream = { StreamName: name, StreamARN: arn };
    const live = await iteratorOf(client, stream, { ShardId: shardId(0), ShardIteratorType: 'LATEST' });
    const [first] = await putAll(client, name, texts);
    const last = (await putAll(client, name, ['the last'])).at(-1) as string;
    await reshard(client, name, splitOf(0));
    const ends: readonly (readonly [string, object, readonly string[]])[] = [
      ['from the horizon', { ShardIteratorType: 'TRIM_HORIZON' }, [...texts, 'the last']],
      ['at its first checkpoint', sequence('AT', first), [...texts, 'the last']],
      ['at its last checkpoint', sequence('AT', last), ['the last']],
      ['after its last checkpoint', sequence('AFTER', last), []],
    ];
    for (const [from, start, expected] of ends) {
      await checks.check(`a split shard read ${from} ends with its two children, and not before`, async () => {
        const iterator = await iteratorOf(client, stream, { ShardId: shardId(0), ...start });
        assertSplit(await readToEnd(client, stream, iterator, expected));
      });
    }
    await checks.check('an iterator from before the split leads to its end as well', async () => {
      assertSplit(await readToEnd(client, stream, live, [...texts, 'the last']));
    });
    await checks.check('children can be asked for at LATEST of a closed shard, in one call', () =>
      atLatest(client, stream),
    );
    await checks.check('the last answer of a shard is given again to who asks again', () =>
      again(client, stream, last),
    );
    await checks.check('both parents of a merge end with the one child, which names both', () =>
      merged(client, stream),
    );
  });
}

function sequence(type: 'AT' | 'AFTER', number: string | undefined): object {
  return { ShardIteratorType: `${type}_SEQUENCE_NUMBER`, StartingSequenceNumber: number };
}

/** By pages of three, so that some of them are full and the last is not. */
async function readToEnd(
  client: Client,
  stream: StreamNames,
  from: string,
  expected: readonly string[],
): Promise<readonly ChildShard[]> {
  const read: string[] = [];
  let iterator: string | undefined = from;
  for (let pages = 0; pages < 10; pages++) {
    const page: RecordsPage = await getRecords(client, iterator, { Limit: 3, StreamARN: stream.StreamARN });
    assertEndRule(page.NextShardIterator, page.ChildShards);
    assert.equal(typeof page.MillisBehindLatest, 'number');
    read.push(...textsOf(page.Records));
    iterator = page.NextShardIterator;
    if (iterator === undefined) {
      assert.deepEqual(read, expected);
      return page.ChildShards ?? [];
    }
  }
  throw new Error('no end after ten pages');
}

function assertSplit(children: readonly ChildShard[]): void {
  assert.deepEqual(children, [
    child(1, [0], ['0', String(BigInt(middle) - 1n)]),
    child(2, [0], [middle, String(2n ** 128n - 1n)]),
  ]);
}

function child(
  number: number,
  parents: readonly number[],
  [StartingHashKey, EndingHashKey]: [string, string],
): ChildShard {
  const HashKeyRange = { StartingHashKey, EndingHashKey };
  return { ShardId: shardId(number), ParentShards: parents.map(shardId), HashKeyRange };
}

/** As the clean-up of leases asks. */
async function atLatest(client: Client, stream: StreamNames): Promise<void> {
  const iterator = await iteratorOf(client, stream, { ShardId: shardId(0), ShardIteratorType: 'LATEST' });
  const page = await getRecords(client, iterator, { StreamARN: stream.StreamARN });
  assert.deepEqual(page.Records, []);
  assert.equal(page.NextShardIterator, undefined);
  assertSplit(page.ChildShards ?? []);
}

async function again(client: Client, stream: StreamNames, last: string): Promise<void> {
  const iterator = await iteratorOf(client, stream, { ShardId: shardId(0), ...sequence('AT', last) });
  for (let call = 0; call < 3; call++) assertSplit(await readToEnd(client, stream, iterator, ['the last']));
}

/** One parent has records, the other none. */
async function merged(client: Client, stream: StreamNames): Promise<void> {
  await putAll(client, stream.StreamName, texts, middle);
  await reshard(client, stream.StreamName, mergeOf(1, 2));
  for (const [parent, expected] of [
    [1, []],
    [2, texts],
  ] as const) {
    const start = { ShardId: shardId(parent), ShardIteratorType: 'TRIM_HORIZON' };
    const children = await readToEnd(client, stream, await iteratorOf(client, stream, start), expected);
    assert.deepEqual(children, [child(3, [1, 2], ['0', String(2n ** 128n - 1n)])]);
  }
}
