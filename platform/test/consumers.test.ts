import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../src/kernel/memory-disk.ts';
import type { Consumer } from '../src/model/index.ts';
import { rateLimitProfile } from '../src/streams/limits.ts';
import { SimClock } from '../../testing/src/sim-clock.ts';
import { caller, startStreams, type StreamsHarness } from '../../testing/src/streams-harness.ts';
import { brief, code, put, register, started, StreamARN, StreamName, subscribe } from './fan-out-fixture.ts';

/** Registered consumers of enhanced fan-out; what they read is in fan-out.test.ts. */
const aws = rateLimitProfile('aws');

function statusOf({ streams }: StreamsHarness, { ConsumerARN }: Consumer): Promise<string> {
  return streams
    .describeStreamConsumer({ ConsumerARN }, caller)
    .then(({ ConsumerDescription: { ConsumerStatus: status } }) => status);
}

async function namesOf({ streams }: StreamsHarness): Promise<string[]> {
  const { Consumers = [] } = await streams.listStreamConsumers({ StreamARN }, caller);
  return Consumers.map(({ ConsumerName }) => ConsumerName).sort();
}

async function tagsOf({ streams }: StreamsHarness, ResourceARN: string): Promise<Record<string, string | undefined>> {
  const { Tags = [] } = await streams.listTagsForResource({ ResourceARN }, caller);
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
}

const numbered = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key ${i}`, `${i}`]));

describe('RegisterStreamConsumer', () => {
  test('gives a consumer that is found by its ARN and by its name', async () => {
    const harness = await started(1);
    const { streams, clock } = harness;
    const nowMs = clock.now();
    const consumer = await register(harness, 'billing');
    expect(consumer).toEqual({
      ConsumerName: 'billing',
      ConsumerARN: `${StreamARN}/consumer/billing:${Math.floor(nowMs / 1000)}`,
      ConsumerStatus: 'ACTIVE',
      ConsumerCreationTimestamp: nowMs,
    });
    const { ConsumerARN } = consumer;
    clock.advance(7000);
    for (const reference of [
      { ConsumerARN },
      { StreamARN, ConsumerName: 'billing' },
      { ConsumerARN, StreamARN, ConsumerName: 'billing' },
    ]) {
      const { ConsumerDescription } = await streams.describeStreamConsumer(reference, caller);
      expect(ConsumerDescription).toEqual({ ...consumer, StreamARN });
    }
    const { StreamDescriptionSummary: summary } = await streams.describeStreamSummary({ StreamName }, caller);
    expect(summary.ConsumerCount).toBe(1);
  });

  test('of a name in use is refused, of two at once one', async () => {
    const harness = await started(1);
    const outcomes = await Promise.allSettled([register(harness, 'a'), register(harness, 'a')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: code('ResourceInUseException') });
    await expect(register(harness, 'a')).rejects.toMatchObject(code('ResourceInUseException'));
    expect(await namesOf(harness)).toEqual(['a']);
    // Another stream has names of its own.
    await harness.streams.createStream({ StreamName: 'other', ShardCount: 1 }, caller);
    const other = StreamARN.replace(StreamName, 'other');
    await harness.streams.registerStreamConsumer({ StreamARN: other, ConsumerName: 'a' }, caller);
  });

  test('of a stream that is not there, or not ready, is refused', async () => {
    const harness = await startStreams({ lifecycleDelayMs: 1000 });
    await expect(register(harness, 'a')).rejects.toMatchObject(code('ResourceNotFoundException'));
    await harness.streams.createStream({ StreamName, ShardCount: 1 }, caller);
    await expect(register(harness, 'a')).rejects.toMatchObject(code('ResourceInUseException'));
    await expect(harness.streams.listStreamConsumers({ StreamARN }, caller)).rejects.toMatchObject(
      code('ResourceInUseException'),
    );
    harness.clock.advance(1000);
    await register(harness, 'a');
  });

  test('again after deregistration gives another ARN, also in the same second, and the old one stays unknown', async () => {
    const harness = await started(1);
    const { streams } = harness;
    const arns = new Set<string>();
    let last: Consumer | undefined;
    for (let i = 0; i < 4; i++) {
      const consumer = await register(harness, 'a');
      arns.add(consumer.ConsumerARN);
      expect(arns.size).toBe(i + 1);
      if (last !== undefined) {
        const { ConsumerARN } = last;
        const unknown = code('ResourceNotFoundException');
        await expect(streams.describeStreamConsumer({ ConsumerARN }, caller)).rejects.toMatchObject(unknown);
        await expect(streams.deregisterStreamConsumer({ ConsumerARN }, caller)).rejects.toMatchObject(unknown);
        await expect(streams.listTagsForResource({ ResourceARN: ConsumerARN }, caller)).rejects.toMatchObject(unknown);
        await expect(subscribe(harness, last)).rejects.toMatchObject(unknown);
      }
      last = consumer;
      await streams.deregisterStreamConsumer({ StreamARN, ConsumerName: 'a' }, caller);
    }
  });

  test('twenty consumers of a stream, no more', async () => {
    const limits = { ...rateLimitProfile('off'), 'stream-consumers': aws['stream-consumers'] };
    const harness = await started(1, { limits });
    for (let i = 1; i <= 19; i++) await register(harness, `c${i}`);
    await register(harness, 'c20');
    await expect(register(harness, 'c21')).rejects.toMatchObject(code('LimitExceededException'));
    expect(await namesOf(harness)).toHaveLength(20);
    await harness.streams.deregisterStreamConsumer({ StreamARN, ConsumerName: 'c7' }, caller);
    await register(harness, 'c21');
    await expect(register(harness, 'c22')).rejects.toMatchObject(code('LimitExceededException'));
  });

  test('five consumers in state CREATING at once, no more', async () => {
    const limits = { ...rateLimitProfile('off'), 'stream-creating-consumers': aws['stream-creating-consumers'] };
    const harness = await started(1, { limits, lifecycleDelayMs: 1000 });
    for (let i = 1; i <= 4; i++) await register(harness, `c${i}`);
    await register(harness, 'c5');
    await expect(register(harness, 'c6')).rejects.toMatchObject(code('LimitExceededException'));
    harness.clock.advance(999);
    await expect(register(harness, 'c6')).rejects.toMatchObject(code('LimitExceededException'));
    harness.clock.advance(1);
    for (let i = 6; i <= 10; i++) await register(harness, `c${i}`);
    await expect(register(harness, 'c11')).rejects.toMatchObject(code('LimitExceededException'));
  });
});

describe('references to a consumer', () => {
  const by = ['describeStreamConsumer', 'deregisterStreamConsumer'] as const;
  const ConsumerARN = `${StreamARN}/consumer/a:1700000000`;

  test.each([
    {},
    { ConsumerName: 'a' },
    { StreamARN },
    { ConsumerARN, ConsumerName: 'b' },
    { ConsumerARN, StreamARN: `${StreamARN}s` },
  ])('%o is too little or contradicts itself', async (reference) => {
    const harness = await started(1);
    expect((await register(harness, 'a')).ConsumerARN).toBe(ConsumerARN);
    await register(harness, 'b');
    await harness.streams.createStream({ StreamName: `${StreamName}s`, ShardCount: 1 }, caller);
    for (const operation of by) {
      await expect(harness.streams[operation](reference, caller)).rejects.toMatchObject(
        code('InvalidArgumentException'),
      );
    }
    expect(await namesOf(harness)).toEqual(['a', 'b']);
  });

  test.each([
    { ConsumerARN: `${StreamARN}/consumer/none:1700000000` },
    { ConsumerARN: `${StreamARN}/consumer/a:1700000001` },
    { ConsumerARN: `${StreamARN}s/consumer/a:1700000000` },
    { StreamARN, ConsumerName: 'none' },
    { StreamARN: `${StreamARN}s`, ConsumerName: 'a' },
  ])('%o is not found', async (reference) => {
    const harness = await started(1);
    expect((await register(harness, 'a')).ConsumerARN).toBe(ConsumerARN);
    const unknown = code('ResourceNotFoundException');
    for (const operation of by) {
      await expect(harness.streams[operation](reference, caller)).rejects.toMatchObject(unknown);
    }
    if (reference.ConsumerARN === undefined) return;
    await expect(subscribe(harness, { ConsumerARN: reference.ConsumerARN })).rejects.toMatchObject(unknown);
    const resource = { ResourceARN: reference.ConsumerARN };
    await expect(harness.streams.listTagsForResource(resource, caller)).rejects.toMatchObject(unknown);
    await expect(harness.streams.tagResource({ ...resource, Tags: { a: 'b' } }, caller)).rejects.toMatchObject(unknown);
  });
});

describe('ListStreamConsumers', () => {
  test('gives pages until all have been named once', async () => {
    const harness = await started(1);
    const { streams } = harness;
    expect((await streams.listStreamConsumers({ StreamARN }, caller)).Consumers).toEqual([]);
    const registered: Consumer[] = [];
    for (const name of ['e', 'b', 'a', 'd', 'c', 'g', 'f']) registered.push(await register(harness, name));
    for (const MaxResults of [1, 3, 6, 7, 8]) {
      const listed: Consumer[] = [];
      let NextToken: string | undefined;
      let pages = 0;
      do {
        const input = { StreamARN, MaxResults, ...(NextToken !== undefined && { NextToken }) };
        const page = await streams.listStreamConsumers(input, caller);
        expect(page.Consumers?.length).toBeLessThanOrEqual(MaxResults);
        listed.push(...(page.Consumers ?? []));
        ({ NextToken } = page);
        expect(++pages).toBeLessThan(10);
      } while (NextToken !== undefined);
      const byName = (a: Consumer, b: Consumer): number => (a.ConsumerName < b.ConsumerName ? -1 : 1);
      expect(listed.sort(byName)).toEqual(registered.sort(byName));
      expect(pages).toBe(Math.ceil(7 / MaxResults));
    }
  });

  test('refuses a token that is altered, of another kind or older than five minutes', async () => {
    const harness = await started(2);
    const { streams, clock } = harness;
    for (const name of ['a', 'b', 'c']) await register(harness, name);
    const { NextToken = '' } = await streams.listStreamConsumers({ StreamARN, MaxResults: 1 }, caller);
    const shards = await streams.listShards({ StreamName, MaxResults: 1 }, caller);
    const altered = `${NextToken.slice(0, 20)}${NextToken[20] === 'A' ? 'B' : 'A'}${NextToken.slice(21)}`;
    for (const token of ['x', altered, shards.NextToken as string]) {
      const call = streams.listStreamConsumers({ StreamARN, NextToken: token }, caller);
      await expect(call).rejects.toMatchObject(code('InvalidArgumentException'));
    }
    clock.advance(300_000);
    expect((await streams.listStreamConsumers({ StreamARN, NextToken }, caller)).Consumers).toHaveLength(2);
    clock.advance(1);
    const late = streams.listStreamConsumers({ StreamARN, NextToken }, caller);
    await expect(late).rejects.toMatchObject(code('ExpiredNextTokenException'));
  });

  test('of a stream that is not there is refused', async () => {
    const { streams } = await startStreams();
    const call = streams.listStreamConsumers({ StreamARN }, caller);
    await expect(call).rejects.toMatchObject(code('ResourceNotFoundException'));
  });
});

describe('states', () => {
  test('take their delay: CREATING before ACTIVE, DELETING before gone', async () => {
    const harness = await started(1, { lifecycleDelayMs: 1000 });
    const { streams, clock } = harness;
    const consumer = await register(harness, 'a');
    expect(consumer.ConsumerStatus).toBe('CREATING');
    clock.advance(999);
    expect(await statusOf(harness, consumer)).toBe('CREATING');
    await expect(subscribe(harness, consumer)).rejects.toMatchObject(code('ResourceInUseException'));
    clock.advance(1);
    expect(await statusOf(harness, consumer)).toBe('ACTIVE');
    await (await subscribe(harness, consumer)).cancel();
    const { ConsumerARN } = consumer;
    await streams.deregisterStreamConsumer({ ConsumerARN }, caller);
    clock.advance(999);
    expect(await statusOf(harness, consumer)).toBe('DELETING');
    const { Consumers } = await streams.listStreamConsumers({ StreamARN }, caller);
    expect(Consumers).toEqual([{ ...consumer, ConsumerStatus: 'DELETING' }]);
    // Its name is in use until it is gone.
    await expect(register(harness, 'a')).rejects.toMatchObject(code('ResourceInUseException'));
    clock.advance(5000);
    await expect(statusOf(harness, consumer)).rejects.toMatchObject(code('ResourceNotFoundException'));
    expect(await namesOf(harness)).toEqual([]);
    expect((await register(harness, 'a')).ConsumerStatus).toBe('CREATING');
  });

  test('and a consumer being deregistered takes no subscription', async () => {
    const harness = await started(1, { lifecycleDelayMs: 1000 });
    const consumer = await register(harness, 'a');
    harness.clock.advance(1000);
    await harness.streams.deregisterStreamConsumer({ StreamARN, ConsumerName: 'a' }, caller);
    await expect(subscribe(harness, consumer)).rejects.toMatchObject(code('ResourceInUseException'));
  });
});

test.each([
  ['from the journal', {}],
  ['from a checkpoint', { fileBytes: 64 * 1024, firstFileBytes: 64 * 1024, flushBytes: 8 * 1024, reserveBytes: 0 }],
])('consumers, their states and their tags survive a restart, %s', async (_, engine) => {
  const disk = new MemoryDisk();
  const clock = new SimClock();
  const options = { disk, clock, engine, durability: 'fsync', lifecycleDelayMs: 10_000 } as const;
  let harness = await started(1, options);
  const kept = await register(harness, 'kept', { team: 'red', stage: 'one' });
  const gone = await register(harness, 'gone');
  clock.advance(10_000);
  await harness.streams.tagResource({ ResourceARN: kept.ConsumerARN, Tags: { stage: 'two' } }, caller);
  await harness.streams.deregisterStreamConsumer({ ConsumerARN: gone.ConsumerARN }, caller);
  const young = await register(harness, 'young');
  for (let i = 0; i < 40; i++) await put(harness, `${i}`.padEnd(8000));
  for (let i = 0; i < 2; i++) {
    await harness.close();
    harness = await startStreams(options);
    expect(await statusOf(harness, kept)).toBe('ACTIVE');
    expect(await statusOf(harness, young)).toBe('CREATING');
    expect(await statusOf(harness, gone)).toBe('DELETING');
    expect(await tagsOf(harness, kept.ConsumerARN)).toEqual({ team: 'red', stage: 'two' });
    const reference = { ConsumerARN: kept.ConsumerARN };
    const { ConsumerDescription } = await harness.streams.describeStreamConsumer(reference, caller);
    expect(ConsumerDescription).toEqual({ ...kept, ConsumerStatus: 'ACTIVE', StreamARN });
  }
  const reader = await subscribe(harness, kept);
  expect(await reader.texts(40)).toEqual(Array.from({ length: 40 }, (__, i) => brief(`${i}`.padEnd(8000))));
  clock.advance(10_000);
  expect(await namesOf(harness)).toEqual(['kept', 'young']);
  expect(await statusOf(harness, young)).toBe('ACTIVE');
  expect((await register(harness, 'gone')).ConsumerARN).not.toBe(gone.ConsumerARN);
  await harness.close();
});

test('a deregistration is remembered by the next registration of the name, also across a restart in the same second', async () => {
  const options = { disk: new MemoryDisk(), clock: new SimClock(), durability: 'fsync' } as const;
  const before = await started(1, options);
  const { ConsumerARN } = await register(before, 'a');
  await before.streams.deregisterStreamConsumer({ ConsumerARN }, caller);
  await before.close();
  const harness = await startStreams(options);
  expect((await register(harness, 'a')).ConsumerARN).not.toBe(ConsumerARN);
  await harness.close();
});

describe('DeleteStream', () => {
  test.each([{}, { EnforceConsumerDeletion: false }])('with %o is refused while there are consumers', async (how) => {
    const harness = await started(1);
    await register(harness, 'a');
    const remove = (): Promise<void> => harness.streams.deleteStream({ StreamName, ...how }, caller);
    await expect(remove()).rejects.toMatchObject(code('ResourceInUseException'));
    expect(await namesOf(harness)).toEqual(['a']);
    await put(harness, 'still here');
    await harness.streams.deregisterStreamConsumer({ StreamARN, ConsumerName: 'a' }, caller);
    await remove();
  });

  test('with EnforceConsumerDeletion takes the consumers with it', async () => {
    const harness = await started(1);
    const { streams, clock } = harness;
    const consumer = await register(harness, 'a');
    await streams.deleteStream({ StreamName, EnforceConsumerDeletion: true }, caller);
    await expect(statusOf(harness, consumer)).rejects.toMatchObject(code('ResourceNotFoundException'));
    clock.advance(2000);
    await streams.createStream({ StreamName, ShardCount: 1 }, caller);
    expect(await namesOf(harness)).toEqual([]);
    expect((await register(harness, 'a')).ConsumerARN).not.toBe(consumer.ConsumerARN);
    await expect(statusOf(harness, consumer)).rejects.toMatchObject(code('ResourceNotFoundException'));
  });
});

describe('tags of a consumer', () => {
  test('are given, changed and taken away apart from those of its stream and of other consumers', async () => {
    const harness = await started(1);
    const { streams } = harness;
    const a = await register(harness, 'a', { colour: 'red', size: '' });
    const b = await register(harness, 'b');
    expect(await tagsOf(harness, a.ConsumerARN)).toEqual({ colour: 'red', size: '' });
    await streams.tagResource({ ResourceARN: a.ConsumerARN, Tags: { colour: 'blue', shape: 'round' } }, caller);
    await streams.tagResource({ ResourceARN: b.ConsumerARN, Tags: { own: 'b' } }, caller);
    await streams.tagResource({ ResourceARN: StreamARN, Tags: { own: 'stream' } }, caller);
    expect(await tagsOf(harness, a.ConsumerARN)).toEqual({ colour: 'blue', size: '', shape: 'round' });
    await streams.untagResource({ ResourceARN: a.ConsumerARN, TagKeys: ['size', 'shape', 'own', 'none'] }, caller);
    expect(await tagsOf(harness, a.ConsumerARN)).toEqual({ colour: 'blue' });
    expect(await tagsOf(harness, b.ConsumerARN)).toEqual({ own: 'b' });
    expect(await tagsOf(harness, StreamARN)).toEqual({ own: 'stream' });
    // A name that is given again begins without tags.
    await streams.deregisterStreamConsumer({ ConsumerARN: a.ConsumerARN }, caller);
    expect(await tagsOf(harness, (await register(harness, 'a')).ConsumerARN)).toEqual({});
  });

  test('are at most fifty', async () => {
    const harness = await started(1);
    const { streams } = harness;
    const refusal = code('InvalidArgumentException');
    await expect(register(harness, 'a', numbered(51))).rejects.toMatchObject(refusal);
    expect(await namesOf(harness)).toEqual([]);
    const { ConsumerARN: ResourceARN } = await register(harness, 'a', numbered(49));
    const tag = (Tags: Record<string, string>): Promise<void> => streams.tagResource({ ResourceARN, Tags }, caller);
    await expect(tag({ x: '1', y: '1' })).rejects.toMatchObject(refusal);
    expect(await tagsOf(harness, ResourceARN)).toEqual(numbered(49));
    await tag({ x: '1' });
    await expect(tag({ y: '1' })).rejects.toMatchObject(refusal);
    await tag({ x: '2' });
    expect(await tagsOf(harness, ResourceARN)).toEqual({ ...numbered(49), x: '2' });
    expect(Object.keys(await tagsOf(harness, (await register(harness, 'b', numbered(50))).ConsumerARN))).toHaveLength(
      50,
    );
  });

  test.each([{ 'aws:x': 'y' }, { 'a!': 'y' }, { a: '#' }])('%o are refused', async (Tags) => {
    const harness = await started(1);
    const refusal = code('InvalidArgumentException');
    await expect(register(harness, 'a', Tags)).rejects.toMatchObject(refusal);
    const { ConsumerARN: ResourceARN } = await register(harness, 'a');
    await expect(harness.streams.tagResource({ ResourceARN, Tags } as never, caller)).rejects.toMatchObject(refusal);
    expect(await tagsOf(harness, ResourceARN)).toEqual({});
  });
});

test('a consumer of a stream that was made anew within the same second has another ARN', async () => {
  const harness = await started(1);
  const before = await register(harness, 'a');
  await harness.streams.deleteStream({ StreamName, EnforceConsumerDeletion: true }, caller);
  await harness.streams.createStream({ StreamName, ShardCount: 1 }, caller);
  expect((await register(harness, 'a')).ConsumerARN).not.toBe(before.ConsumerARN);
});
