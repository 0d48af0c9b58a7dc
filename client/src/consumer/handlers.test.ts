import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Consumer } from './consumer.ts';
import { Deduplicator } from './deduplicator.ts';
import type { ConsumerBatch } from './processing/handler.ts';
import { comparePositions, type ConsumerRecord } from './record.ts';
import { Harness } from './testing/harness.ts';

describe('batches', () => {
  test('are as long as they may be, and wait for that as long as they may', async () => {
    const harness = new Harness();
    const sizes: number[] = [];
    const consumer = await harness.open({ batchRecordsMax: 100, batchWindowMs: 3000, pollIdleMs: 100 });
    void consumer.run({ batch: ({ records }) => void sizes.push(records.length) });
    for (let i = 0; i < 250; i++) harness.stream.put('a', String(i));
    await harness.timing.pass(1000);
    expect(sizes).toEqual([100, 100]);
    await harness.timing.pass(3000);
    expect(sizes).toEqual([100, 100, 50]);
    await harness.close(consumer);
  });

  test('say what was processed before them, without a gap', async () => {
    const harness = new Harness();
    const batches: ConsumerBatch[] = [];
    const consumer = await harness.open({ batchRecordsMax: 2 });
    void consumer.run({ batch: (batch) => void batches.push(batch) });
    for (let i = 0; i < 6; i++) harness.stream.put('a', String(i));
    await harness.timing.pass(2000);
    expect(batches.map(({ after }) => after)).toEqual([undefined, batches[0]?.position, batches[1]?.position]);
    expect(comparePositions(batches[0]?.position ?? '', batches[1]?.position ?? '')).toBeLessThan(0);
    await harness.close(consumer);
  });

  test('are given again from the first record that was not acknowledged', async () => {
    const harness = new Harness();
    const given: string[] = [];
    let failures = 0;
    const consumer = await harness.open();
    void consumer.run({
      batch: (batch) => {
        given.push(batch.records.map((record) => record.text()).join(''));
        if (failures++ > 0) return;
        batch.acknowledge(batch.records[2]);
        throw new Error('the rest fails');
      },
    });
    for (const text of 'abcdef') harness.stream.put('a', text);
    await harness.timing.pass(2000);
    expect(given).toEqual(['abcdef', 'def']);
    await harness.close(consumer);
  });

  test('have nothing given again that was acknowledged in a loop that was left, and leave no listeners behind', async () => {
    const harness = new Harness();
    for (const text of 'abcdef') harness.stream.put('a', text);
    const loop = async (): Promise<string[]> => {
      const given: string[] = [];
      for await (const batch of await harness.open({ batchRecordsMax: 6 })) {
        given.push(batch.records.map((record) => record.text()).join(''));
        if (given.join('') !== 'abcdef') break;
        batch.acknowledge(batch.records[3]);
        break;
      }
      return given;
    };
    const first = loop();
    await harness.timing.pass(3000);
    expect(await first).toEqual(['abcdef']);
    const second = loop();
    await harness.timing.pass(3000);
    expect(await second).toEqual(['ef']);
    const third = await harness.open({ batchRecordsMax: 1 });
    let signal: AbortSignal | undefined;
    const all = (async (): Promise<void> => {
      for await (const batch of third) ({ signal } = batch);
    })();
    for (let i = 0; i < 100; i++) harness.stream.put('a', String(i));
    await harness.timing.pass(3000);
    expect(getEventListeners(signal as AbortSignal, 'abort').length).toBeLessThan(20);
    await harness.close(third);
    await all;
  });

  test('give up what is too old, and nothing younger with it', async () => {
    const harness = new Harness();
    const letters: string[] = [];
    const consumer = await harness.open({
      recordAgeMsMax: 5000,
      deadLetters: ({ records }) => void letters.push(...records.map((record) => record.text())),
    });
    harness.stream.put('k', 'old');
    await harness.timing.pass(10_000);
    for (let i = 0; i < 3; i++) harness.stream.put('k', String(i));
    let failures = 1;
    const applied: string[] = [];
    void consumer.run({
      batch: ({ records }) => {
        if (failures-- > 0) throw new Error('once');
        applied.push(...records.map((record) => record.text()));
      },
    });
    await harness.timing.pass(3000);
    expect(letters).toEqual(['old']);
    expect(applied).toEqual(['0', '1', '2']);
    await harness.close(consumer);
  });

  test('come to a loop; one counts as processed when the next is asked for, and breaking off closes the consumer', async () => {
    const harness = new Harness();
    for (const text of 'abcdef') harness.stream.put('a', text);
    const loop = async (until: string): Promise<string[]> => {
      const given: string[] = [];
      for await (const batch of await harness.open({ batchRecordsMax: 2 })) {
        given.push(batch.records.map((record) => record.text()).join(''));
        if (given.at(-1) === until) break;
      }
      return given;
    };
    const first = loop('cd');
    await harness.timing.pass(5000);
    expect(await first).toEqual(['ab', 'cd']);
    const second = loop('ef');
    await harness.timing.pass(5000);
    // It broke off in the middle of its second batch.
    expect(await second).toEqual(['cd', 'ef']);
  });
});

describe('records of single keys', () => {
  test('wait for one another, and not for those of other keys', async () => {
    const harness = new Harness();
    const { timing } = harness;
    const log: string[] = [];
    const consumer = await harness.open({ concurrency: 3 });
    void consumer.run({
      each: async (record) => {
        log.push(`+${record.partitionKey}${record.text()}`);
        await new Promise<void>((resolve) => void timing.after(record.partitionKey === 'slow' ? 500 : 100, resolve));
        log.push(`-${record.partitionKey}${record.text()}`);
      },
    });
    for (const text of ['1', '2']) for (const key of ['slow', 'b']) harness.stream.put(key, text);
    await timing.pass(3000);
    expect(log).toEqual(['+slow1', '+b1', '-b1', '+b2', '-b2', '-slow1', '+slow2', '-slow2']);
    await harness.close(consumer);
  });

  test('are checkpointed up to the first that is not done', async () => {
    const harness = new Harness();
    const { timing, stream } = harness;
    const consumer = await harness.open({ concurrency: 3, checkpointMs: 100 });
    let end = (): void => undefined;
    void consumer.run({
      each: (record) =>
        record.partitionKey === 'slow' ? new Promise<void>((resolve) => void (end = resolve)) : undefined,
    });
    const before = stream.put('a', '0');
    stream.put('slow', '1');
    const last = stream.put('b', '2');
    await timing.pass(2000);
    const checkpoint = async (): Promise<string | undefined> =>
      (await harness.leases.list())[0]?.checkpoint.sequenceNumber;
    expect(await checkpoint()).toBe(before);
    end();
    await timing.pass(500);
    expect(await checkpoint()).toBe(last);
    await harness.close(consumer);
  });
});

describe('a handler that fails', () => {
  const poison = (record: ConsumerRecord): void => {
    if (record.text() === 'poison') throw new Error('it cannot be done');
  };

  test('is called again and again, and its shard waits, unless there is a limit', async () => {
    const harness = new Harness();
    const consumer = await harness.open({ backoffMs: 100, backoffMsMax: 1000 });
    void consumer.run({
      each: (record) => {
        harness.collect(record);
        poison(record);
      },
    });
    for (const text of ['a', 'poison', 'b']) harness.stream.put('k', text);
    await harness.timing.pass(20_000);
    expect(harness.seen.filter((each) => each === 'k poison').length).toBeGreaterThan(15);
    expect(harness.seen).not.toContain('k b');
    expect(harness.events.filter(({ type }) => type === 'handlerFailed').slice(0, 3)).toMatchObject([
      { attempt: 1, backoffMs: 75 },
      { attempt: 2, backoffMs: 150 },
      { attempt: 3, backoffMs: 300 },
    ]);
    await harness.close(consumer);
  });

  test('is called so often, and then the record goes where dead letters go', async () => {
    const harness = new Harness();
    const letters: Array<{ condition: string; attempts: number; texts: string[] }> = [];
    let isRefused = true;
    const consumer = await harness.open({
      attemptsMax: 3,
      deadLetters: ({ condition, attempts, records }) => {
        isRefused = !isRefused;
        if (!isRefused) throw new Error('not now');
        letters.push({ condition, attempts, texts: records.map((record) => record.text()) });
      },
    });
    void consumer.run({
      each: (record) => {
        harness.collect(record);
        poison(record);
      },
    });
    for (const text of ['a', 'poison', 'b']) harness.stream.put('k', text);
    await harness.timing.pass(5000);
    expect(harness.seen).toEqual(['k a', 'k poison', 'k poison', 'k poison', 'k b']);
    expect(letters).toEqual([{ condition: 'RetryAttemptsExhausted', attempts: 3, texts: ['poison'] }]);
    expect(harness.typesOf('deadLetterFailed', 'deadLettered')).toEqual(['deadLetterFailed', 'deadLettered']);
    expect(consumer.metrics()).toMatchObject({ HandlerFailures: 3, DeadLetters: 1 });
    await harness.close(consumer);
  });

  test('is not called again for what is too old', async () => {
    const harness = new Harness();
    const conditions: string[] = [];
    const consumer = await harness.open({
      recordAgeMsMax: 1000,
      deadLetters: ({ condition }) => void conditions.push(condition),
    });
    void consumer.run({ each: poison });
    harness.stream.put('k', 'poison');
    await harness.timing.pass(20_000);
    expect(conditions).toEqual(['RecordAgeExceeded']);
    await harness.close(consumer);
  });

  test('has its batch halved until the record stands alone, without an attempt used up', async () => {
    const harness = new Harness();
    const given: string[] = [];
    const letters: string[] = [];
    const consumer = await harness.open({
      attemptsMax: 2,
      isBisecting: true,
      deadLetters: ({ records }) => void letters.push(...records.map((record) => record.text())),
    });
    void consumer.run({
      batch: ({ records }) => {
        given.push(records.map((record) => record.text().slice(0, 1)).join(''));
        for (const record of records) poison(record);
      },
    });
    for (const text of ['a', 'b', 'poison', 'd', 'e', 'f', 'g', 'h']) harness.stream.put('k', text);
    await harness.timing.pass(5000);
    expect(given).toEqual(['abpdefgh', 'abpd', 'ab', 'pd', 'p', 'p', 'd', 'efgh']);
    expect(letters).toEqual(['poison']);
    await harness.close(consumer);
  });
});

describe('positions that the handler keeps', () => {
  test('go before the checkpoint', async () => {
    const harness = new Harness();
    const { stream } = harness;
    const numbers = ['a', 'b', 'c'].map((text) => stream.put('k', text));
    const consumer = await harness.open({ positions: { read: () => Promise.resolve(`${numbers[1]}/0`) } });
    const batches: ConsumerBatch[] = [];
    void consumer.run({ batch: (batch) => void batches.push(batch) });
    await harness.timing.pass(2000);
    expect(batches.map(({ after, records }) => [after, ...records.map((record) => record.text())])).toEqual([
      [`${numbers[1]}/0`, 'c'],
    ]);
    await harness.close(consumer);
  });

  test('are read again after a failure: what somebody else has processed is not given again', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    const numbers = ['a', 'b', 'c', 'd'].map((text) => stream.put('k', text));
    let kept: string | undefined;
    const applied: string[] = [];
    const consumer = await harness.open({ batchRecordsMax: 2, positions: { read: () => kept } });
    void consumer.run({
      batch: ({ after, position, records }) => {
        // The worker before this one commits only now.
        if (kept === undefined) kept = `${numbers[2]}/0`;
        if (kept !== after) throw new Error('it has been moved meanwhile');
        applied.push(...records.map((record) => record.text()));
        kept = position;
      },
    });
    await timing.pass(3000);
    stream.put('k', 'e');
    await timing.pass(3000);
    expect(applied).toEqual(['d', 'e']);
    expect((await harness.leases.list())[0]?.checkpoint.sequenceNumber).toBe('5');
    await harness.close(consumer);
  });

  test('are told as they are kept, though records behind them were given up, and in an application that kept none before', async () => {
    const harness = new Harness();
    const { stream, timing } = harness;
    let kept: string | undefined;
    const applied: string[] = [];
    const letters: string[] = [];
    const open = (): Promise<Consumer> =>
      harness.open({
        batchRecordsMax: 1,
        attemptsMax: 2,
        positions: { read: () => kept },
        deadLetters: ({ records }) => void letters.push(...records.map((record) => record.text())),
      });
    const batch = ({ after, position, records }: ConsumerBatch): void => {
      if (kept !== after) throw new Error(`it is ${kept}, and not ${after}`);
      if (records[0]?.text() === 'poison') throw new Error('it cannot be done');
      applied.push(...records.map((record) => record.text()));
      kept = position;
    };
    // Without positions before.
    const before = await harness.open({ batchRecordsMax: 1 });
    void before.run({ batch: ({ records }) => void applied.push(...records.map((record) => record.text())) });
    stream.put('k', 'a');
    await timing.pass(2000);
    await harness.close(before);
    const first = await open();
    void first.run({ batch });
    for (const text of ['b', 'poison', 'c']) stream.put('k', text);
    await timing.pass(3000);
    await harness.close(first);
    stream.put('k', 'poison');
    const second = await open();
    void second.run({ batch });
    await timing.pass(3000);
    stream.put('k', 'd');
    await timing.pass(3000);
    expect(applied).toEqual(['a', 'b', 'c', 'd']);
    expect(letters).toEqual(['poison', 'poison']);
    await harness.close(second);
  });
});

describe('a deduplicator', () => {
  test('leaves out what has been processed before, and not what has failed', async () => {
    const harness = new Harness();
    const consumer = await harness.open();
    const known = new Deduplicator({ idOf: (record) => record.text(), rememberedMin: 2 });
    let failures = 1;
    void consumer.run({
      each: known.each((record) => {
        harness.collect(record);
        if (failures-- > 0) throw new Error('once');
      }),
    });
    for (const text of ['1', '1', '2', '1', '3', '3', '4', '5', '1']) harness.stream.put('k', text);
    await harness.timing.pass(3000);
    expect(harness.seen.map((each) => each.slice(2)).join('')).toBe('11' + '2345' + '1');
    await harness.close(consumer);
  });
});
