import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client, StartingPosition } from './client.ts';
import { registered } from './registration.ts';
import { textsOf } from './shapes.ts';
import { mergeOf, putAll, reshard, shardId, splitOf, textsFrom } from './streams.ts';
import type { ShardEvent, Subscription } from './subscription.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ShardId = shardId(0);
/** Consumers of a stream that the service allows, less a few. */
const consumersMax = 18;

/** A stream, and a consumer for each subscription, so that none comes too early after another. */
interface Subject {
  readonly client: Client;
  readonly name: string;
  readonly consumers: () => string;
}

/** What a worker with fan-out gets. Source: clients reference §2.5; data-streams reference §7. */
export async function checkSubscribing(client: Client, checks: Checks): Promise<void> {
  await withConsumers(client, async (subject) => {
    const check = (name: string, body: (subject: Subject) => Promise<void>): Promise<void> =>
      checks.check(name, () => body(subject).finally(() => client.cancelSubscriptions()));
    await check('a subscription opens with its request id and the initial response, and has an event at once', opening);
    await check('an event without records says where to go on, and nothing is lost or given twice there', quiet);
    await check('each starting position of a worker gives what it says', positions);
    await check('a second call too early answers ResourceInUseException, and the first goes on', tooEarly);
    await check('a shard that is not there answers ResourceNotFoundException', noShard);
    await check('a consumer that is not there answers ResourceNotFoundException', noConsumer);
    await check('a shard that is split ends with its children, in the event of its last records or after it', split);
    await check('a subscription to a shard that has ended is told its children at once', afterEnd);
    await check('both parents of a merge end with the one child, which names both', merge);
    await check('a consumer that is deregistered has its subscription ended', deregistered);
  });
  await checks.check('a stream that is deleted ends its subscription, and the next call says why', () =>
    deleted(client),
  );
}

async function withConsumers(client: Client, use: (subject: Subject) => Promise<void>): Promise<void> {
  await withStream(client, { ShardCount: 1 }, async ({ name, arn }) => {
    const arns: string[] = [];
    for (let number = 0; number < consumersMax; number++) arns.push(await registered(client, arn, `worker-${number}`));
    const consumers = (): string => {
      const next = arns.pop();
      assert.ok(next !== undefined, 'a consumer is left');
      return next;
    };
    await use({ client, name, consumers });
  });
}

async function opening({ client, consumers }: Subject): Promise<void> {
  const subscription = await client.subscribe(consumers(), ShardId, { Type: 'LATEST' });
  // The KCL keeps the id of its last good request for its log.
  const { 'x-amzn-requestid': id = '', 'x-amz-id-2': id2, date = '' } = subscription.headers;
  assert.match(id, uuid);
  assert.ok(id2 !== undefined && !Number.isNaN(Date.parse(date)), 'x-amz-id-2 and Date');
  assert.equal(subscription.headers['content-type'], 'application/vnd.amazon.eventstream');
  const event = await subscription.event();
  assert.deepEqual([event?.Records, event?.MillisBehindLatest], [[], 0]);
}

async function quiet({ client, name, consumers }: Subject): Promise<void> {
  const idle = await client.subscribe(consumers(), ShardId, { Type: 'LATEST' });
  const { ContinuationSequenceNumber: SequenceNumber } = (await idle.event()) as ShardEvent;
  idle.cancel();
  const texts = textsFrom(0, 3);
  await putAll(client, name, texts);
  const after = await client.subscribe(consumers(), ShardId, { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber });
  const { records, last } = await after.take(3);
  assert.deepEqual(textsOf(records), texts);
  after.cancel();
  const next = { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: last?.ContinuationSequenceNumber };
  const tip = await client.subscribe(consumers(), ShardId, next);
  assert.deepEqual((await tip.event())?.Records, [], 'behind the last record');
}

async function positions({ client, name, consumers }: Subject): Promise<void> {
  const fromMs = Date.now();
  const texts = textsFrom(10, 4);
  const numbers = await putAll(client, name, texts);
  const rows: readonly (readonly [StartingPosition, string])[] = [
    [{ Type: 'TRIM_HORIZON' }, 'record 0'],
    [{ Type: 'AT_TIMESTAMP', Timestamp: fromMs / 1000 }, 'record 10'],
    [{ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: numbers[1] }, 'record 11'],
    [{ Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: numbers[1] }, 'record 12'],
  ];
  for (const [position, expected] of rows) {
    const subscription = await client.subscribe(consumers(), ShardId, position);
    const { records } = await subscription.take(1);
    assert.equal(textsOf(records)[0], expected, position.Type);
    assert.equal(textsOf(records).at(-1), 'record 13', `${position.Type}, the last`);
    subscription.cancel();
  }
}

async function tooEarly({ client, name, consumers }: Subject): Promise<void> {
  const ConsumerARN = consumers();
  const first = await client.subscribe(ConsumerARN, ShardId, { Type: 'LATEST' });
  await first.event();
  const { status, type, message, headers } = await client.refusedSubscription({
    ConsumerARN,
    ShardId,
    StartingPosition: { Type: 'LATEST' },
  });
  assert.deepEqual([status, type, typeof message], [400, 'ResourceInUseException', 'string']);
  assert.match(headers['x-amzn-requestid'] ?? '', uuid);
  await putAll(client, name, ['still here']);
  assert.deepEqual(textsOf((await first.take(1)).records), ['still here']);
}

async function noShard({ client, consumers }: Subject): Promise<void> {
  const input = { ConsumerARN: consumers(), ShardId: shardId(99), StartingPosition: { Type: 'TRIM_HORIZON' } };
  const { status, type } = await client.refusedSubscription(input);
  assert.deepEqual([status, type], [400, 'ResourceNotFoundException']);
}

async function noConsumer({ client, consumers }: Subject): Promise<void> {
  const ConsumerARN = `${consumers().split(':').slice(0, -1).join(':')}:1`;
  const input = { ConsumerARN, ShardId, StartingPosition: { Type: 'TRIM_HORIZON' } };
  const { status, type } = await client.refusedSubscription(input);
  assert.deepEqual([status, type], [400, 'ResourceNotFoundException']);
}

async function split({ client, name, consumers }: Subject): Promise<void> {
  const reading = await client.subscribe(consumers(), ShardId, { Type: 'LATEST' });
  await reading.event();
  await putAll(client, name, ['the last']);
  await reshard(client, name, splitOf(0));
  const { texts, children } = await readToEnd(reading);
  assert.deepEqual(texts, ['the last']);
  assert.deepEqual(children, [
    [shardId(1), ShardId],
    [shardId(2), ShardId],
  ]);
}

/** A worker that died between the last records and their checkpoint. */
async function afterEnd({ client, consumers }: Subject): Promise<void> {
  const reading = await client.subscribe(consumers(), ShardId, { Type: 'LATEST' });
  const { texts, children } = await readToEnd(reading);
  assert.deepEqual([texts.length, children.length], [0, 2]);
}

async function merge({ client, name, consumers }: Subject): Promise<void> {
  const parents = [shardId(1), shardId(2)];
  const reading = await Promise.all(parents.map((id) => client.subscribe(consumers(), id, { Type: 'TRIM_HORIZON' })));
  for (const each of reading) await each.event();
  await reshard(client, name, mergeOf(1, 2));
  for (const each of reading) assert.deepEqual((await readToEnd(each)).children, [[shardId(3), ...parents]]);
}

/** To the end of the shard, which the stream of events does not outlive. */
async function readToEnd(subscription: Subscription): Promise<{ texts: string[]; children: string[][] }> {
  const texts: string[] = [];
  for (let event; (event = await subscription.event()) !== undefined;) {
    texts.push(...textsOf(event.Records));
    if (event.ContinuationSequenceNumber !== undefined) continue;
    assert.equal(await subscription.event(), undefined, 'an event behind the end of the shard');
    const children = (event.ChildShards ?? []).map(({ ShardId: id, ParentShards }) => [id, ...ParentShards]);
    return { texts, children };
  }
  throw new Error('the stream of events ended before its shard');
}

async function deregistered({ client, consumers }: Subject): Promise<void> {
  const ConsumerARN = consumers();
  const reading = await client.subscribe(ConsumerARN, shardId(3), { Type: 'TRIM_HORIZON' });
  await reading.event();
  await client.mustCall('DeregisterStreamConsumer', { ConsumerARN });
  assert.ok([undefined, 'ResourceNotFoundException'].includes(await reading.ending()));
}

async function deleted(client: Client): Promise<void> {
  let reading: Subscription | undefined;
  let ConsumerARN = '';
  await withStream(client, { ShardCount: 1 }, async ({ name, arn }) => {
    ConsumerARN = await registered(client, arn, 'worker');
    reading = await client.subscribe(ConsumerARN, ShardId, { Type: 'LATEST' });
    await reading.event();
    await client.mustCall('DeleteStream', { StreamName: name, EnforceConsumerDeletion: true });
    assert.ok([undefined, 'ResourceNotFoundException'].includes(await reading.ending()));
    const input = { ConsumerARN, ShardId, StartingPosition: { Type: 'LATEST' } };
    assert.equal((await client.refusedSubscription(input)).type, 'ResourceNotFoundException');
    // There is one to be removed in the end.
    await client.mustCall('CreateStream', { StreamName: name, ShardCount: 1 });
  });
}
