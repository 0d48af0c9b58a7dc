import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeadLetters } from './dead-letters.ts';
import { readDeadLetter } from '../dead-letters/index.ts';
import { Producer, PutError } from './index.ts';
import { FakeKinesis, named } from './testing/fake-kinesis.ts';
import { ManualTiming } from '../testing/manual-timing.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-dead-letters-'))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Ground {
  readonly producer: Producer;
  readonly timing: ManualTiming;
  /** The stream of dead letters. */
  readonly letters: FakeKinesis;
}

/** A producer whose stream refuses every record. */
async function open(deadLetters: DeadLetters): Promise<Ground> {
  const timing = new ManualTiming();
  const kinesis = new FakeKinesis(timing, 1);
  kinesis.fateOf = () => named('AccessDeniedException');
  const letters = new FakeKinesis(timing, 1);
  const callsOf = (stream: string): FakeKinesis => (stream === 'letters' ? letters : kinesis);
  const producer = await Producer.openOn({ callsOf, timing }, { stream: 's', deadLetters });
  return { producer, timing, letters };
}

async function putTwo({ producer, timing }: Ground): Promise<PutError[]> {
  const tickets = [
    await producer.put({ partitionKey: 'p', data: 'one' }),
    await producer.put({ partitionKey: 'q', explicitHashKey: '7', data: 'two' }),
  ];
  void producer.flush();
  const errors = Promise.all(
    tickets.map(({ acknowledged }) =>
      acknowledged.then(
        () => expect.unreachable(),
        (error: unknown) => error as PutError,
      ),
    ),
  );
  await timing.pass(10_000);
  return errors;
}

describe('dead letters', () => {
  it('go to a file, a line each, and can be put again from there', async () => {
    const file = join(folder, 'letters.jsonl');
    const ground = await open({ file });
    const errors = await putTwo(ground);
    expect(errors.map(({ isDeadLettered }) => isDeadLettered)).toEqual([true, true]);
    const records = readFileSync(file, 'utf8').trimEnd().split('\n').map(readDeadLetter);
    expect(records).toMatchObject([
      {
        partitionKey: 'p',
        explicitHashKey: undefined,
        data: Buffer.from('one'),
        letter: { code: 'AccessDeniedException' },
      },
      { partitionKey: 'q', explicitHashKey: '7', data: Buffer.from('two') },
    ]);
    expect(records[0]?.letter.attempts).toHaveLength(1);
    expect(ground.producer.metrics()).toMatchObject({ UserRecordsPending: 0, BufferedBytes: 0 });
  });

  it('go to a stream, with the keys of their records', async () => {
    const ground = await open({ stream: 'letters' });
    const { letters } = ground;
    let left = 2;
    letters.fateOf = (entry) => (entry !== undefined && left-- > 0 ? 'throttled' : 'good');
    const errors = await putTwo(ground);
    expect(errors.every(({ isDeadLettered }) => isDeadLettered)).toBe(true);
    const records = letters.consumed().flat();
    expect(records.map(({ partitionKey, explicitHashKey }) => `${partitionKey} ${explicitHashKey}`).sort()).toEqual([
      'p undefined',
      'q 7',
    ]);
    const found = records.map(({ data }) => Buffer.from(readDeadLetter(Buffer.from(data).toString()).data).toString());
    expect(found.sort()).toEqual(['one', 'two']);
  });

  it('go to whoever takes them', async () => {
    const taken: PutError[] = [];
    const ground = await open((errors) => void taken.push(...errors));
    await putTwo(ground);
    expect(taken.map(({ record }) => Buffer.from(record.data).toString())).toEqual(['one', 'two']);
  });

  it('that cannot be written say so', async () => {
    const throwing = (): never => {
      throw new Error('no room');
    };
    const broken: FakeKinesis['fateOf'] = (entry) => (entry === undefined ? 'good' : 'failed');
    for (const deadLetters of [throwing, { file: join(folder, 'none', 'letters') }, { stream: 'letters' }]) {
      const ground = await open(deadLetters);
      ground.letters.fateOf = broken;
      for (const error of await putTwo(ground)) {
        expect(error).toMatchObject({ isDeadLettered: false, code: 'AccessDeniedException' });
        expect(error.cause).toBeInstanceOf(Error);
      }
    }
  });

  it.each(['', '{}', 'null', '{"partitionKey":"p"}', '[]'])('%j is none', (text) => {
    expect(() => readDeadLetter(text)).toThrow('this is no dead letter');
  });
});

describe('what a producer has accepted', () => {
  it('is put by the next one from the spool', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const settings = { stream: 's', spool: { folder: join(folder, 'spool') }, recordTtlMs: Infinity };
    const ground = { callsOf: () => kinesis, timing };
    const first = await Producer.openOn(ground, settings);
    for (let i = 0; i < 20; i++) await first.put({ partitionKey: `key-${i % 5}`, data: `${i}` });
    await first.flush();
    kinesis.fateOf = () => 'lost';
    for (let i = 20; i < 50; i++) await first.put({ partitionKey: `key-${i % 5}`, data: `${i}` });
    expect(() => first.tryPut({ partitionKey: 'p', data: 'x' })).toThrow('only put');
    await timing.pass(500);
    await first.close({ signal: AbortSignal.abort() });
    kinesis.fateOf = () => 'good';
    const second = await Producer.openOn(ground, { ...settings, bufferBytesMax: 2000 });
    const waits = second.put({ partitionKey: 'key-0', data: '50' });
    while (second.metrics().UserRecordsReceived < 31) await timing.pass(50);
    await waits;
    await second.close();
    const seen = kinesis
      .consumed()
      .flat()
      .map(({ data }) => Number(Buffer.from(data).toString()));
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 51 }, (_, i) => i));
    const third = await Producer.openOn(ground, settings);
    await third.close();
    expect(kinesis.consumed().flat()).toHaveLength(51);
  });

  it('stays in the spool when its dead letter cannot be written, and leaves it otherwise', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 1);
    kinesis.fateOf = () => named('AccessDeniedException');
    let canWrite = false;
    const deadLetters = (): void => {
      if (!canWrite) throw new Error('no room');
    };
    const settings = { stream: 's', spool: { folder: join(folder, 'spool') }, deadLetters };
    for (const [round, pending] of [1, 1, 0].entries()) {
      canWrite = round > 0;
      const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, settings);
      if (round === 0) await producer.put({ partitionKey: 'p', data: 'x' });
      await producer.close();
      expect(producer.metrics().UserRecordsReceived).toBe(pending);
    }
  });
});

describe('sources', () => {
  it('are put whole, and stop at the first record that cannot be', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const producer = await Producer.openOn(
      { callsOf: () => kinesis, timing },
      { stream: 's', lingerMs: 0, bufferBytesMax: 5000 },
    );
    let taken = 0;
    async function* source(): AsyncIterable<{ partitionKey: string; data: string }> {
      for (; taken < 100; taken++) yield { partitionKey: `key-${taken % 9}`, data: `${taken}` };
    }
    const all = producer.putAll(source());
    await timing.pass(100);
    await all;
    expect(kinesis.consumed().flat()).toHaveLength(100);
    kinesis.fateOf = () => named('ResourceNotFoundException');
    taken = 0;
    const failing = expect(producer.putAll(source())).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
    await timing.pass(100);
    await failing;
    expect(taken).toBeLessThan(50);
  });

  it.each([
    ['a record cannot be put', 'ResourceNotFoundException'],
    ['the signal fires', 'enough'],
  ])('that have nothing more to say are left when %s', async (_, reason) => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's', lingerMs: 0 });
    let isLeft = false;
    const records = [{ partitionKey: 'p', data: 'x' }];
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          const value = records.pop();
          return value === undefined ? new Promise<never>(() => undefined) : Promise.resolve({ value, done: false });
        },
        return: () => {
          isLeft = true;
          return Promise.reject(new Error('nobody hears this'));
        },
      }),
    };
    const leave = new AbortController();
    if (reason !== 'enough') kinesis.fateOf = () => named(reason);
    const failing = expect(producer.putAll(source, { signal: leave.signal })).rejects.toThrow(reason);
    await timing.pass(100);
    leave.abort(new Error('enough'));
    await failing;
    expect(isLeft).toBe(true);
  });

  it('that fail make it fail, and are not asked again', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's', lingerMs: 0 });
    function* source(): Iterable<{ partitionKey: string; data: string }> {
      yield { partitionKey: 'p', data: 'x' };
      throw new Error('no more');
    }
    await expect(producer.putAll(source())).rejects.toThrow('no more');
  });

  it('may be piped', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's' });
    const records = Array.from({ length: 50 }, (_, i) => ({ partitionKey: `${i}`, data: `${i}` }));
    await ReadableStream.from(records).pipeTo(producer.writable());
    expect(kinesis.consumed().flat()).toHaveLength(50);
    kinesis.fateOf = () => named('ResourceNotFoundException');
    await expect(ReadableStream.from(records).pipeTo(producer.writable())).rejects.toBeInstanceOf(PutError);
  });
});
