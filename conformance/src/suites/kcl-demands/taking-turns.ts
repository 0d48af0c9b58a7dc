import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { withClient, type Client, type StartingPosition, type Way } from './client.ts';
import { withServerAndClient } from './own-servers.ts';
import { arnOf, registered } from './registration.ts';
import { textsOf } from './shapes.ts';
import { putAll, reshard, shardId, splitOf, textsFrom } from './streams.ts';

const StreamName = 'turns';
const ShardId = shardId(0);
const lifeMs = 1000;
const takeoverMs = 300;

interface Subject {
  readonly client: Client;
  readonly way: Way;
  readonly ConsumerARN: string;
}

/** Subscriptions that follow each other at one shard; with a server whose five minutes and five seconds are short. */
export async function checkTakingTurns(checks: Checks): Promise<void> {
  const flags = ['--subscription-life-ms', String(lifeMs), '--subscription-takeover-ms', String(takeoverMs)];
  await withServerAndClient(flags, async (client, way) => {
    await client.mustCall('CreateStream', { StreamName, ShardCount: 1 });
    const StreamARN = await arnOf(client, StreamName);
    const check = (name: string, body: (subject: Subject) => Promise<void>): Promise<void> =>
      checks.check(name, async () => {
        const ConsumerARN = await registered(client, StreamARN, `worker-${checks.passed + checks.failed}`);
        await body({ client, way, ConsumerARN });
      });
    await check('a worker that another one takes over from is told so in its stream', takeover);
    await check('a worker whose connection breaks off goes on where it was, as does another in its place', dropped);
    await check('a subscription ends without an error when its life does, again and again, and nothing is lost', lives);
  });
}

async function takeover({ client, way, ConsumerARN }: Subject): Promise<void> {
  const old = await client.subscribe(ConsumerARN, ShardId, { Type: 'TRIM_HORIZON' });
  await old.event();
  await sleep(takeoverMs);
  await withClient(way, async (other) => {
    const next = await other.subscribe(ConsumerARN, ShardId, { Type: 'LATEST' });
    await next.event();
    assert.ok([undefined, 'ResourceInUseException'].includes(await old.ending()));
    await putAll(client, StreamName, ['for the new one']);
    assert.deepEqual(textsOf((await next.take(1)).records), ['for the new one']);
    next.cancel();
  });
}

async function dropped({ client, way, ConsumerARN }: Subject): Promise<void> {
  const texts = textsFrom(0, 3);
  await putAll(client, StreamName, texts);
  let SequenceNumber: string | undefined;
  await withClient(way, async (dying) => {
    const subscription = await dying.subscribe(ConsumerARN, ShardId, { Type: 'TRIM_HORIZON' });
    SequenceNumber = (await subscription.take(texts.length)).last?.ContinuationSequenceNumber;
    dying.die();
  });
  await putAll(client, StreamName, ['while nobody was there']);
  await sleep(takeoverMs);
  const next = await client.subscribe(ConsumerARN, ShardId, { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber });
  assert.deepEqual(textsOf((await next.take(1)).records), ['while nobody was there']);
  next.cancel();
}

async function lives({ client, ConsumerARN }: Subject): Promise<void> {
  const [put, { read, count }] = await Promise.all([produceAndSplit(client), follow(client, ConsumerARN)]);
  // The first of them may have come before the subscription.
  assert.deepEqual(read, put.slice(-read.length));
  assert.ok(read.length > put.length - 20 && count >= 3, `${read.length} of ${put.length} in ${count} lives`);
}

/** Puts for three lives of a subscription, and some. */
async function produceAndSplit(client: Client): Promise<string[]> {
  const texts: string[] = [];
  for (const startMs = Date.now(); Date.now() < startMs + 3 * lifeMs;) {
    texts.push(`life ${texts.length}`);
    await putAll(client, StreamName, texts.slice(-1));
    await sleep(5);
  }
  await reshard(client, StreamName, splitOf(0));
  return texts;
}

/** As FanOutRecordsPublisher: at the end of the stream, not of the shard, it subscribes again from where the last event said. */
async function follow(client: Client, ConsumerARN: string): Promise<{ read: string[]; count: number }> {
  const read: string[] = [];
  let position: StartingPosition = { Type: 'LATEST' };
  for (let count = 1; ; count++) {
    const subscription = await client.subscribe(ConsumerARN, ShardId, position);
    for (let event; (event = await subscription.event()) !== undefined;) {
      read.push(...textsOf(event.Records));
      if (event.ContinuationSequenceNumber === undefined) return { read, count };
      position = { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: event.ContinuationSequenceNumber };
    }
  }
}
