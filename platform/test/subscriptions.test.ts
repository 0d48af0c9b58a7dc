import { describe, expect, test } from 'vitest';
import type { SubscribeToShardEvent } from '../src/model/index.ts';
import { SeededRandom } from '../../testing/src/seeded-random.ts';
import { SimDisk } from '../../testing/src/sim-disk.ts';
import { caller, type StreamsHarness } from '../../testing/src/streams-harness.ts';
import {
  after,
  brief,
  code,
  isSettled,
  latest,
  names,
  nextEvent,
  put,
  putAll,
  register,
  shardId,
  split,
  started,
  StreamARN,
  StreamName,
  subscribe,
  textsOf,
  trimHorizon,
} from './fan-out-fixture.ts';

/** How subscriptions of enhanced fan-out end, and what refuses or replaces one; what they read is in fan-out.test.ts. */
describe('the end', () => {
  test('comes after five minutes, also to a reader that waits, and the client calls again', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const a = await register(harness, 'a');
    const reader = await subscribe(harness, a);
    await put(harness, 'x');
    const [event] = (await reader.take(1)) as [SubscribeToShardEvent];
    clock.advance(298_000);
    expect((await reader.next())?.Records).toEqual([]);
    const pending = reader.next();
    clock.advance(1999);
    expect(await isSettled(pending)).toBe(false);
    clock.advance(1);
    expect(await pending).toBeUndefined();
    expect(await reader.next()).toBeUndefined();
    const next = await subscribe(harness, a, after(event.ContinuationSequenceNumber));
    await put(harness, 'y');
    expect(await next.texts(1)).toEqual(['y']);
  });

  test('comes at its time also with records left, and to one that has not asked', async () => {
    const harness = await started(1);
    const reader = await subscribe(harness, await register(harness, 'a'));
    harness.clock.advance(300_000);
    await put(harness, 'x');
    expect(await reader.next()).toBeUndefined();
  });

  test('of a shard names its children with their parents and no place to go on', async () => {
    const harness = await started(1);
    const { streams } = harness;
    const [a, b, c] = [await register(harness, 'a'), await register(harness, 'b'), await register(harness, 'c')];
    await putAll(harness, names(2));
    const [waiting, idle] = [await subscribe(harness, a), await subscribe(harness, b)];
    await waiting.texts(2);
    const pending = waiting.next();
    expect(await isSettled(pending)).toBe(false);
    await split(harness, 0);
    const { Shards = [] } = await streams.listShards({ StreamName }, caller);
    const ChildShards = Shards.slice(1).map(({ ShardId, HashKeyRange }) => ({
      ShardId,
      ParentShards: [shardId(0)],
      HashKeyRange,
    }));
    expect(ChildShards.map(({ ShardId }) => ShardId)).toEqual([shardId(1), shardId(2)]);
    const last = await pending;
    expect(last).toEqual({ Records: [], MillisBehindLatest: 0, ChildShards });
    expect(last).not.toHaveProperty('ContinuationSequenceNumber');
    expect(await waiting.next()).toBeUndefined();
    // One that comes to it later has the records before or with it.
    const { EndingSequenceNumber: end } = Shards[0]?.SequenceNumberRange ?? {};
    const late = [idle, await subscribe(harness, c)];
    harness.clock.advance(5000);
    for (const position of [latest, after(end), { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: end }] as const) {
      const reader = await subscribe(harness, a, position);
      expect(await reader.next()).toEqual({ Records: [], MillisBehindLatest: 0, ChildShards });
      expect(await reader.next()).toBeUndefined();
      harness.clock.advance(5000);
    }
    for (const reader of late) {
      const events: SubscribeToShardEvent[] = [];
      for (let event; (event = await reader.next()) !== undefined;) events.push(event);
      expect(events.flatMap(textsOf)).toEqual(names(2));
      for (const event of events.slice(0, -1)) expect(event.ContinuationSequenceNumber).toBeDefined();
      expect(events.at(-1)?.ChildShards).toEqual(ChildShards);
      expect(events.at(-1)?.ContinuationSequenceNumber).toBeUndefined();
    }
    // And the children begin where it ended.
    const child = await subscribe(harness, a, trimHorizon, shardId(2));
    await put(harness, 'to the child', '0');
    expect(await child.texts(1)).toEqual(['to the child']);
  });

  test('of two shards that were merged names the one child with both', async () => {
    const harness = await started(2);
    const { streams } = harness;
    const a = await register(harness, 'a');
    const readers = [await subscribe(harness, a, trimHorizon, shardId(0))];
    const merge = { StreamName, ShardToMerge: shardId(0), AdjacentShardToMerge: shardId(1) };
    await streams.mergeShards(merge, caller);
    readers.push(await subscribe(harness, a, trimHorizon, shardId(1)));
    for (const reader of readers) {
      const event = await reader.next();
      expect(event?.ChildShards).toEqual([
        {
          ShardId: shardId(2),
          ParentShards: [shardId(0), shardId(1)],
          HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(2n ** 128n - 1n) },
        },
      ]);
      expect(event).not.toHaveProperty('ContinuationSequenceNumber');
      expect(await reader.next()).toBeUndefined();
    }
  });

  test('of a shard with more than an event left comes behind all of it', async () => {
    const harness = await started(1);
    const texts = names(100).map((text) => text.padEnd(9000));
    await putAll(harness, texts);
    const reader = await subscribe(harness, await register(harness, 'a'));
    await split(harness, 0);
    const events = await reader.take(100);
    expect(events.flatMap(textsOf)).toEqual(texts.map(brief));
    const rest = await reader.next();
    const last = rest ?? (events.at(-1) as SubscribeToShardEvent);
    expect(last.ChildShards).toHaveLength(2);
    for (const event of [...events, ...(rest ? [rest] : [])]) {
      expect(event.ChildShards === undefined).toBe(event !== last);
      expect(event.ContinuationSequenceNumber === undefined).toBe(event === last);
    }
    expect(await reader.next()).toBeUndefined();
  });

  test.each([0, 1000])('comes with the deregistration of the consumer, and of no other; delay %i', async (delay) => {
    const harness = await started(2, { lifecycleDelayMs: delay });
    const [a, b] = [await register(harness, 'a'), await register(harness, 'ab')];
    harness.clock.advance(delay);
    const ended = [await subscribe(harness, a), await subscribe(harness, a, trimHorizon, shardId(1))] as const;
    const other = await subscribe(harness, b);
    for (const reader of [...ended, other]) await nextEvent(harness, reader);
    const pending = ended[0].next();
    const kept = other.next();
    expect(await isSettled(pending)).toBe(false);
    await harness.streams.deregisterStreamConsumer({ ConsumerARN: a.ConsumerARN }, caller);
    expect(await pending).toBeUndefined();
    expect(await ended[1].next()).toBeUndefined();
    // MD5 of 9 begins with 4: the lower shard.
    await put(harness, 'x', '9');
    expect(textsOf((await kept) as SubscribeToShardEvent)).toEqual(['x']);
  });

  test.each([0, 1000])('comes with the deletion of the stream, delay %i', async (delay) => {
    const harness = await started(1, { lifecycleDelayMs: delay });
    const [a, b] = [await register(harness, 'a'), await register(harness, 'b')];
    harness.clock.advance(delay);
    await put(harness, 'x');
    const [waiting, idle] = [await subscribe(harness, a, latest), await subscribe(harness, b)];
    await nextEvent(harness, waiting);
    const pending = waiting.next();
    expect(await isSettled(pending)).toBe(false);
    await harness.streams.deleteStream({ StreamName, EnforceConsumerDeletion: true }, caller);
    harness.clock.advance(delay);
    expect(await pending).toBeUndefined();
    expect(await idle.next()).toBeUndefined();
    await expect(subscribe(harness, a)).rejects.toMatchObject(code('ResourceNotFoundException'));
  });

  test('comes when the server stops', async () => {
    const harness = await started(1);
    const reader = await subscribe(harness, await register(harness, 'a'));
    await nextEvent(harness, reader);
    const pending = reader.next();
    expect(await isSettled(pending)).toBe(false);
    await harness.close();
    expect(await pending).toBeUndefined();
  });
});

describe('a second call for a consumer and a shard', () => {
  test('before five seconds is refused and changes nothing, at five it takes over', async () => {
    const harness = await started(2);
    const { clock } = harness;
    const [a, b] = [await register(harness, 'a'), await register(harness, 'b')];
    const first = await subscribe(harness, a);
    const inUse = code('ResourceInUseException');
    await expect(subscribe(harness, a)).rejects.toMatchObject(inUse);
    // Neither another shard nor another consumer is in its way.
    await subscribe(harness, a, trimHorizon, shardId(1));
    const other = await subscribe(harness, b);
    clock.advance(4999);
    await expect(subscribe(harness, a)).rejects.toMatchObject(inUse);
    await put(harness, 'x', '9');
    expect(await first.texts(1)).toEqual(['x']);
    const pending = first.next();
    expect(await isSettled(pending)).toBe(false);
    clock.advance(1);
    const second = await subscribe(harness, a);
    await expect(pending).rejects.toMatchObject(inUse);
    expect(await first.next()).toBeUndefined();
    expect(await second.texts(1)).toEqual(['x']);
    expect(await other.texts(1)).toEqual(['x']);
    // A refused call does not put the time off, the successful one begins it anew.
    clock.advance(4999);
    await expect(subscribe(harness, a)).rejects.toMatchObject(inUse);
    clock.advance(1);
    const third = await subscribe(harness, a);
    await expect(second.next()).rejects.toMatchObject(inUse);
    expect(await third.texts(1)).toEqual(['x']);
  });

  test('within five seconds is refused also when the first client has gone', async () => {
    const harness = await started(1);
    const a = await register(harness, 'a');
    const reader = await subscribe(harness, a);
    await reader.cancel();
    expect(await reader.next()).toBeUndefined();
    harness.clock.advance(4999);
    await expect(subscribe(harness, a)).rejects.toMatchObject(code('ResourceInUseException'));
    harness.clock.advance(1);
    await subscribe(harness, a);
  });

  test('at one time with the first: one of them is done', async () => {
    const harness = await started(1);
    const a = await register(harness, 'a');
    await put(harness, 'x');
    const calls = await Promise.allSettled([subscribe(harness, a), subscribe(harness, a), subscribe(harness, a)]);
    const done = calls.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refused = calls.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(refused).toEqual([1, 2].map(() => expect.objectContaining(code('ResourceInUseException')) as unknown));
    expect(await done[0]?.texts(1)).toEqual(['x']);
  });
});

describe('DryRun', () => {
  const dryRun = ({ streams }: StreamsHarness, ConsumerARN: string, more = {}): Promise<unknown> =>
    streams.subscribeToShard(
      { ConsumerARN, ShardId: shardId(0), StartingPosition: trimHorizon, DryRun: true, ...more },
      caller,
    );

  test('is answered by DryRunOperationException and leaves no subscription', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const a = await register(harness, 'a');
    const done = code('DryRunOperationException');
    for (let i = 0; i < 2; i++) await expect(dryRun(harness, a.ConsumerARN)).rejects.toMatchObject(done);
    const reader = await subscribe(harness, a);
    clock.advance(5000);
    await expect(dryRun(harness, a.ConsumerARN)).rejects.toMatchObject(done);
    // It has taken nobody's place.
    await put(harness, 'x');
    expect(await reader.texts(1)).toEqual(['x']);
    await subscribe(harness, a);
    await expect(reader.next()).rejects.toMatchObject(code('ResourceInUseException'));
  });

  test('is refused as the call itself would be', async () => {
    const harness = await started(1, { lifecycleDelayMs: 1000 });
    const { ConsumerARN } = await register(harness, 'a');
    await expect(dryRun(harness, ConsumerARN)).rejects.toMatchObject(code('ResourceInUseException'));
    harness.clock.advance(1000);
    await expect(dryRun(harness, ConsumerARN, { ShardId: shardId(7) })).rejects.toMatchObject(
      code('ResourceNotFoundException'),
    );
    await expect(dryRun(harness, `${StreamARN}/consumer/none:1`)).rejects.toMatchObject(
      code('ResourceNotFoundException'),
    );
    await expect(dryRun(harness, ConsumerARN, { StartingPosition: { Type: 'AT_TIMESTAMP' } })).rejects.toMatchObject(
      code('InvalidArgumentException'),
    );
    await subscribe(harness, { ConsumerARN });
    await expect(dryRun(harness, ConsumerARN)).rejects.toMatchObject(code('ResourceInUseException'));
  });
});

describe('an event that is made for many readers', () => {
  test('is not given to one that comes when its records are past retention', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const [a, b] = [await register(harness, 'a'), await register(harness, 'b')];
    await put(harness, 'x');
    clock.advance(24 * 3_600_000 - 50);
    expect(await (await subscribe(harness, a)).texts(1)).toEqual(['x']);
    clock.advance(51);
    expect((await (await subscribe(harness, b)).next())?.Records).toEqual([]);
  });

  test('says for each how far behind it is', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const consumers = [await register(harness, 'a'), await register(harness, 'b'), await register(harness, 'c')];
    await put(harness, 'x'.repeat(300_000));
    const behind: (number | undefined)[] = [];
    for (const consumer of consumers) {
      behind.push((await (await subscribe(harness, consumer)).next())?.MillisBehindLatest);
      clock.advance(10_000);
      if (consumer === consumers[0]) await put(harness, 'y');
    }
    expect(behind).toEqual([0, 10_000, 20_000]);
  });
});

describe('while the place of the first record is being looked for', () => {
  const slow = async (seed = 1): Promise<StreamsHarness> => {
    const disk = new SimDisk(new SeededRandom(seed), { isSlow: true });
    const harness = await started(1, {
      disk,
      durability: 'fsync',
      engine: { flushBytes: 1000, segmentBytesMax: 4000 },
    });
    for (let i = 0; i < 40; i++) await put(harness, 'x'.repeat(300));
    return harness;
  };

  test('the stream may go: ResourceNotFoundException', async () => {
    const harness = await slow();
    const { ConsumerARN } = await register(harness, 'a');
    const Timestamp = harness.clock.now();
    const start = { StreamName, ShardId: shardId(0), ShardIteratorType: 'AT_TIMESTAMP', Timestamp } as const;
    const outcomes = Promise.allSettled([
      harness.streams.getShardIterator(start, caller),
      subscribe(harness, { ConsumerARN }, { Type: 'AT_TIMESTAMP', Timestamp }),
    ]);
    await harness.streams.deleteStream({ StreamName, EnforceConsumerDeletion: true }, caller);
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(code('ResourceNotFoundException'));
    }
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('the consumer may go: nothing is read for it (seed %i)', async (seed) => {
    const harness = await slow(seed);
    const { ConsumerARN } = await register(harness, 'a');
    const deregistering = harness.streams.deregisterStreamConsumer({ ConsumerARN }, caller);
    const Timestamp = harness.clock.now();
    const subscribing = subscribe(harness, { ConsumerARN }, { Type: 'AT_TIMESTAMP', Timestamp });
    await deregistering;
    expect(await (await subscribing).next()).toBeUndefined();
  });
});
