import { describe, expect, test } from 'vitest';
import { AggregateBuilder, hashKeyToDecimal } from '../aggregation/index.ts';
import { InvalidArgumentError } from '../errors.ts';
import { ClosedConsumerError } from './consumer.ts';
import type { LeaseStore } from './leases/lease.ts';
import type { ConsumerRecord } from './record.ts';
import { named } from './testing/fake-stream.ts';
import { Harness } from './testing/harness.ts';

const retrievals = ['polling', 'fan-out'] as const;

function aggregateOf(keys: readonly string[], options?: { isPutAgainWhole: boolean }): Uint8Array {
  const builder = new AggregateBuilder(options);
  for (const [index, partitionKey] of keys.entries()) builder.add({ partitionKey, data: Buffer.from(String(index)) });
  return builder.finish().data;
}

describe.each(retrievals)('a consumer with %s', (retrieval) => {
  test('gives what is there and what comes, each record once, in the order of its shard', async () => {
    const harness = new Harness(2);
    for (let i = 0; i < 250; i++) harness.stream.put('a', String(i));
    const consumer = await harness.open({ retrieval });
    void consumer.run({ each: harness.collect });
    await harness.timing.pass(500);
    for (let i = 250; i < 300; i++) harness.stream.put('a', String(i));
    await harness.timing.pass(2000);
    expect(harness.seen).toEqual(Array.from({ length: 300 }, (_, i) => `a ${i}`));
    expect(consumer.metrics()).toMatchObject({ RecordsProcessed: 300, CurrentLeases: 2, MillisBehindLatest: 0 });
    await harness.close(consumer);
  });

  test('goes on behind what the one before has processed', async () => {
    const harness = new Harness();
    const first = await harness.open({ retrieval });
    const running = first.run({ each: harness.collect });
    harness.stream.put('a', '0');
    harness.stream.put('a', '1');
    await harness.timing.pass(2000);
    await harness.close(first);
    await running;
    harness.stream.put('a', '2');
    const second = await harness.open({ retrieval });
    void second.run({ each: harness.collect });
    await harness.timing.pass(2000);
    expect(harness.seen).toEqual(['a 0', 'a 1', 'a 2']);
    await harness.close(second);
  });

  test('processes parents before their children, and ends with what is open', async () => {
    const harness = new Harness(2);
    const { stream } = harness;
    for (let i = 0; i < 20; i++) stream.put(`k${i}`, '0');
    stream.split(stream.openShards[0] as never);
    for (let i = 0; i < 20; i++) stream.put(`k${i}`, '1');
    stream.merge(stream.openShards[1] as never, stream.openShards[2] as never);
    for (let i = 0; i < 20; i++) stream.put(`k${i}`, '2');
    const consumer = await harness.open({ retrieval, auditMs: 2000 });
    void consumer.run({ each: harness.collect });
    await harness.timing.pass(10_000);
    for (let i = 0; i < 20; i++) {
      expect(harness.seen.filter((each) => each.startsWith(`k${i} `))).toEqual([`k${i} 0`, `k${i} 1`, `k${i} 2`]);
    }
    expect(consumer.metrics()).toMatchObject({ ShardsEnded: 3, CurrentLeases: 2 });
    // Those of parents whose children are under way are gone.
    expect((await harness.leases.list()).map(({ shardId }) => shardId).sort()).toEqual(['shard-2', 'shard-4']);
    await harness.close(consumer);
  });

  test('starts at the end when it is told to, and children of shards that close later at their beginning', async () => {
    const harness = new Harness();
    const { stream } = harness;
    stream.put('a', 'old');
    await harness.timing.pass(1);
    const consumer = await harness.open({ retrieval, startAt: 'LATEST' });
    void consumer.run({ each: harness.collect });
    await harness.timing.pass(1500);
    stream.put('a', '0');
    stream.split(stream.openShards[0] as never);
    stream.put('a', '1');
    await harness.timing.pass(3000);
    expect(harness.seen).toEqual(['a 0', 'a 1']);
    await harness.close(consumer);
  });

  test('goes on after calls that fail or hang', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    let count = 0;
    stream.fateOf = () => (++count % 4 === 1 ? named('InternalFailure') : count % 4 === 3 ? 'hang' : 'good');
    const opening = harness.open({ retrieval, requestTimeoutMs: 1000, fanOutSilenceMs: 1000 }).catch(() => undefined);
    await timing.pass(2000);
    const consumer =
      (await opening) ?? (await harness.open({ retrieval, requestTimeoutMs: 1000, fanOutSilenceMs: 1000 }));
    void consumer.run({ each: harness.collect });
    for (let i = 0; i < 20; i++) {
      stream.put('a', String(i));
      await timing.pass(700);
    }
    await timing.pass(20_000);
    expect(harness.seen).toEqual(Array.from({ length: 20 }, (_, i) => `a ${i}`));
    await harness.close(consumer);
  });

  test('gives a lease up when nothing can be fetched, and leaves it to others for a while', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    const broken = await harness.open({
      retrieval,
      worker: 'broken',
      stallMs: 5000,
      requestTimeoutMs: 1000,
      fanOutSilenceMs: 1000,
    });
    stream.fateOf = (call) => (call === 'listShards' ? 'good' : 'hang');
    void broken.run({ each: harness.collect });
    await timing.pass(8000);
    expect(harness.typesOf('leaseTaken', 'stalled', 'leaseReleased')).toEqual([
      'leaseTaken',
      'stalled',
      'leaseReleased',
    ]);
    expect((await harness.leases.list()).map(({ owner }) => owner)).toEqual([undefined]);
    stream.fateOf = () => 'good';
    await timing.pass(6000);
    expect(harness.typesOf('leaseTaken')).toHaveLength(2);
    await harness.close(broken);
  });
});

describe('an application that starts at the end', () => {
  test('does so once: what comes to a quiet shard is given though its worker has died or failed before', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    stream.put('a', 'old');
    await timing.pass(1);
    const first = await harness.open({ startAt: 'LATEST' });
    const stop = new AbortController();
    void first.run({ each: () => Promise.reject(new Error('not yet')) }, { signal: stop.signal });
    await timing.pass(2000);
    stream.put('a', '0');
    await timing.pass(2000);
    stop.abort();
    await timing.pass(2000);
    stream.put('a', '1');
    const second = await harness.open({ startAt: 'LATEST' });
    void second.run({ each: harness.collect });
    await timing.pass(2000);
    expect(harness.seen).toEqual(['a 0', 'a 1']);
    await harness.close(second);
  });
});

describe('workers that fail in part', () => {
  test('a lease that cannot be taken does not keep the others', async () => {
    const harness = new Harness(4);
    const { stream, timing } = harness;
    const leases = new Proxy<LeaseStore>(harness.leases, {
      get(store, name) {
        const value: unknown = Reflect.get(store, name);
        if (typeof value !== 'function') return value;
        if (name !== 'take') return value.bind(store) as unknown;
        return (seen: { shardId: string }, ...rest: unknown[]) =>
          seen.shardId === 'shard-1'
            ? Promise.reject(new Error('not that'))
            : (value.call(store, seen, ...rest) as unknown);
      },
    });
    const consumer = await harness.open({ leases });
    void consumer.run({ each: harness.collect });
    for (let i = 0; i < 40; i++) stream.put(`k${i}`, '0');
    await timing.pass(3000);
    const unreachable = stream.shards[1]?.records.length ?? 0;
    expect(unreachable).toBeGreaterThan(0);
    expect(harness.seen).toHaveLength(40 - unreachable);
    await harness.close(consumer);
  });

  test('positions that are never answered keep neither the close nor the lease', async () => {
    const harness = new Harness();
    const consumer = await harness.open({ positions: { read: () => new Promise(() => undefined) }, handOverMs: 1000 });
    void consumer.run({ each: harness.collect });
    await harness.timing.pass(3000);
    await harness.close(consumer);
    expect((await harness.leases.list()).map(({ owner }) => owner)).toEqual([undefined]);
  });

  test('a worker that ends leaves nothing to itself that it had asked others for', async () => {
    const harness = new Harness(4);
    const { timing } = harness;
    const first = await harness.open({ worker: 'first' });
    void first.run({ each: harness.collect });
    await timing.pass(1000);
    const second = await harness.open({ worker: 'second' });
    void second.run({ each: harness.collect });
    await timing.pass(1); // It has asked.
    await harness.close(second);
    expect((await harness.leases.list()).map(({ owner }) => owner)).not.toContain('second');
    await harness.close(first);
  });

  test('a lease without a range, of a shard that has gone, is ended, and its children are processed', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    stream.split(stream.openShards[0] as never);
    const [gone] = stream.shards.splice(0, 1);
    stream.put('a', '0');
    const checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 };
    const lease = { shardId: gone?.shardId ?? '', checkpoint, parentShardIds: [], hashKeyRange: undefined };
    await harness.leases.create(lease);
    const consumer = await harness.open();
    void consumer.run({ each: harness.collect });
    await timing.pass(5000);
    expect(harness.seen).toEqual(['a 0']);
    expect(stream.calls.filter((call) => call === 'listShards').length).toBeLessThan(5);
    await harness.close(consumer);
  });
});

describe('fan-out', () => {
  test('polls while there is no subscription to be had', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    stream.fateOf = (call) => (call === 'registerConsumer' ? named('LimitExceededException') : 'good');
    const consumer = await harness.open({ retrieval: 'fan-out' });
    void consumer.run({ each: harness.collect });
    stream.put('a', '0');
    await timing.pass(3000);
    expect(harness.seen).toEqual(['a 0']);
    expect(harness.typesOf('fanOutFailed').length).toBeGreaterThan(0);
    stream.fateOf = () => 'good';
    await timing.pass(10_000);
    const polls = stream.calls.filter((call) => call === 'getRecords').length;
    stream.put('a', '1');
    await timing.pass(1000);
    expect(harness.seen).toEqual(['a 0', 'a 1']);
    expect(stream.calls.filter((call) => call === 'getRecords')).toHaveLength(polls);
    await harness.close(consumer);
  });
});

describe('workers of one application', () => {
  test('share the shards, and hand over without a record twice', async () => {
    const harness = new Harness(6);
    const { stream, timing, seen } = harness;
    const first = await harness.open({ worker: 'first' });
    void first.run({ each: harness.collect });
    await timing.pass(1000);
    expect(first.metrics().CurrentLeases).toBe(6);
    const second = await harness.open({ worker: 'second' });
    void second.run({ each: harness.collect });
    for (let i = 0; i < 40; i++) {
      for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) stream.put(key, String(i));
      await timing.pass(100);
    }
    await timing.pass(2000);
    expect([first.metrics().CurrentLeases, second.metrics().CurrentLeases]).toEqual([3, 3]);
    await harness.close(first);
    await timing.pass(2000);
    expect(second.metrics().CurrentLeases).toBe(6);
    expect(new Set(seen).size).toBe(280);
    expect(seen).toHaveLength(280);
    await harness.close(second);
  });

  test('a worker that cannot renew its lease stops before another may have it', async () => {
    const harness = new Harness();
    const { timing } = harness;
    let isReachable = true;
    const consumer = await harness.open({ leases: renewedWhile(harness.leases, () => isReachable) });
    let lostMs: number | undefined;
    void consumer.run({
      each: async (record, { signal }) => {
        harness.collect(record);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        lostMs = timing.now();
      },
    });
    harness.stream.put('a', '0');
    await timing.pass(2000);
    isReachable = false;
    const startedMs = timing.now();
    await timing.pass(2500);
    expect(lostMs).toBeDefined();
    expect((lostMs as number) - startedMs).toBeLessThanOrEqual(harness.leases.failoverMs);
    isReachable = true;
    await harness.close(consumer);
  });

  test.each(['each', 'batch'] as const)(
    'a worker does not take a shard again while its handler for %s goes on without the lease',
    async (form) => {
      const harness = new Harness();
      const { timing, seen } = harness;
      let isReachable = true;
      const consumer = await harness.open({ leases: renewedWhile(harness.leases, () => isReachable) });
      const first = Promise.withResolvers<void>();
      const handle = async (record: ConsumerRecord): Promise<void> => {
        harness.collect(record);
        if (seen.length === 1) await first.promise;
      };
      void consumer.run(
        form === 'each' ? { each: handle } : { batch: ({ records: [record] }) => handle(record as never) },
      );
      harness.stream.put('a', '0');
      await timing.pass(2000);
      isReachable = false;
      await timing.pass(5000);
      isReachable = true;
      await timing.pass(20_000);
      expect(seen).toEqual(['a 0']);
      expect(harness.typesOf('leaseTaken', 'leaseLost', 'handlerGoesOn')).toEqual([
        'leaseTaken',
        'leaseLost',
        'handlerGoesOn',
      ]);
      first.resolve();
      await timing.pass(2000);
      expect(seen).toEqual(['a 0', 'a 0']);
      await harness.close(consumer);
    },
  );
});

function renewedWhile(leases: LeaseStore, isReachable: () => boolean): LeaseStore {
  return new Proxy<LeaseStore>(leases, {
    get(store, name) {
      if (name === 'renew' && !isReachable()) return () => Promise.reject(new Error('unreachable'));
      const value: unknown = Reflect.get(store, name);
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
  });
}

describe('aggregates', () => {
  test('are taken apart, and gone on with in the middle', async () => {
    const harness = new Harness();
    harness.stream.put('x', aggregateOf(['a', 'b', 'a', 'c']));
    const consumer = await harness.open();
    const stop = new AbortController();
    void consumer.run(
      {
        each: (record) => {
          harness.collect(record);
          if (harness.seen.length === 2) stop.abort();
        },
      },
      { signal: stop.signal },
    );
    await harness.timing.pass(3000);
    expect(harness.seen).toEqual(['a 0', 'b 1']);
    const second = await harness.open();
    void second.run({ each: harness.collect });
    await harness.timing.pass(2000);
    expect(harness.seen).toEqual(['a 0', 'b 1', 'a 2', 'c 3']);
    await harness.close(second);
  });

  test('with records of another shard are delivered and marked; or left out as the KCL does; or as their producer asks', async () => {
    const cases = [
      { options: undefined, isStrictKclRange: false, delivered: 2, leftOut: undefined },
      { options: undefined, isStrictKclRange: true, delivered: 0, leftOut: 'strict' },
      { options: { isPutAgainWhole: true }, isStrictKclRange: false, delivered: 0, leftOut: 'putAgain' },
    ];
    for (const { options, isStrictKclRange, delivered, leftOut } of cases) {
      const harness = new Harness(2);
      const { stream } = harness;
      const builder = new AggregateBuilder(options);
      for (const { start } of stream.shards) {
        builder.add({ partitionKey: 'k', explicitHashKey: hashKeyToDecimal(start), data: Buffer.from('x') });
      }
      stream.putInto(stream.shards[0] as never, 'x', builder.finish().data);
      const records: ConsumerRecord[] = [];
      const consumer = await harness.open({ isStrictKclRange });
      void consumer.run({ each: (record) => void records.push(record) });
      await harness.timing.pass(2000);
      expect(records.map(({ isMisplaced }) => isMisplaced)).toEqual(Array(delivered).fill(true));
      expect(harness.events.find(({ type }) => type === 'misplacedAggregate')).toMatchObject({
        recordCount: 2,
        leftOut,
      });
      expect(consumer.metrics().MisplacedAggregates).toBe(1);
      await harness.close(consumer);
    }
  });
});

describe('settings', () => {
  test('are checked, and go by the names of the KCL too', async () => {
    const harness = new Harness();
    await expect(harness.open({ concurrency: 0 })).rejects.toThrow('concurrency is from 1 to 100000, and not 0');
    await expect(harness.open({ recordsMax: 10_001 })).rejects.toThrow('recordsMax is from 1 to 10000, and not 10001');
    await expect(harness.open({ maxRecords: 10_001 })).rejects.toThrow('recordsMax is from 1 to 10000, and not 10001');
    await expect(harness.open({ maxRecords: 5, recordsMax: 5 })).rejects.toThrow("the KCL's name");
    await expect(harness.open({ retrieval: 'push' as never })).rejects.toThrow('retrieval is fan-out or polling');
    await expect(harness.open({ startAt: 'NOW' as never })).rejects.toThrow(
      'startAt is TRIM_HORIZON, LATEST or a Date',
    );
    await expect(harness.open({ initialPositionInStream: 'LATEST' })).rejects.toThrow("the KCL's name for startAt");
    await expect(harness.open({ retrievalMode: 'POLLING' })).rejects.toThrow("the KCL's name for retrieval");
    await expect(harness.open({ attemptsMax: 3 })).rejects.toThrow('need deadLetters');
    await expect(harness.open({ attemptsMax: 3 })).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  test('a consumer runs once', async () => {
    const harness = new Harness();
    const consumer = await harness.open();
    void consumer.run({ each: harness.collect });
    await expect(consumer.run({ each: harness.collect })).rejects.toBeInstanceOf(InvalidArgumentError);
    await harness.close(consumer);
    await expect(consumer.run({ each: harness.collect })).rejects.toBeInstanceOf(ClosedConsumerError);
  });
});
