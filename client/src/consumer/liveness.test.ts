import { describe, expect, test } from 'vitest';
import type { Handler } from './consumer.ts';
import type { LeaseStore } from './leases/lease.ts';
import type { ConsumerRecord } from './record.ts';
import { named } from './testing/fake-stream.ts';
import { Harness } from './testing/harness.ts';

const never = new Promise<never>(() => undefined);

/** A store some of whose calls fail. */
function failing(leases: LeaseStore, fails: (call: string, args: readonly unknown[]) => boolean): LeaseStore {
  return new Proxy<LeaseStore>(leases, {
    get(store, name) {
      const value: unknown = Reflect.get(store, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) =>
        fails(String(name), args) ? Promise.reject(new Error('refused')) : (value.apply(store, args) as unknown);
    },
  });
}

describe('a close ends within handOverMs', () => {
  const handlers = (onSignal: () => void): Record<'each' | 'batch', Handler> => {
    const stay = ({ signal }: { readonly signal: AbortSignal }): Promise<never> => {
      signal.addEventListener('abort', onSignal);
      return never;
    };
    return { each: { each: (_, context) => stay(context) }, batch: { batch: stay } };
  };
  const cases = (['each', 'batch'] as const).flatMap((form) =>
    [{}, { bufferBytesMax: 1 }].flatMap((settings) =>
      [false, true].map((isClosedShard) => ({ form, settings, isClosedShard })),
    ),
  );

  test.each(cases)('when the handler does not return: %j', async ({ form, settings, isClosedShard }) => {
    const harness = new Harness();
    const { stream, timing } = harness;
    for (let i = 0; i < 3; i++) stream.put('p', `${i}`);
    if (isClosedShard) stream.split(stream.openShards[0] as never);
    let isTold = false;
    const consumer = await harness.open({ handOverMs: 5000, ...settings });
    void consumer.run(handlers(() => (isTold = true))[form]);
    await timing.pass(2000);
    let isClosed = false;
    void consumer.close().then(() => (isClosed = true));
    await timing.pass(4500);
    expect([isTold, isClosed]).toEqual([false, false]);
    await timing.pass(2000);
    expect([isTold, isClosed]).toEqual([true, true]);
  });

  test('when the leases of children cannot be made', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    stream.put('p', 'x');
    const isOfChild = ([lease]: readonly unknown[]): boolean =>
      (lease as { parentShardIds: readonly string[] }).parentShardIds.length > 0;
    const leases = failing(harness.leases, (call, args) => call === 'create' && isOfChild(args));
    const consumer = await harness.open({ leases, handOverMs: 1000 });
    void consumer.run({ each: harness.collect });
    await timing.pass(2000);
    stream.split(stream.openShards[0] as never);
    await timing.pass(5000);
    await harness.close(consumer);
    expect(await harness.leases.list()).toMatchObject([
      { owner: undefined, checkpoint: { sequenceNumber: expect.stringMatching(/^\d+$/) as string } },
    ]);
  });
});

test('a shard whose handler goes on without the lease is free for other workers', async () => {
  const harness = new Harness(4);
  const { stream, timing, leases } = harness;
  for (let i = 0; i < 64; i++) stream.put(`k${i}`, `${i}`);
  let isDown = false;
  let hung: string | undefined;
  const first = await harness.open({ leases: failing(leases, () => isDown), worker: 'first' });
  void first.run({ each: (_, { shardId }) => (shardId === (hung ??= shardId) ? never : undefined) });
  await timing.pass(3000);
  // So long that its leases are lost, and too short for others to take them.
  isDown = true;
  await timing.pass(1900);
  isDown = false;
  await timing.pass(500);
  const taken = new Set<string>();
  const second = await harness.open({ worker: 'second' });
  void second.run({ each: (_: ConsumerRecord, { shardId }) => void taken.add(shardId) });
  await timing.pass(10_000);
  expect(taken).toContain(hung);
  await harness.close(second);
  await harness.close(first);
});

test('what comes while reading begins anew is read, from a lease that says LATEST and not when', async () => {
  const harness = new Harness();
  const { stream, timing, leases } = harness;
  await leases.open('a');
  const hashKeyRange = { start: '0'.repeat(32), end: 'f'.repeat(32) };
  const checkpoint = { sequenceNumber: 'LATEST', subSequenceNumber: 0 };
  await leases.create({ shardId: 'shard-0', parentShardIds: [], checkpoint, hashKeyRange });
  stream.put('p', 'before');
  await timing.pass(1);
  stream.fateOf = (call) => (call === 'registerConsumer' ? named('AccessDeniedException') : 'good');
  const consumer = await harness.open({ retrieval: 'fan-out', startAt: 'LATEST' });
  void consumer.run({ each: harness.collect });
  await timing.pass(1500);
  const register = stream.registerConsumer.bind(stream);
  let tries = 0;
  stream.registerConsumer = (...args) => {
    if (tries++ < 3) stream.put('p', `${tries}`);
    return register(...args);
  };
  await timing.pass(120_000);
  expect(harness.seen).toEqual(['p 1', 'p 2', 'p 3']);
  await harness.close(consumer);
});
