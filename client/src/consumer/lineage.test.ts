import { describe, expect, it } from 'vitest';
import type { Lease, LeaseStore } from './leases/lease.ts';
import { MemoryLeaseStore } from './leases/memory.ts';
import type { FakeStream } from './testing/fake-stream.ts';
import { Harness } from './testing/harness.ts';

const splitFirst = (stream: FakeStream): void => stream.split(stream.openShards[0] as FakeStream['shards'][0]);

describe('what comes after a shard', () => {
  it('is read from its beginning when the end of the shard does not tell of it', async () => {
    const harness = new Harness(1);
    const { stream, timing } = harness;
    const getRecords = stream.getRecords.bind(stream);
    stream.getRecords = async (...args) => ({ ...(await getRecords(...args)), children: [] });
    const consumer = await harness.open({ startAt: 'LATEST', auditMs: 60_000 });
    void consumer.run({ each: harness.collect });
    await timing.pass(1000);
    stream.put('p', 'before');
    await timing.pass(2000);
    splitFirst(stream);
    stream.put('p', 'after');
    await timing.pass(5000);
    expect(harness.seen).toEqual(['p before', 'p after']);
    await harness.close(consumer);
  });

  it.each(['LATEST', 'TRIM_HORIZON'] as const)(
    'is read from its beginning when all that was between has gone from the stream: %s',
    async (startAt) => {
      const harness = new Harness(1);
      const { stream, timing } = harness;
      const first = await harness.open({ startAt });
      void first.run({ each: harness.collect });
      await timing.pass(1000);
      stream.put('p', 'one');
      await timing.pass(3000);
      await harness.close(first);
      // Each of its children has been split as well, and both have gone with it.
      splitFirst(stream);
      splitFirst(stream);
      stream.split(stream.openShards.at(-1) as FakeStream['shards'][0]);
      const kept = ['a', 'b', 'c', 'd', 'e'];
      for (const key of kept) stream.put(key, 'kept');
      stream.shards.splice(0, 3);
      const second = await harness.open({ startAt });
      void second.run({ each: harness.collect });
      await timing.pass(300_000);
      await harness.close(second);
      expect(harness.seen.toSorted()).toEqual([...kept.map((key) => `${key} kept`), 'p one']);
    },
  );

  it('is read at once when listings of the leases are old', async () => {
    const harness = new Harness(1);
    const { stream, timing } = harness;
    // Generations that have ended, as in a stream that has been scaled up: each shard is read a moment after its lease is made.
    for (let i = 0; i < 3; i++) splitFirst(stream);
    for (let i = 0; i < 50; i++) stream.put(`key-${i}`, 'x');
    const ages = [600, 0, 300];
    let lists = 0;
    const ageMs = (): number => ages[lists++ % ages.length] as number;
    const leases = listedLate(new MemoryLeaseStore(), { now: () => timing.now(), ageMs });
    const consumer = await harness.open({ leases });
    void consumer.run({ each: harness.collect });
    await timing.pass(15_000);
    expect(harness.seen).toHaveLength(50);
    await harness.close(consumer);
  });
});

it.each([
  ['that other programs have made without ranges', undefined],
  ['of ours', { start: '0'.repeat(32), end: 'f'.repeat(32) }],
])('leases that nobody needs are deleted where there are leases %s', async (_whose, hashKeyRange) => {
  const harness = new Harness(1);
  const { leases, stream, timing } = harness;
  const shardId = stream.openShards[0]?.shardId as string;
  const checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 };
  await leases.open('a');
  await leases.create({ shardId, checkpoint, parentShardIds: ['gone'], hashKeyRange });
  const ended = { shardId: 'gone', checkpoint, parentShardIds: [], hashKeyRange: undefined };
  await leases.create(ended);
  const [gone] = (await leases.list()).filter((lease) => lease.shardId === 'gone') as [Lease];
  const held = (await leases.take(gone, 'w')) as Lease;
  await leases.checkpoint(held, { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 }, [shardId]);
  const consumer = await harness.open({ leases: reopened(leases), auditMs: 10_000 });
  void consumer.run({ each: harness.collect });
  stream.put('p', 'x');
  await timing.pass(60_000);
  expect((await leases.list()).map((lease) => lease.shardId)).toEqual([shardId]);
  await harness.close(consumer);
});

it('a close while the end of a shard is being written leaves no timer', async () => {
  const harness = new Harness(1);
  const { leases, stream, timing } = harness;
  const checkpoint = leases.checkpoint.bind(leases);
  let isEnding = false;
  leases.checkpoint = async (held, at, children) => {
    if (at.sequenceNumber === 'SHARD_END') {
      isEnding = true;
      await new Promise<void>((resolve) => void timing.after(50, resolve));
    }
    return checkpoint(held, at, children);
  };
  // What keeps no process alive is no matter.
  timing.later = timing.after.bind(timing);
  const consumer = await harness.open();
  void consumer.run({ each: harness.collect });
  await timing.pass(500);
  stream.put('p', 'x');
  splitFirst(stream);
  while (!isEnding) await timing.pass(5);
  const timers = new Set<object>();
  const after = timing.after.bind(timing);
  timing.after = (ms, call) => {
    const timer = { ms };
    timers.add(timer);
    const cancel = after(ms, () => {
      timers.delete(timer);
      call();
    });
    return () => {
      timers.delete(timer);
      cancel();
    };
  };
  const closing = consumer.close();
  await timing.pass(3000);
  await closing;
  expect([...timers]).toEqual([]);
});

/** May be opened although it is. */
function reopened(store: LeaseStore): LeaseStore {
  store.open = () => Promise.resolve();
  return store;
}

/** As an eventually consistent table: what is listed is as old as `ageMs` says, unless it is to be fresh. */
function listedLate(inner: LeaseStore, { now, ageMs }: { now: () => number; ageMs: () => number }): LeaseStore {
  const history: Array<{ atMs: number; leases: readonly Lease[] }> = [];
  const noted = async <Result>(call: Promise<Result>): Promise<Result> => {
    const result = await call;
    history.push({ atMs: now(), leases: await inner.list() });
    return result;
  };
  return {
    failoverMs: 10_000,
    open: (...args) => inner.open(...args),
    async list(options) {
      if (options?.isFresh === true) return inner.list();
      const asOfMs = now() - ageMs();
      return history.findLast(({ atMs }) => atMs <= asOfMs)?.leases ?? [];
    },
    create: (...args) => noted(inner.create(...args)),
    renew: (...args) => noted(inner.renew(...args)),
    take: (...args) => noted(inner.take(...args)),
    ask: (...args) => noted(inner.ask(...args)),
    checkpoint: (...args) => noted(inner.checkpoint(...args)),
    release: (...args) => noted(inner.release(...args)),
    delete: (...args) => noted(inner.delete(...args)),
    close: () => inner.close(),
  };
}
