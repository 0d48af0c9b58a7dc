import { KinesisClient } from '@aws-sdk/client-kinesis';
import { expect, it } from 'vitest';
import { ManualTiming, settled } from '../testing/manual-timing.ts';
import { type KinesisCalls, type PutEntry, type PutResult, sdkCalls } from './calls.ts';
import { Producer, type ProducerSettings, type PutError, type Ticket } from './index.ts';
import { FakeKinesis, named } from './testing/fake-kinesis.ts';

interface Ground {
  readonly producer: Producer;
  readonly kinesis: FakeKinesis;
  readonly letters: FakeKinesis;
  readonly timing: ManualTiming;
}

async function open(settings: ProducerSettings = {}, shards = 1): Promise<Ground> {
  const timing = new ManualTiming();
  const kinesis = new FakeKinesis(timing, shards);
  const letters = new FakeKinesis(timing, 1);
  const callsOf = (stream: string): FakeKinesis => (stream === 'letters' ? letters : kinesis);
  return {
    producer: await Producer.openOn({ callsOf, timing }, { stream: 's', ...settings }),
    kinesis,
    letters,
    timing,
  };
}

/** `put`, the code of the error, or undefined while neither is known. */
function outcomeOf({ acknowledged }: Ticket): { now: string | undefined } {
  const outcome: { now: string | undefined } = { now: undefined };
  acknowledged.then(
    () => (outcome.now = 'put'),
    (error: unknown) => (outcome.now = (error as PutError).code),
  );
  return outcome;
}

it('a record that waited for room is as old as its acceptance', async () => {
  const { producer, kinesis, timing } = await open({ bufferBytesMax: 1000, recordTtlMs: 300, lingerMs: 1 });
  const put = kinesis.putRecords.bind(kinesis);
  const first = Promise.withResolvers<void>();
  kinesis.putRecords = async (entries: readonly PutEntry[], signal: AbortSignal): Promise<PutResult[]> => {
    if (kinesis.calls.length === 0) await first.promise;
    return put(entries, signal);
  };
  await producer.put({ partitionKey: 'a', data: Buffer.alloc(300) });
  await timing.pass(400);
  const outcomes = ['b', 'c'].map((partitionKey) => producer.put({ partitionKey, data: 'x' }).then(outcomeOf));
  // In the same turn of the event loop as the puts.
  first.resolve();
  await timing.pass(100);
  expect((await Promise.all(outcomes)).map(({ now }) => now)).toEqual(['put', 'put']);
});

it.each([{ isAggregating: false }, { isAggregating: false, recordTtlMs: Infinity }, {}])(
  'what comes long after calls have failed one after the other goes at once: %j',
  async (settings) => {
    const { producer, kinesis, timing } = await open(settings);
    const record = { partitionKey: 'p', data: Buffer.alloc(60_000) };
    kinesis.fateOf = (entry) => (entry === undefined ? named('AccessDeniedException') : 'good');
    for (let i = 0; i < 5; i++) {
      outcomeOf(await producer.put(record));
      await timing.pass(1000);
    }
    kinesis.fateOf = () => 'good';
    await timing.pass(60_000);
    const outcome = outcomeOf(await producer.put(record));
    await timing.pass(200);
    expect(outcome.now).toBe('put');
  },
);

it('a record that gets the room of others that have just expired goes', async () => {
  const { producer, kinesis, timing } = await open({ bufferBytesMax: 1500 });
  kinesis.fateOf = () => (timing.now() < 31_000 ? 'throttled' : 'good');
  const outcomes = ['a', 'b', 'c'].map(async (partitionKey) =>
    outcomeOf(await producer.put({ partitionKey, data: 'x' })),
  );
  await timing.pass(60_000);
  expect((await Promise.all(outcomes)).map(({ now }) => now)).toEqual(['Expired', 'Expired', 'put']);
});

it('a call that does not hear its signal is not waited for', async () => {
  const credentials = (): Promise<never> => new Promise(() => undefined);
  const client = new KinesisClient({ region: 'us-east-1', credentials });
  const abort = new AbortController();
  const call = sdkCalls(client, 's').putRecords([], abort.signal);
  abort.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
});

it('a stream of dead letters that throttles for a while gets them all', async () => {
  const { producer, kinesis, letters, timing } = await open({ deadLetters: { stream: 'letters' } });
  kinesis.fateOf = () => named('AccessDeniedException');
  const startedMs = timing.now();
  letters.fateOf = (entry) => (entry !== undefined && timing.now() < startedMs + 800 ? 'throttled' : 'good');
  const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
  const failing = expect(ticket.acknowledged).rejects.toMatchObject({ isDeadLettered: true });
  await timing.pass(10_000);
  await failing;
});

it('a stream of dead letters that does not answer is not waited for for ever', async () => {
  const { producer, kinesis, letters, timing } = await open({ deadLetters: { stream: 'letters' } });
  kinesis.fateOf = () => named('AccessDeniedException');
  letters.putRecords = () => new Promise(() => undefined);
  const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
  const failing = expect(ticket.acknowledged).rejects.toMatchObject({ isDeadLettered: false });
  let isClosed = false;
  const closing = producer.close().then(() => (isClosed = true));
  await timing.pass(60_000);
  expect(isClosed).toBe(true);
  await Promise.all([failing, closing]);
});

it('what goes to other shards than all listings say is put again with pauses', async () => {
  const { producer, kinesis, timing } = await open({ recordTtlMs: 60_000 });
  const [listed] = kinesis.shards;
  kinesis.split(listed as never);
  kinesis.listShards = (which) => Promise.resolve(which === 'open' ? [listed as never] : kinesis.shards);
  const tickets = await Promise.all(
    Array.from({ length: 20 }, (_, i) => producer.put({ partitionKey: `${i}`, data: 'x' })),
  );
  tickets.forEach(outcomeOf);
  await timing.pass(10_000);
  expect(kinesis.calls.length).toBeLessThan(50);
  expect(kinesis.calls.length).toBeGreaterThan(2);
});

it('a stream that is made again while nothing is put is put to as it is then', async () => {
  const timing = new ManualTiming();
  let kinesis = new FakeKinesis(timing, 1);
  const calls: KinesisCalls = {
    putRecords: (entries, signal) => kinesis.putRecords(entries, signal),
    listShards: (which) => kinesis.listShards(which),
  };
  const producer = await Producer.openOn({ callsOf: () => calls, timing }, { stream: 's' });
  await timing.pass(60_000);
  kinesis = new FakeKinesis(timing, 2);
  const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
  await Promise.all(keys.map((partitionKey) => producer.put({ partitionKey, data: 'x' })));
  await timing.pass(1000);
  expect(producer.metrics()).toMatchObject({ UserRecordsPending: 0, KinesisRecordsPut: 2 });
  const consumed = kinesis.consumed().flat();
  expect(consumed.map(({ partitionKey }) => partitionKey).toSorted()).toEqual(keys.toSorted());
});

it('putAll hears its signal to the end', async () => {
  const { producer, kinesis, timing } = await open();
  kinesis.fateOf = () => 'throttled';
  const leave = new AbortController();
  const failing = expect(producer.putAll([{ partitionKey: 'p', data: 'x' }], { signal: leave.signal })).rejects.toThrow(
    'enough',
  );
  await timing.pass(1000);
  leave.abort(new Error('enough'));
  await settled();
  await failing;
});

it('the order of keys holds while shards change and cannot be listed', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomOf(seed);
    const settings = { ordering: 'perKey', recordTtlMs: Infinity, aggregateBytesMax: 200, lingerMs: 20 } as const;
    const { producer, kinesis, timing } = await open({ ...settings, callsMax: 4 }, 3);
    kinesis.delayMs = 15;
    kinesis.fateOf = (entry) => (random() > 0.05 ? 'good' : entry === undefined ? 'failed' : 'throttled');
    const counts = new Map<string, number>();
    for (let step = 0; step < 60; step++) {
      for (let i = 0; i < 10; i++) {
        const partitionKey = `k${Math.floor(random() * 25)}`;
        const count = counts.get(partitionKey) ?? 0;
        counts.set(partitionKey, count + 1);
        await producer.put({ partitionKey, data: `${partitionKey} ${count}` });
      }
      if (random() < 0.12) reshard(kinesis, random());
      if (random() < 0.05) {
        kinesis.canList = false;
        timing.after(300, () => (kinesis.canList = true));
      }
      await timing.pass(Math.floor(random() * 40));
    }
    kinesis.fateOf = () => 'good';
    await timing.pass(120_000);
    const all = kinesis.consumed().flatMap((records) => records.map(({ data }) => Buffer.from(data).toString()));
    const once = [...new Set(all)];
    for (const [key, count] of counts) {
      const found = once.filter((text) => text.startsWith(`${key} `));
      expect(found).toEqual(Array.from({ length: count }, (_, number) => `${key} ${number}`));
    }
  }
});

function reshard(kinesis: FakeKinesis, random: number): void {
  const shards = kinesis.openShards;
  const at = Math.floor(random * shards.length);
  const [shard, next] = shards.slice(at);
  if (shards.length > 3 && shard !== undefined && next !== undefined) kinesis.merge(shard, next);
  else if (shard !== undefined) kinesis.split(shard);
}

/** Numbers from 0 to below 1, the same for each seed. */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
