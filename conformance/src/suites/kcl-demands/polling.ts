import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { timestampOf } from '../../wire/call.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client } from './client.ts';
import { textsOf } from './shapes.ts';
import { getRecords, iteratorOf, mergeOf, putAll, reshard, shardId, textsAt, textsFrom } from './streams.ts';
import type { StreamNames } from './streams.ts';

const ShardId = shardId(0);

/** How a worker reads an open shard without fan-out. Source: clients reference §2.5, "Iterators". */
export async function checkPolling(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: 1 }, async ({ name, arn }) => {
    const stream = { StreamName: name, StreamARN: arn };
    await checks.check('an idle shard is read from each initial position, and each answer says how far behind', () =>
      idle(client, stream),
    );
    await checks.check('a checkpoint is begun at, and an iterator that broke off is gone on after, with no gap', () =>
      checkpoints(client, stream),
    );
    await checks.check('numbers of records are digits, each greater than the one before', () =>
      numbers(client, stream),
    );
    await checks.check('one iterator gives one answer, however often it is asked', () => again(client, stream));
  });
}

/** A worker that has processed nothing begins again where it began. */
async function idle(client: Client, stream: StreamNames): Promise<void> {
  const atNow = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: timestampOf(Date.now(), client.encoding) };
  for (const start of [{ ShardIteratorType: 'TRIM_HORIZON' }, { ShardIteratorType: 'LATEST' }, atNow]) {
    let iterator = await iteratorOf(client, stream, { ShardId, ...start });
    for (let poll = 0; poll < 3; poll++) {
      const page = await getRecords(client, iterator, { StreamARN: stream.StreamARN });
      assert.deepEqual(page.Records, []);
      assert.equal(page.MillisBehindLatest, 0, start.ShardIteratorType);
      assert.equal(page.ChildShards?.length ?? 0, 0, 'children of an open shard');
      iterator = page.NextShardIterator as string;
    }
  }
}

async function checkpoints(client: Client, stream: StreamNames): Promise<void> {
  const latest = await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'LATEST' });
  const fromMs = Date.now();
  const texts = textsFrom(0, 5);
  const numbersPut = await putAll(client, stream.StreamName, texts);
  const at = (type: string, index: number): object => ({
    ShardId,
    ShardIteratorType: type,
    StartingSequenceNumber: numbersPut[index],
  });
  for (const index of [0, 2, 4]) {
    assert.deepEqual(await textsAt(client, stream, at('AT_SEQUENCE_NUMBER', index)), texts.slice(index));
    assert.deepEqual(await textsAt(client, stream, at('AFTER_SEQUENCE_NUMBER', index)), texts.slice(index + 1));
  }
  assert.deepEqual(textsOf((await getRecords(client, latest)).Records), texts, 'what came after LATEST');
  const Timestamp = timestampOf(fromMs, client.encoding);
  const fromTime = { ShardId, ShardIteratorType: 'AT_TIMESTAMP', Timestamp };
  assert.deepEqual(await textsAt(client, stream, fromTime), texts, 'what came since');
}

async function numbers(client: Client, stream: StreamNames): Promise<void> {
  const { Records } = await getRecords(
    client,
    await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
  );
  assert.ok(Records.length >= 5);
  let before = 0n;
  for (const { SequenceNumber } of Records) {
    assert.match(SequenceNumber, /^\d+$/);
    assert.ok(BigInt(SequenceNumber) > before, `${SequenceNumber} behind ${before}`);
    before = BigInt(SequenceNumber);
  }
}

/** A call that timed out on the worker's side is made again with the same iterator. */
async function again(client: Client, stream: StreamNames): Promise<void> {
  const iterator = await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'TRIM_HORIZON' });
  const texts = async (): Promise<string[]> => textsOf((await getRecords(client, iterator, { Limit: 3 })).Records);
  const first = await texts();
  assert.equal(first.length, 3);
  assert.deepEqual(await texts(), first);
}

/** What a worker does when its stream is gone: it takes the shard for ended, by the type of the error. */
export async function checkDeletedStream(client: Client, checks: Checks): Promise<void> {
  let stream: StreamNames | undefined;
  let iterator = '';
  await withStream(client, { ShardCount: 2 }, async ({ name, arn }) => {
    stream = { StreamName: name, StreamARN: arn };
    iterator = await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'LATEST' });
    await reshard(client, name, mergeOf(0, 1));
  });
  const StreamName = stream?.StreamName;
  while ((await client.call('DescribeStreamSummary', { StreamName })).status === 200) await sleep(100);
  for (const [operation, input] of [
    ['GetRecords', { ShardIterator: iterator, StreamARN: stream?.StreamARN }],
    ['GetShardIterator', { ...stream, ShardId, ShardIteratorType: 'LATEST' }],
    ['ListShards', { ...stream, ShardFilter: { Type: 'AT_LATEST' } }],
    ['DescribeStreamSummary', { StreamName }],
  ] as const) {
    await checks.check(`${operation} of a stream that is deleted answers ResourceNotFoundException`, async () => {
      const { status, type } = await client.call(operation, input);
      assert.deepEqual([status, type], [400, 'ResourceNotFoundException']);
    });
  }
}
