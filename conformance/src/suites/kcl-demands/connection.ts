import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { withStream, type TestStream } from '../../wire/stream.ts';
import { waysOf, withClient, type Client, type Way } from './client.ts';
import { withServer } from './own-servers.ts';
import { arnOf, registered } from './registration.ts';
import { bytesOf, textsOf } from './shapes.ts';
import { putAll, shardId } from './streams.ts';

/** Shards of one worker, all subscribed on one connection. */
const shardCount = 40;
/** Events come at least so often, with some allowance. Source: data-streams reference §7. */
const quietMsMax = 6000;
const pingMsMax = 1000;

/** What the Netty client of the Java SDK needs of an HTTP/2 connection. Source: clients reference §2.4. */
export async function checkConnection(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: shardCount }, async (stream) => {
    const ConsumerARN = await registered(client, stream.arn, 'worker');
    const other = await registered(client, stream.arn, 'slow');
    await checks.check('the settings of a connection let a worker have a hundred subscriptions on it', () =>
      settings(client),
    );
    await checks.check(`${shardCount} subscriptions share a connection with calls and pings`, () =>
      many(client, stream, ConsumerARN),
    );
    await checks.check(
      'a subscription that is not read holds up nothing else on its connection, and loses nothing',
      () => unread(client, stream, other),
    );
    await checks.check('an idle subscription has an event every five seconds', () => idle(client, other));
    client.cancelSubscriptions();
  });
}

function settings({ session }: Client): void {
  const { maxConcurrentStreams = Infinity, maxFrameSize = 0, initialWindowSize = 0 } = session.remoteSettings;
  assert.ok(maxConcurrentStreams >= 100, `MAX_CONCURRENT_STREAMS ${maxConcurrentStreams}`);
  assert.ok(maxFrameSize >= 16_384 && initialWindowSize >= 65_535);
}

async function many(client: Client, stream: TestStream, ConsumerARN: string): Promise<void> {
  const { session } = client;
  const ids = Array.from({ length: shardCount }, (_, number) => shardId(number));
  const all = await Promise.all(ids.map((id) => client.subscribe(ConsumerARN, id, { Type: 'LATEST' })));
  for (const each of all) await each.event();
  await ping(client);
  const step = (2n ** 128n / BigInt(shardCount)).toString();
  for (let number = 0; number < shardCount; number++) {
    await putAll(client, stream.name, [`for ${number}`], String(BigInt(step) * BigInt(number) + BigInt(shardCount)));
  }
  for (const [number, each] of all.entries()) {
    assert.deepEqual(textsOf((await each.take(1)).records), [`for ${number}`]);
  }
  // Half of the shards are taken away from this worker.
  for (const each of all.slice(0, shardCount / 2)) each.cancel();
  await putAll(client, stream.name, ['for the last'], String(2n ** 128n - 1n));
  assert.deepEqual(textsOf((await (all.at(-1) as (typeof all)[0]).take(1)).records), ['for the last']);
  assert.equal(client.session, session, 'all on one connection');
  for (const each of all) each.cancel();
}

/** Its records are many times what the window holds. */
async function unread(client: Client, { name }: TestStream, ConsumerARN: string): Promise<void> {
  const data = Array.from({ length: 40 }, () => new Uint8Array(randomBytes(100_000)));
  for (let at = 0; at < data.length; at += 10) {
    const Records = data.slice(at, at + 10).map((Data) => ({ PartitionKey: 'k', ExplicitHashKey: '0', Data }));
    await client.mustCall('PutRecords', { StreamName: name, Records });
  }
  const slow = await client.subscribe(ConsumerARN, shardId(0), { Type: 'TRIM_HORIZON' });
  const first = (await slow.event())?.Records ?? [];
  for (let round = 0; round < 5; round++) {
    await ping(client);
    await client.mustCall('ListShards', { StreamName: name, MaxResults: 1 });
    await sleep(100);
  }
  const quick = await client.subscribe(ConsumerARN, shardId(1), { Type: 'LATEST' });
  await quick.event();
  quick.cancel();
  // The shard has one short record from before.
  const { records } = await slow.take(1 + data.length - first.length);
  const read = [...first, ...records].map(bytesOf).slice(1);
  assert.equal(read.length, data.length);
  read.forEach((bytes, index) => assert.ok(bytes.equals(data[index] as Uint8Array), `record ${index}`));
  slow.cancel();
}

async function idle(client: Client, ConsumerARN: string): Promise<void> {
  const subscription = await client.subscribe(ConsumerARN, shardId(2), { Type: 'LATEST' });
  const first = await subscription.event();
  const startMs = performance.now();
  const second = await subscription.event();
  assert.ok(performance.now() - startMs < quietMsMax, 'the second event comes in time');
  assert.deepEqual(second, first);
  await ping(client);
  subscription.cancel();
}

/** The Java SDK closes a connection whose ping is not answered. */
async function ping({ session }: Client): Promise<void> {
  const durationMs = await new Promise<number>((resolve, reject) => {
    session.ping((error, ms) => (error === null ? resolve(ms) : reject(error)));
  });
  assert.ok(durationMs < pingMsMax, `a ping took ${durationMs} ms`);
}

/** A server that stops says so, so that no call is sent to it any more, and leaves no message half sent. */
export async function checkGoingAway(checks: Checks): Promise<void> {
  await withServer([], async (target, stop) => {
    await withClient(waysOf(target)[0] as Way, async (client) => {
      await checks.check('a server that stops says GOAWAY, and ends subscriptions between two messages', () =>
        goingAway(client, stop),
      );
    });
  });
}

async function goingAway(client: Client, stop: () => Promise<void>): Promise<void> {
  const StreamName = 'stopping';
  await client.mustCall('CreateStream', { StreamName, ShardCount: 1 });
  const ConsumerARN = await registered(client, await arnOf(client, StreamName), 'worker');
  const subscription = await client.subscribe(ConsumerARN, shardId(0), { Type: 'LATEST' });
  await subscription.event();
  let code: number | undefined;
  client.session.once('goaway', (told) => (code = told));
  const [ending] = await Promise.all([subscription.ending(), stop()]);
  assert.equal(ending, undefined);
  assert.equal(code, 0, 'GOAWAY without an error');
}
