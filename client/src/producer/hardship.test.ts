import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PutEntry, PutResult } from './calls.ts';
import { readDeadLetter } from '../dead-letters/index.ts';
import { ClosedError, Producer, type ProducerSettings, type PutError, type Ticket } from './index.ts';
import { FakeKinesis, named } from './testing/fake-kinesis.ts';
import { ManualTiming, settled } from '../testing/manual-timing.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-producer-'))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Ground {
  readonly producer: Producer;
  readonly kinesis: FakeKinesis;
  readonly timing: ManualTiming;
  readonly again: () => Promise<Producer>;
}

async function open(settings: ProducerSettings = {}, shards: number = 1): Promise<Ground> {
  const timing = new ManualTiming();
  const kinesis = new FakeKinesis(timing, shards);
  const again = (): Promise<Producer> =>
    Producer.openOn({ callsOf: () => kinesis, timing }, { stream: 's', ...settings });
  return { producer: await again(), kinesis, timing, again };
}

const found = (kinesis: FakeKinesis): string[] =>
  kinesis.consumed().flatMap((records) => records.map(({ data }) => Buffer.from(data).toString()));

const errorOf = ({ acknowledged }: Ticket): Promise<PutError> =>
  acknowledged.then(
    () => expect.unreachable('it was put'),
    (error: unknown) => error as PutError,
  );

it.each([1, 5])('a reshard while shards cannot be listed makes no storm: %d keys', async (keys) => {
  const { producer, kinesis, timing } = await open();
  kinesis.delayMs = 20;
  const tickets: Ticket[] = [];
  for (let i = 0; i < 10; i++) tickets.push(await producer.put({ partitionKey: `key-${i % keys}`, data: `${i}` }));
  kinesis.split(kinesis.openShards[0] as (typeof kinesis.shards)[0]);
  kinesis.canList = false;
  await timing.pass(31_000);
  await Promise.all(tickets.map(({ acknowledged }) => acknowledged));
  expect(found(kinesis).sort()).toEqual('0 1 2 3 4 5 6 7 8 9'.split(' '));
  expect(kinesis.calls.length).toBeLessThanOrEqual(3);
});

it('a close that is aborted while the spool is being recovered settles, and leaves the rest in the spool', async () => {
  const { producer, kinesis, timing, again } = await open({
    spool: { folder },
    recordTtlMs: Infinity,
    bufferBytesMax: 3000,
  });
  kinesis.fateOf = () => 'lost';
  const abort = new AbortController();
  const puts = Array.from({ length: 20 }, (_, i) => producer.put({ partitionKey: 'p', data: `${i}` }));
  await settled();
  abort.abort();
  await producer.close({ signal: abort.signal });
  const accepted = (await Promise.allSettled(puts)).filter(({ status }) => status === 'fulfilled').length;
  expect(accepted).toBeGreaterThan(1);
  const second = await again();
  await second.close({ signal: AbortSignal.abort() });
  kinesis.fateOf = () => 'good';
  const third = await again();
  const closed = third.close();
  while (third.metrics().UserRecordsPut < accepted) await timing.pass(50);
  await closed;
  expect(new Set(found(kinesis)).size).toBe(accepted);
});

it('a close waits for what is on its way into the spool', async () => {
  const { producer, kinesis, again } = await open({ spool: { folder } });
  const put = producer.put({ partitionKey: 'p', data: 'x' });
  await producer.close();
  await (
    await put
  ).acknowledged;
  await (await again()).close();
  expect(found(kinesis)).toEqual(['x']);
  await expect(producer.put({ partitionKey: 'p', data: 'y' })).rejects.toBeInstanceOf(ClosedError);
});

it('a put that is given up when it has just been let in leaves those behind it alone', async () => {
  const { producer, timing } = await open({ bufferBytesMax: 1600 });
  const first = await producer.put({ partitionKey: 'p', data: '1' });
  await producer.put({ partitionKey: 'p', data: '2' });
  const abort = new AbortController();
  void first.acknowledged.then(() => abort.abort());
  const third = producer.put({ partitionKey: 'p', data: '3' }, { signal: abort.signal });
  const fourth = producer.put({ partitionKey: 'p', data: '4' });
  await timing.pass(500);
  await Promise.allSettled([third]);
  await (
    await fourth
  ).acknowledged;
});

it('puts are accepted in the order of their calls, also those that wait for memory', async () => {
  const { producer, kinesis, timing } = await open({ ordering: 'perKey', bufferBytesMax: 1600 });
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  const first = numbers.slice(0, 4).map((number) => producer.put({ partitionKey: 'p', data: `${number}` }));
  void (await first[0])?.acknowledged.then(() => {
    for (const number of numbers.slice(4)) void producer.put({ partitionKey: 'p', data: `${number}` });
  });
  await timing.pass(3000);
  expect(found(kinesis)).toEqual(numbers.map(String));
});

it('a short throttling does not hold up large records for long', async () => {
  const { producer, kinesis, timing } = await open({ isAggregating: false });
  let left = 4;
  kinesis.fateOf = (entry) => (entry !== undefined && left-- > 0 ? 'throttled' : 'good');
  for (let i = 0; i < 4; i++) await producer.put({ partitionKey: `${i}`, data: Buffer.alloc(1_000_000) });
  await timing.pass(29_000);
  expect(producer.metrics()).toMatchObject({ UserRecordsPut: 4, UserRecordExpired: 0 });
});

it('a list of shards that never comes holds up neither records nor the close', async () => {
  const { producer, kinesis, timing } = await open();
  await producer.put({ partitionKey: 'a', data: 'x' });
  await producer.put({ partitionKey: 'b', data: 'y' });
  kinesis.split(kinesis.openShards[0] as (typeof kinesis.shards)[0]);
  kinesis.listShards = () => new Promise(() => undefined);
  await timing.pass(20_000);
  expect(found(kinesis).sort()).toEqual(['x', 'y']);
  await producer.close({ signal: AbortSignal.abort() });
});

it('one record that the service refuses does not take others with it', async () => {
  const { producer, kinesis, timing } = await open({ recordBytesMax: 3_000_000 });
  const put = kinesis.putRecords.bind(kinesis);
  kinesis.putRecords = (entries: readonly PutEntry[], signal: AbortSignal): Promise<PutResult[]> =>
    entries.some(({ data }) => data.length > 1_048_576)
      ? Promise.reject(named('ValidationException'))
      : put(entries, signal);
  const tickets: Ticket[] = [];
  for (let i = 0; i < 20; i++) tickets.push(await producer.put({ partitionKey: `${i}`, data: `${i}` }));
  const large = await producer.put({ partitionKey: 'p', data: Buffer.alloc(2_000_000) });
  await timing.pass(1000);
  await Promise.all(tickets.map(({ acknowledged }) => acknowledged));
  expect(await errorOf(large)).toMatchObject({ code: 'ValidationException' });
});

it('a shard with much to put does not keep another from its turn', async () => {
  const { producer, kinesis, timing } = await open({ callsMax: 1, isAggregating: false, bufferBytesMax: 1e9 }, 2);
  kinesis.delayMs = 300;
  const hot = '0';
  const data = Buffer.alloc(900_000);
  for (let i = 0; i < 60; i++) await producer.put({ partitionKey: 'p', explicitHashKey: hot, data });
  const other = await producer.put({ partitionKey: 'p', explicitHashKey: String(2n ** 127n), data });
  await timing.pass(1500);
  await other.acknowledged;
  expect(producer.metrics().UserRecordsPending).toBeGreaterThan(20);
});

it('tries are kept up to a number', async () => {
  const { producer, kinesis, timing } = await open({ recordTtlMs: Infinity });
  kinesis.fateOf = () => 'lost';
  const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
  await timing.pass(3_600_000);
  await producer.close({ signal: AbortSignal.abort() });
  expect((await errorOf(ticket)).attempts).toHaveLength(100);
});

it('a signal that has fired is heard before anything is accepted', async () => {
  const { producer } = await open();
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(producer.put({ partitionKey: 'p', data: 'x' }, { signal })).rejects.toThrow('enough');
  await expect(producer.putAll([{ partitionKey: 'p', data: 'x' }], { signal })).rejects.toThrow('enough');
  expect(producer.metrics().UserRecordsReceived).toBe(0);
});

it('a writable stream can be aborted while the memory is full', async () => {
  const { producer, kinesis } = await open({ bufferBytesMax: 10 });
  kinesis.fateOf = () => 'lost';
  const writer = producer.writable().getWriter();
  void writer.write({ partitionKey: 'p', data: 'x' }).catch(() => undefined);
  const waits = writer.write({ partitionKey: 'p', data: 'y' });
  const refused = expect(waits).rejects.toThrow('enough');
  await settled();
  writer.closed.catch(() => undefined);
  await writer.abort(new Error('enough'));
  await refused;
});

it('data that is neither bytes nor text is refused and leaves no trace', async () => {
  const { producer } = await open();
  await expect(producer.put({ partitionKey: 'p', data: new ArrayBuffer(3) as never })).rejects.toThrow('data is bytes');
  expect(producer.metrics()).toMatchObject({ BufferedBytes: 0, UserRecordsPending: 0 });
});

it('a dead letter behind a torn line is a line of its own', async () => {
  const file = join(folder, 'letters');
  appendFileSync(file, '{"torn":');
  const { producer, kinesis } = await open({ deadLetters: { file } });
  kinesis.fateOf = () => named('AccessDeniedException');
  const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
  await producer.flush();
  expect((await errorOf(ticket)).isDeadLettered).toBe(true);
  const [torn, letter] = readFileSync(file, 'utf8').trimEnd().split('\n') as [string, string];
  expect(() => readDeadLetter(torn)).toThrow('no dead letter');
  expect(readDeadLetter(letter).partitionKey).toBe('p');
});

it('a dead letter that is refused does not take others with it, and none is written without a result', async () => {
  const timing = new ManualTiming();
  const kinesis = new FakeKinesis(timing, 1);
  kinesis.fateOf = () => named('AccessDeniedException');
  const letters = new FakeKinesis(timing, 1);
  const put = letters.putRecords.bind(letters);
  letters.putRecords = async (entries, signal) => {
    if (entries.some(({ data }) => data.length > 5000)) throw named('ValidationException');
    return entries.some(({ partitionKey }) => partitionKey === 'no result') ? [] : put(entries, signal);
  };
  const callsOf = (stream: string): FakeKinesis => (stream === 'letters' ? letters : kinesis);
  const producer = await Producer.openOn({ callsOf, timing }, { stream: 's', deadLetters: { stream: 'letters' } });
  const tickets = await Promise.all([
    producer.put({ partitionKey: 'small', data: 'x' }),
    producer.put({ partitionKey: 'large', data: Buffer.alloc(5000) }),
    producer.put({ partitionKey: 'no result', data: 'x' }),
  ]);
  void producer.flush();
  await timing.pass(10_000);
  const errors = await Promise.all(tickets.map(errorOf));
  expect(errors.map(({ isDeadLettered }) => isDeadLettered)).toEqual([true, false, false]);
  for (const { cause } of errors.slice(1)) expect(cause).toBeInstanceOf(Error);
});

it('dead letters that are refused for no reason, or never written, are not taken as written', async () => {
  for (const deadLetters of [() => Promise.reject(), () => new Promise<void>(() => undefined)]) {
    const { producer, kinesis, timing } = await open({ deadLetters });
    kinesis.fateOf = () => named('AccessDeniedException');
    const ticket = await producer.put({ partitionKey: 'p', data: 'x' });
    await timing.pass(200);
    await producer.close({ signal: AbortSignal.abort() });
    expect(await errorOf(ticket)).toMatchObject({ isDeadLettered: false });
  }
});

it('a producer that cannot be opened leaves the spool to others', async () => {
  const timing = new ManualTiming();
  const settings = { stream: 's', spool: { folder } };
  const callsOf = (): never => {
    throw new Error('no stream');
  };
  await expect(Producer.openOn({ callsOf, timing }, settings)).rejects.toThrow('no stream');
  await (await Producer.openOn({ callsOf: () => new FakeKinesis(timing, 1), timing }, settings)).close();
});
