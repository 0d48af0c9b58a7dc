import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../src/kernel/memory-disk.ts';
import type { SubscribeToShardEvent } from '../src/model/index.ts';
import { rateLimitProfile, sizes } from '../src/streams/limits.ts';
import { SimClock } from '../../testing/src/sim-clock.ts';
import { caller, startStreams } from '../../testing/src/streams-harness.ts';
import {
  after,
  brief,
  code,
  isSettled,
  latest,
  names,
  nextEvent,
  type Position,
  put,
  putAll,
  register,
  shardId,
  started,
  StreamName,
  subscribe,
  textsOf,
  trimHorizon,
} from './fan-out-fixture.ts';

/** What subscriptions of enhanced fan-out read; many of them at once are in fan-out.prop.test.ts. */
const hourMs = 3_600_000;

describe('an event', () => {
  test('carries the records of its shard in order, as they were put', async () => {
    const harness = await started(2);
    const { clock } = harness;
    const a = await register(harness, 'a');
    const reader = await subscribe(harness, a, trimHorizon, shardId(1));
    // MD5 of 0 begins with c, of 1 with c, of 5 with e: the upper shard. Of 9 with 4.
    const keys = ['0', '1', '5', '9'];
    const answers = [];
    for (const key of [...keys, ...keys]) {
      answers.push({ text: `of ${key}`, key, atMs: clock.now(), ...(await put(harness, `of ${key}`, key)) });
      clock.advance(10);
    }
    const own = answers.filter(({ ShardId }) => ShardId === shardId(1));
    expect(own).toHaveLength(6);
    const events = await reader.take(6);
    const records = events.flatMap(({ Records }) => Records);
    expect(records.map(({ Data, ...rest }) => ({ ...rest, text: Buffer.from(Data).toString() }))).toEqual(
      own.map(({ text, key, atMs, SequenceNumber }) => ({
        text,
        SequenceNumber,
        PartitionKey: key,
        ApproximateArrivalTimestamp: atMs,
      })),
    );
    const last = events.at(-1) as SubscribeToShardEvent;
    expect(last.MillisBehindLatest).toBe(0);
    expect(last.ChildShards).toBeUndefined();
  });

  test('comes when a record does, without waiting', async () => {
    const harness = await started(1);
    const reader = await subscribe(harness, await register(harness, 'a'), latest);
    await nextEvent(harness, reader);
    for (const text of names(3)) {
      const pending = reader.next();
      expect(await isSettled(pending)).toBe(false);
      await put(harness, text);
      expect(textsOf((await pending) as SubscribeToShardEvent)).toEqual([text]);
    }
  });

  test('comes every five seconds also without records', async () => {
    const harness = await started(1);
    const reader = await subscribe(harness, await register(harness, 'a'));
    await nextEvent(harness, reader);
    for (let i = 0; i < 10; i++) {
      const pending = reader.next();
      harness.clock.advance(4999);
      expect(await isSettled(pending)).toBe(false);
      harness.clock.advance(1);
      expect(await pending).toMatchObject({ Records: [], MillisBehindLatest: 0 });
    }
  });

  test('is bounded in bytes: what is stored comes in many, and says how far behind it is', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const texts = names(300).map((text) => text.padEnd(10_000));
    await putAll(harness, texts);
    clock.advance(60_000);
    await put(harness, 'newest');
    const reader = await subscribe(harness, await register(harness, 'a'));
    const events = await reader.take(301);
    expect(events.flatMap(textsOf)).toEqual([...texts.map(brief), 'newest']);
    for (const event of events) {
      const bytes = event.Records.reduce((sum, { Data }) => sum + Data.length + 1, 0);
      expect(bytes).toBeLessThanOrEqual(sizes.eventBytesMax);
    }
    expect(events.length).toBeGreaterThan(3_000_000 / sizes.eventBytesMax);
    for (const { MillisBehindLatest } of events.slice(0, -1)) expect(MillisBehindLatest).toBe(60_000);
    expect(events.at(-1)?.MillisBehindLatest).toBe(0);
  });

  test.each([-1, 0, 1])('takes a record of its bound and %i bytes alone when it must, and whole', async (more) => {
    const harness = await started(1);
    // The key is a byte.
    const large = 'x'.repeat(sizes.eventBytesMax - 1 + more);
    await putAll(harness, ['before', large, 'behind', 'x'.repeat(1_048_575)]);
    const events = await (await subscribe(harness, await register(harness, 'a'))).take(4);
    expect(events.map((event) => event.Records.map(({ Data }) => Data.length))).toEqual([
      [6],
      [large.length],
      [6],
      [1_048_575],
    ]);
  });

  test('leaves out records past retention, also those that were not when the subscription began', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const [a, b] = [await register(harness, 'a'), await register(harness, 'b')];
    const [first] = await putAll(harness, ['gone', 'late']);
    clock.advance(24 * hourMs - 60_000);
    const early = await subscribe(harness, a);
    clock.advance(60_001);
    // Everything has gone: there is nothing to give but the news of that.
    expect((await nextEvent(harness, early)).Records).toEqual([]);
    await put(harness, 'new');
    expect(await early.texts(1)).toEqual(['new']);
    for (const position of [trimHorizon, { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: first }] as const) {
      expect(await (await subscribe(harness, b, position)).texts(1)).toEqual(['new']);
      clock.advance(5000);
    }
  });
});

describe('a starting position', () => {
  test.each<[string, (numbers: readonly string[], startMs: number) => Position, string[]]>([
    ['TRIM_HORIZON', () => trimHorizon, names(6)],
    ['LATEST', () => latest, names(2, 4)],
    ['AT the second', (n) => ({ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: n[1] }), names(5, 1)],
    ['AFTER the second', (n) => after(n[1]), names(4, 2)],
    ['AFTER the newest', (n) => after(n[3]), names(2, 4)],
    ['AT the time of the third', (_, ms) => ({ Type: 'AT_TIMESTAMP', Timestamp: ms + 2000 }), names(4, 2)],
    ['AT a time before the third', (_, ms) => ({ Type: 'AT_TIMESTAMP', Timestamp: ms + 1001 }), names(4, 2)],
    ['AT a time before all', (_, ms) => ({ Type: 'AT_TIMESTAMP', Timestamp: ms - hourMs }), names(6)],
    ['AT a time behind all', (_, ms) => ({ Type: 'AT_TIMESTAMP', Timestamp: ms + 3001 }), names(2, 4)],
  ])('%s', async (_, positionOf, expected) => {
    const harness = await started(1);
    const { clock } = harness;
    const startMs = clock.now();
    const numbers: string[] = [];
    for (const text of names(4)) {
      numbers.push((await put(harness, text)).SequenceNumber);
      clock.advance(1000);
    }
    const reader = await subscribe(harness, await register(harness, 'a'), positionOf(numbers, startMs));
    await putAll(harness, names(2, 4));
    expect(await reader.texts(expected.length)).toEqual(expected);
  });

  test.each<[string, Position]>([
    ['AT no number', { Type: 'AT_SEQUENCE_NUMBER' }],
    ['AFTER no number', { Type: 'AFTER_SEQUENCE_NUMBER' }],
    ['TRIM_HORIZON with a number', { Type: 'TRIM_HORIZON', SequenceNumber: '1' }],
    ['LATEST with a number', { Type: 'LATEST', SequenceNumber: '1' }],
    ['AT no time', { Type: 'AT_TIMESTAMP' }],
    ['AT a time to come', { Type: 'AT_TIMESTAMP', Timestamp: 1_700_000_000_001 }],
    ['AFTER what is no sequence number', after('17')],
  ])('%s is refused, and holds no place', async (_, position) => {
    const harness = await started(1);
    expect(harness.clock.now()).toBe(1_700_000_000_000);
    const a = await register(harness, 'a');
    await put(harness, 'x');
    await expect(subscribe(harness, a, position)).rejects.toMatchObject(code('InvalidArgumentException'));
    expect(await (await subscribe(harness, a)).texts(1)).toEqual(['x']);
  });

  test('of another shard, or of a former stream of this name, is refused', async () => {
    const harness = await started(2);
    const { streams, clock } = harness;
    // MD5 of 0 begins with c: the upper shard.
    const { SequenceNumber, ShardId } = await put(harness, 'x', '0');
    expect(ShardId).toBe(shardId(1));
    const refusal = code('InvalidArgumentException');
    const a = await register(harness, 'a');
    await expect(subscribe(harness, a, after(SequenceNumber), shardId(0))).rejects.toMatchObject(refusal);
    await subscribe(harness, a, after(SequenceNumber), shardId(1));
    await streams.deleteStream({ StreamName, EnforceConsumerDeletion: true }, caller);
    clock.advance(2000);
    await streams.createStream({ StreamName, ShardCount: 2 }, caller);
    const next = await register(harness, 'a');
    await expect(subscribe(harness, next, after(SequenceNumber), shardId(1))).rejects.toMatchObject(refusal);
  });

  test('in a shard that is not there is refused', async () => {
    const harness = await started(1);
    const a = await register(harness, 'a');
    for (const shard of [shardId(1), 'nonsense']) {
      const call = subscribe(harness, a, trimHorizon, shard);
      await expect(call).rejects.toMatchObject(code('ResourceNotFoundException'));
    }
  });
});

describe('ContinuationSequenceNumber', () => {
  test('resumes exactly behind its event, with records or without', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const a = await register(harness, 'a');
    const texts = names(100).map((text) => text.padEnd(9000));
    let position: Position = trimHorizon;
    const read: string[] = [];
    for (let i = 0; i < 5; i++) {
      // One event without records before each that has some.
      const quiet = await nextEvent(harness, await subscribe(harness, a, position));
      expect(quiet.Records).toEqual([]);
      await putAll(harness, texts.slice(i * 20, i * 20 + 20));
      clock.advance(5000);
      const reader = await subscribe(harness, a, after(quiet.ContinuationSequenceNumber));
      const [event] = (await reader.take(1)) as [SubscribeToShardEvent];
      read.push(...textsOf(event));
      clock.advance(5000);
      const rest = await subscribe(harness, a, after(event.ContinuationSequenceNumber));
      const missing = 20 * (i + 1) - read.length;
      const events = missing === 0 ? [event] : await rest.take(missing);
      if (missing > 0) read.push(...events.flatMap(textsOf));
      expect(read).toEqual(texts.slice(0, 20 * (i + 1)).map(brief));
      position = after(events.at(-1)?.ContinuationSequenceNumber);
      clock.advance(5000);
    }
  });

  test('resumes in the middle of what is stored, event by event, and behind a restart', async () => {
    const options = { disk: new MemoryDisk(), clock: new SimClock(), durability: 'fsync' } as const;
    let harness = await started(1, options);
    const a = await register(harness, 'a');
    const texts = names(90).map((text) => text.padEnd(20_000));
    await putAll(harness, texts);
    const read: string[] = [];
    for (let position: Position = trimHorizon; read.length < texts.length;) {
      const [event] = (await (await subscribe(harness, a, position)).take(1)) as [SubscribeToShardEvent];
      read.push(...textsOf(event));
      position = after(event.ContinuationSequenceNumber);
      await harness.close();
      harness = await startStreams(options);
    }
    expect(read).toEqual(texts.map(brief));
    await harness.close();
  });

  test('of an event that skipped what had expired does not lead back', async () => {
    const harness = await started(1);
    const { clock } = harness;
    const a = await register(harness, 'a');
    await putAll(harness, names(3));
    clock.advance(24 * hourMs + 1);
    const event = await nextEvent(harness, await subscribe(harness, a));
    expect(event.Records).toEqual([]);
    await put(harness, 'new');
    clock.advance(5000);
    const reader = await subscribe(harness, a, after(event.ContinuationSequenceNumber));
    expect(await reader.texts(1)).toEqual(['new']);
  });
});

test('the bytes to a consumer out of a shard are paced, and no other consumer waits for it', async () => {
  const rate = rateLimitProfile('aws')['subscription-bytes'];
  expect(rate).toBe(2_097_152);
  const harness = await started(1, { limits: { ...rateLimitProfile('off'), 'subscription-bytes': rate } });
  const { clock } = harness;
  const texts = names(120).map((text) => text.padEnd(99_999));
  await putAll(harness, texts);
  const startMs = clock.monotonic();
  for (const name of ['a', 'b']) {
    const reader = await subscribe(harness, await register(harness, name));
    const beginMs = clock.monotonic();
    const read: string[] = [];
    let pending = reader.next();
    while (read.length < texts.length) {
      if (!(await isSettled(pending))) {
        clock.advance(50);
        continue;
      }
      const event = (await pending) as SubscribeToShardEvent;
      read.push(...textsOf(event));
      // A second's worth at once, and one event may be ahead.
      const allowed = rate * (1 + (clock.monotonic() - beginMs) / 1000) + sizes.eventBytesMax;
      expect(read.length * 100_000).toBeLessThanOrEqual(allowed);
      pending = reader.next();
    }
    expect(read).toEqual(texts.map(brief));
    // 12 MB, of which 2 MiB at once: at 2 MiB a second.
    const tookMs = clock.monotonic() - beginMs;
    expect(tookMs).toBeGreaterThan(4500);
    expect(tookMs).toBeLessThan(5500);
    await reader.cancel();
  }
  expect(clock.monotonic() - startMs).toBeLessThan(11_000);
});

test('a subscriber that asks late gets everything, once and in order', async () => {
  const harness = await started(1);
  const reader = await subscribe(harness, await register(harness, 'a'), latest);
  const eager = await subscribe(harness, await register(harness, 'b'), latest);
  const texts = names(50);
  for (const text of texts) {
    await put(harness, text);
    expect(await eager.texts(1)).toEqual([text]);
    harness.clock.advance(5000);
  }
  expect(await reader.texts(50)).toEqual(texts);
});
