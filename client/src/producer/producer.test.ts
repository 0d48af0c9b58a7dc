import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Acknowledgement, ClosedError, Producer, type ProducerSettings, PutError, type Ticket } from './index.ts';
import { FakeKinesis, named, type Fate } from './testing/fake-kinesis.ts';
import { ManualTiming, settled } from '../testing/manual-timing.ts';

interface Ground {
  readonly producer: Producer;
  readonly kinesis: FakeKinesis;
  readonly timing: ManualTiming;
}

async function open(settings: ProducerSettings = {}, shards: number = 4): Promise<Ground> {
  const timing = new ManualTiming();
  const kinesis = new FakeKinesis(timing, shards);
  const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's', ...settings });
  return { producer, kinesis, timing };
}

/** Undefined while there is none. */
async function outcomeOf(ticket: Ticket): Promise<Acknowledgement | PutError | undefined> {
  let outcome: Acknowledgement | PutError | undefined;
  void ticket.acknowledged.then(
    (put) => (outcome = put),
    (error: unknown) => (outcome = error as PutError),
  );
  await settled();
  return outcome;
}

const texts = (kinesis: FakeKinesis): string[] =>
  kinesis.consumed().flatMap((records) => records.map(({ data }) => Buffer.from(data).toString()));

describe('a producer', () => {
  it('puts a record after the linger time, and says where it is', async () => {
    const { producer, kinesis, timing } = await open({ lingerMs: 100 });
    const ticket = await producer.put({ partitionKey: 'p', data: 'one' });
    await timing.pass(99);
    expect(kinesis.calls).toHaveLength(0);
    await timing.pass(1);
    expect(await ticket.acknowledged).toMatchObject({ shardId: 'shardId-000000000002', sequenceNumber: '1' });
    expect((await ticket.acknowledged).attempts).toEqual([{ delayMs: 100, durationMs: 0 }]);
    expect(kinesis.calls[0]?.[0]).toMatchObject({ partitionKey: 'p', explicitHashKey: undefined });
  });

  it('packs what belongs to one shard, and nothing else', async () => {
    const { producer, kinesis, timing } = await open();
    const tickets = await Promise.all(
      Array.from({ length: 200 }, (_, i) => producer.put({ partitionKey: `key-${i}`, data: `record ${i}` })),
    );
    await timing.pass(200);
    expect(kinesis.calls).toHaveLength(1);
    expect(kinesis.calls[0]).toHaveLength(4);
    expect(texts(kinesis).sort()).toEqual(Array.from({ length: 200 }, (_, i) => `record ${i}`).sort());
    const places = await Promise.all(tickets.map(({ acknowledged }) => acknowledged));
    expect(new Set(places.map((place) => `${place.sequenceNumber}/${place.subSequenceNumber}`)).size).toBe(200);
  });

  it('takes explicit hash keys before partition keys', async () => {
    const { producer, kinesis, timing } = await open({ isAggregating: false });
    const hashKeys = ['0', String(2n ** 128n - 1n)];
    for (const explicitHashKey of hashKeys)
      await producer.put({ partitionKey: 'p', explicitHashKey, data: explicitHashKey });
    await timing.pass(200);
    expect(kinesis.shards.map(({ records }) => records.length)).toEqual([1, 0, 0, 1]);
  });

  it('copies the data', async () => {
    const { producer, kinesis, timing } = await open();
    const data = Buffer.from('before');
    for (const partitionKey of ['a', 'b']) await producer.put({ partitionKey, data });
    data.fill('x');
    await timing.pass(200);
    expect(texts(kinesis)).toEqual(['before', 'before']);
  });

  it('puts records of one key together while it does not know the shards', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    kinesis.canList = false;
    const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's' });
    for (let i = 0; i < 9; i++) await producer.put({ partitionKey: `key-${i % 3}`, data: `${i}` });
    await timing.pass(150);
    expect(kinesis.calls[0]).toHaveLength(3);
    expect(texts(kinesis).sort()).toEqual('0 1 2 3 4 5 6 7 8'.split(' '));
    kinesis.canList = true;
    await timing.pass(2000);
    for (let i = 0; i < 9; i++) await producer.put({ partitionKey: `key-${i % 3}`, data: `${i}` });
    await timing.pass(150);
    expect(kinesis.calls[1]).toHaveLength(2);
    await producer.close();
  });

  it('makes aggregates and calls no larger than it is told', async () => {
    const { producer, kinesis } = await open(
      { aggregateBytesMax: 1000, aggregateRecordsMax: 5, callRecordsMax: 7, callBytesMax: 52_224 },
      1,
    );
    for (let i = 0; i < 300; i++)
      await producer.put({ partitionKey: 'p', data: Buffer.alloc(i % 40 === 0 ? 20_000 : 150) });
    await producer.flush();
    for (const call of kinesis.calls) {
      expect(call.length).toBeLessThanOrEqual(7);
      expect(
        call.reduce((sum, { data, partitionKey }) => sum + data.length + partitionKey.length, 0),
      ).toBeLessThanOrEqual(52_224);
      for (const { data } of call) expect(data.length <= 1000 || data.length === 20_000).toBe(true);
    }
    expect(kinesis.consumed()[0]).toHaveLength(300);
  });
});

describe('what can be seen', () => {
  it('is each call, on a diagnostics channel', async () => {
    const { producer, kinesis, timing } = await open({ isAggregating: false, lingerMs: 10 }, 1);
    const seen: unknown[] = [];
    const listener = (call: unknown): void => void seen.push(call);
    subscribe('millrace:producer:call', listener);
    let left = 1;
    kinesis.fateOf = (entry) => (entry !== undefined && left-- > 0 ? 'failed' : 'good');
    for (const data of ['one', 'two']) await producer.put({ partitionKey: 'p', data });
    await timing.pass(10);
    unsubscribe('millrace:producer:call', listener);
    const what = { stream: 's', durationMs: 0, kinesisRecords: 2, userRecords: 2, bytes: 6 };
    expect(seen).toEqual([{ ...what, errors: { InternalFailure: 1 } }]);
    await timing.pass(1000);
    expect(producer.metrics()).toMatchObject({
      UserRecordsReceived: 2,
      UserRecordsPut: 2,
      UserRecordsDataPut: 6,
      KinesisRecordsPut: 2,
      RetriesPerRecord: { count: 2, sum: 1, max: 1 },
      KinesisRecordsPerPutRecordsRequest: { count: 2, sum: 3, max: 2 },
    });
  });
});

describe('failures', () => {
  it('tries throttled records again, and notes each attempt', async () => {
    const { producer, kinesis, timing } = await open({ lingerMs: 0 });
    let left = 2;
    kinesis.fateOf = (entry) => (entry !== undefined && left-- > 0 ? 'throttled' : 'good');
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(5000);
    const { attempts } = await ticket.acknowledged;
    const code = 'ProvisionedThroughputExceededException';
    expect(attempts.map(({ errorCode }) => errorCode)).toEqual([code, code, undefined]);
    expect(attempts[1]?.delayMs).toBeGreaterThan(0);
    expect(producer.metrics()).toMatchObject({ AllErrors: 2, ErrorsByCode: { [code]: 2 }, UserRecordsPut: 1 });
  });

  it('or fails them at once when it is told to', async () => {
    const { producer, kinesis, timing } = await open({ FailIfThrottled: true });
    kinesis.fateOf = (entry) => (entry === undefined ? 'good' : 'throttled');
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(200);
    await expect(ticket.acknowledged).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
  });

  it('tries calls again that failed as a whole', async () => {
    const { producer, kinesis, timing } = await open();
    let left = 3;
    kinesis.fateOf = (entry) => (entry === undefined && left-- > 0 ? 'lost' : 'good');
    await Promise.all(Array.from({ length: 50 }, (_, i) => producer.put({ partitionKey: `key-${i}`, data: `${i}` })));
    await timing.pass(10_000);
    expect(texts(kinesis)).toHaveLength(50);
    expect(producer.metrics().UserRecordsPending).toBe(0);
  });

  it('fails at once what would fail again', async () => {
    const { producer, kinesis, timing } = await open();
    kinesis.fateOf = () => named('ResourceNotFoundException');
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(200);
    const error = await outcomeOf(ticket);
    expect(error).toBeInstanceOf(PutError);
    expect(error).toMatchObject({
      code: 'ResourceNotFoundException',
      isRetryable: false,
      record: { partitionKey: 'p' },
    });
    expect(Buffer.from((error as PutError).record.data).toString()).toBe('x');
    expect(kinesis.calls).toHaveLength(1);
  });

  it.each([
    [29_000, 'pending'],
    [31_000, 'Expired'],
  ])('after %d ms of failures a record is %s', async (ms, state) => {
    const { producer, kinesis, timing } = await open({ lingerMs: 0 });
    kinesis.fateOf = () => 'lost';
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(ms);
    const outcome = await outcomeOf(ticket);
    if (state === 'pending') expect(outcome).toBeUndefined();
    else expect(outcome).toMatchObject({ code: 'Expired', isRetryable: true });
    await producer.close({ signal: AbortSignal.abort() });
  });

  it('gives a call up after its time, with unknown outcome', async () => {
    const { producer, kinesis, timing } = await open({ RequestTimeout: 6000 });
    kinesis.delayMs = 7000;
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(6000);
    kinesis.delayMs = 0;
    await timing.pass(10_000);
    expect((await ticket.acknowledged).attempts.map(({ errorCode }) => errorCode)).toEqual([
      'RequestTimeout',
      undefined,
    ]);
  });

  it('holds calls back while all fail, and tries one now and then', async () => {
    const { producer, kinesis, timing } = await open({
      lingerMs: 0,
      breakerFailures: 3,
      breakerOpenMs: 5000,
      recordTtlMs: 60_000,
    });
    kinesis.fateOf = () => 'lost';
    await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(4000);
    expect(kinesis.calls).toHaveLength(3);
    await timing.pass(10_000);
    expect(kinesis.calls.length).toBeLessThanOrEqual(5);
    kinesis.fateOf = () => 'good';
    await timing.pass(6000);
    expect(texts(kinesis)).toEqual(['x']);
  });

  it('slows down for a shard that throttles, and not for others', async () => {
    const { producer, kinesis, timing } = await open({ isAggregating: false, bufferBytesMax: 1e9 }, 2);
    const [slow] = kinesis.openShards;
    let inSecond = 0;
    const second = (): void => {
      inSecond = 0;
      timing.after(1000, second);
    };
    second();
    kinesis.fateOf = (entry) => (entry?.explicitHashKey === '0' && ++inSecond > 100 ? 'throttled' : 'good');
    for (let i = 0; i < 1000; i++) await producer.put({ partitionKey: 'p', explicitHashKey: '0', data: `${i}` });
    for (let i = 0; i < 1000; i++)
      await producer.put({ partitionKey: 'p', explicitHashKey: String(2n ** 127n), data: `${i}` });
    await timing.pass(500);
    expect(kinesis.shards[1]?.records).toHaveLength(1000);
    await timing.pass(25_000);
    expect(slow?.records).toHaveLength(1000);
    // Far fewer than if everything had been thrown at it again and again.
    expect(producer.metrics().AllErrors).toBeLessThan(8000);
  });
});

describe('memory', () => {
  it('is bounded: put waits, tryPut says no, until something has been put', async () => {
    const { producer, kinesis, timing } = await open({ bufferBytesMax: 100_000 });
    kinesis.fateOf = () => 'lost';
    const data = Buffer.alloc(1000);
    const accepted: Ticket[] = [];
    let waiting = 0;
    for (let i = 0; i < 200; i++) {
      waiting++;
      void producer.put({ partitionKey: 'p', data }).then((ticket) => {
        waiting--;
        accepted.push(ticket);
      });
    }
    await timing.pass(1000);
    expect(accepted.length).toBeGreaterThan(50);
    expect(accepted.length).toBeLessThan(60);
    expect(producer.metrics().BufferedBytes).toBeLessThanOrEqual(100_000);
    expect(producer.tryPut({ partitionKey: 'p', data })).toBeUndefined();
    kinesis.fateOf = () => 'good';
    await timing.pass(20_000);
    expect(waiting).toBe(0);
    expect(kinesis.consumed().flat()).toHaveLength(200);
    expect(producer.metrics().BufferedBytes).toBe(0);
    expect(producer.tryPut({ partitionKey: 'p', data })).toBeDefined();
  });

  it('takes one record whatever its size', async () => {
    const { producer } = await open({ bufferBytesMax: 10 });
    await producer.put({ partitionKey: 'p', data: Buffer.alloc(1000) });
    expect(producer.tryPut({ partitionKey: 'p', data: '' })).toBeUndefined();
  });

  it('is waited for no longer than a signal says', async () => {
    const { producer } = await open({ bufferBytesMax: 10 });
    await producer.put({ partitionKey: 'p', data: 'x' });
    const abort = new AbortController();
    const waits = producer.put({ partitionKey: 'p', data: 'y' }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waits).rejects.toThrow('enough');
  });
});

describe('the end', () => {
  it('flush puts what has been accepted, at once', async () => {
    const { producer, kinesis } = await open({ lingerMs: 10_000 });
    for (let i = 0; i < 10; i++) await producer.put({ partitionKey: `${i}`, data: `${i}` });
    await producer.flush();
    expect(texts(kinesis)).toHaveLength(10);
    await producer.flush();
  });

  it('flush does not wait for what comes later', async () => {
    const { producer, kinesis } = await open({ lingerMs: 10_000, isAggregating: false });
    const first = await producer.put({ partitionKey: 'p', data: 'first' });
    kinesis.fateOf = (entry) =>
      entry !== undefined && Buffer.from(entry.data).toString() === 'later' ? 'failed' : 'good';
    const flushed = producer.flush();
    void producer.put({ partitionKey: 'p', data: 'later' });
    await flushed;
    expect(await outcomeOf(first)).toHaveProperty('sequenceNumber');
    expect(producer.metrics().UserRecordsPending).toBe(1);
  });

  it('close puts what has been accepted and takes nothing more', async () => {
    const { producer, kinesis } = await open({ lingerMs: 10_000 });
    await producer.put({ partitionKey: 'p', data: 'x' });
    await producer.close();
    await producer.close();
    expect(texts(kinesis)).toEqual(['x']);
    await expect(producer.put({ partitionKey: 'p', data: 'y' })).rejects.toBeInstanceOf(ClosedError);
    expect(() => producer.tryPut({ partitionKey: 'p', data: 'y' })).toThrow(ClosedError);
  });

  it('close with a signal fails what could not be put by then', async () => {
    const { producer, kinesis, timing } = await open({ bufferBytesMax: 1600 });
    kinesis.delayMs = 1e9;
    const tickets = [
      await producer.put({ partitionKey: 'p', data: 'x' }),
      await producer.put({ partitionKey: 'q', data: 'y' }),
    ];
    await timing.pass(200);
    const abort = new AbortController();
    const waits = producer.put({ partitionKey: 'p', data: 'z' });
    const refused = expect(waits).rejects.toBeInstanceOf(ClosedError);
    const closed = producer.close({ signal: abort.signal });
    await settled();
    abort.abort();
    await closed;
    await refused;
    for (const ticket of tickets) await expect(ticket.acknowledged).rejects.toMatchObject({ code: 'Aborted' });
  });
});

describe('arguments', () => {
  it.each<[ProducerSettings, RegExp]>([
    [{ aggregateBytesMax: 63 }, /aggregateBytesMax is from 64 to 10485760, and not 63/],
    [{ aggregateBytesMax: 10_485_761 }, /aggregateBytesMax/],
    [{ callRecordsMax: 0 }, /callRecordsMax/],
    [{ callRecordsMax: 501 }, /callRecordsMax/],
    [{ callBytesMax: 52_223 }, /callBytesMax/],
    [{ MaxConnections: 257 }, /callsMax/],
    [{ lingerMs: Number.NaN }, /lingerMs/],
    [{ lingerMs: '5' as never }, /lingerMs is a number/],
    [{ ordering: 'total' as never }, /ordering is none or perKey/],
    [{ RecordTtl: 5, recordTtlMs: 6 }, /RecordTtl is the KPL's name for recordTtlMs/],
  ])('%j cannot be', async (settings, message) => {
    await expect(open(settings)).rejects.toThrow(message);
  });

  it.each<ProducerSettings>([
    { aggregateBytesMax: 64 },
    { AggregationMaxSize: 10_485_760 },
    { CollectionMaxCount: 1 },
    { CollectionMaxCount: 500 },
    { CollectionMaxSize: 52_224 },
    { MaxConnections: 256, MaxUserRecordSize: 10_485_760, RecordMaxBufferedTime: 0, AggregationMaxCount: 1 },
    { RateLimit: 150, AggregationEnabled: false, RecordTtl: 1 },
  ])('%j can be', async (settings) => {
    await (await open(settings)).producer.close();
  });

  it('records are checked before they are accepted', async () => {
    const { producer } = await open({ recordBytesMax: 100 });
    const bad = [
      { partitionKey: '', data: 'x' },
      { partitionKey: 'p'.repeat(257), data: '' },
      { partitionKey: 'p', explicitHashKey: '-1', data: 'x' },
      { partitionKey: 'p', explicitHashKey: String(2n ** 128n), data: 'x' },
      { partitionKey: 'p', data: Buffer.alloc(100) },
    ];
    for (const record of bad) await expect(producer.put(record)).rejects.toMatchObject({ code: 'MR_INVALID_ARGUMENT' });
    await producer.put({ partitionKey: 'p', data: Buffer.alloc(99) });
    expect(producer.metrics()).toMatchObject({ UserRecordsReceived: 1, UserRecordsPending: 1 });
  });
});

describe('reshards and failures at random', () => {
  const steps = fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          what: fc.constant('put' as const),
          key: fc.integer({ min: 0, max: 11 }),
          more: fc.integer({ min: 0, max: 12 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
      {
        weight: 1,
        arbitrary: fc.record({ what: fc.constantFrom('split' as const, 'merge' as const), at: fc.nat(20) }),
      },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('list' as const), can: fc.boolean() }) },
    ),
    { maxLength: 150 },
  );
  const fates = fc.array(fc.constantFrom<Fate>('good', 'good', 'good', 'throttled', 'failed', 'lost'), {
    minLength: 1,
    maxLength: 40,
  });

  async function run(
    settings: ProducerSettings,
    plan: typeof steps extends fc.Arbitrary<infer Steps> ? Steps : never,
    list: Fate[],
  ): Promise<string[][]> {
    const { producer, kinesis, timing } = await open({ recordTtlMs: 1e9, aggregateRecordsMax: 6, ...settings }, 2);
    let call = 0;
    kinesis.fateOf = (): Fate => list[call++ % list.length] as Fate;
    kinesis.delayMs = 20;
    const counts = Array.from({ length: 12 }, () => 0);
    for (const step of plan) {
      if (step.what === 'put') {
        // Of this key, and of those behind it.
        for (let key = step.key; key <= step.key + step.more; key++) {
          const number = (counts[key % counts.length] as number)++;
          const partitionKey = `key-${key % counts.length}`;
          void producer.put({ partitionKey, data: `${key % counts.length} ${number}` });
        }
        await settled();
      } else if (step.what === 'pass') await timing.pass(step.ms);
      else if (step.what === 'list') kinesis.canList = step.can;
      else {
        const open_ = kinesis.openShards;
        const at = step.at % open_.length;
        const [shard, next] = open_.slice(at);
        if (step.what === 'split' && shard !== undefined) kinesis.split(shard);
        else if (shard !== undefined && next !== undefined) kinesis.merge(shard, next);
      }
    }
    kinesis.fateOf = () => 'good';
    kinesis.canList = true;
    await timing.pass(60_000);
    expect(producer.metrics()).toMatchObject({ UserRecordsPending: 0, BufferedBytes: 0 });
    // Shards are numbered so that a child comes behind its parents: this is the order that a reader sees for each key.
    const all = kinesis.consumed().flatMap((records) => records.map(({ data }) => Buffer.from(data).toString()));
    // Where shards cannot be listed, what lands in an unknown one is put again: the KCL may have dropped it.
    const mayDouble = plan.some((step) => step.what === 'list' && !step.can);
    return counts.map((count, key) => {
      const seen = all.filter((text) => text.startsWith(`${key} `));
      const once = [...new Set(seen)];
      expect(once).toHaveLength(count);
      return mayDouble ? once : seen;
    });
  }

  it('loses nothing, and doubles nothing', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fates, async (plan, list) => {
        for (const seen of await run({}, plan, list)) expect(new Set(seen).size).toBe(seen.length);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the order of each key when it is told to', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fates, async (plan, list) => {
        for (const [key, seen] of (await run({ ordering: 'perKey', lingerMs: 20 }, plan, list)).entries()) {
          expect(seen).toEqual(seen.map((_, number) => `${key} ${number}`));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('doubles what was put by calls whose answers were lost, and loses nothing', async () => {
    const { producer, kinesis, timing } = await open();
    let call = 0;
    kinesis.fateOf = (entry) => (entry === undefined && call++ % 3 === 0 ? 'put-but-lost' : 'good');
    for (let i = 0; i < 30; i++) {
      await producer.put({ partitionKey: `key-${i}`, data: `${i}` });
      await timing.pass(150);
    }
    await timing.pass(5000);
    expect(new Set(texts(kinesis)).size).toBe(30);
    expect(texts(kinesis).length).toBeGreaterThan(30);
  });
});
