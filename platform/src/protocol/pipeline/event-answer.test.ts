import { once } from 'node:events';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ResourceInUseException } from '../../model/index.ts';
import { defaultLimits, type Listener, type ProtocolLimits } from '../index.ts';
import { headersFor, RawClient, rawRequest, startListener } from '../testing/harness.ts';

type Item = object | Error | 'end';

/** A handler's answer: events are pushed into it, and are taken by whoever reads. */
class Source implements AsyncIterableIterator<object> {
  takenCount = 0;
  isStopped = false;
  readonly #items: Item[] = [];
  #wake: (() => void) | undefined;

  push(...items: Item[]): void {
    this.#items.push(...items);
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<object>> {
    while (this.#items.length === 0 && !this.isStopped) await new Promise<void>((resolve) => (this.#wake = resolve));
    const item = this.#items.shift() ?? 'end';
    if (item instanceof Error) throw item;
    if (item === 'end') return { done: true, value: undefined };
    this.takenCount++;
    return { done: false, value: item };
  }

  return(): Promise<IteratorResult<object>> {
    this.isStopped = true;
    this.#wake?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const event = (ContinuationSequenceNumber: string, bytes = 3): object => ({
  SubscribeToShardEvent: {
    Records: [{ SequenceNumber: '1', Data: Buffer.alloc(bytes), PartitionKey: 'k', ApproximateArrivalTimestamp: 1500 }],
    ContinuationSequenceNumber,
    MillisBehindLatest: 0,
  },
});
const input =
  '{"ConsumerARN":"arn:aws:kinesis:eu-west-1:000000000000:stream/s/consumer/c:1","ShardId":"0","StartingPosition":{"Type":"LATEST"}}';
const request = rawRequest(headersFor('SubscribeToShard'), input);
const chunkedHead = rawRequest({ ...headersFor('SubscribeToShard'), 'transfer-encoding': 'chunked' });
const chunkedRequest = `${chunkedHead.replace('content-length: 0\r\n', '')}${input.length.toString(16)}\r\n${input}\r\n0\r\n\r\n`;

let source: Source;
let listener: Listener;
let clients: RawClient[] = [];

async function start(limits: Partial<ProtocolLimits> = {}): Promise<void> {
  source = new Source();
  listener = await startListener(
    { subscribeToShard: () => ({ EventStream: source }), describeLimits: () => ({ ShardLimit: 1, OpenShardCount: 0 }) },
    { limits: { ...defaultLimits, ...limits } },
  );
}

beforeEach(() => start());
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  clients = [];
  await listener.close(0);
});

function client(text: string): RawClient {
  const made = new RawClient(listener.port);
  clients.push(made);
  made.socket.write(text);
  return made;
}

/** Headers and payload of each whole frame. */
function framesIn(bytes: Buffer): { headers: Record<string, string>; payload: string }[] {
  const found = [];
  for (
    let at = 0;
    at + 4 <= bytes.length && at + bytes.readUInt32BE(at) <= bytes.length;
    at += bytes.readUInt32BE(at)
  ) {
    const frame = bytes.subarray(at, at + bytes.readUInt32BE(at));
    const headersEnd = 12 + frame.readUInt32BE(4);
    const headers: Record<string, string> = {};
    for (let i = 12; i < headersEnd;) {
      const nameEnd = i + 1 + (frame[i] as number);
      const valueAt = nameEnd + 3;
      const valueEnd = valueAt + frame.readUInt16BE(nameEnd + 1);
      headers[frame.toString('utf8', i + 1, nameEnd)] = frame.toString('utf8', valueAt, valueEnd);
      i = valueEnd;
    }
    found.push({ headers, payload: frame.toString('utf8', headersEnd, frame.length - 4) });
  }
  return found;
}

/** The body of the first answer in chunks, as far as it has come. */
function chunkedBody(received: string): { body: Buffer; hasEnded: boolean } {
  const parts: Buffer[] = [];
  let at = received.indexOf('\r\n\r\n') + 4;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at);
    const length = Number.parseInt(received.slice(at, lineEnd), 16);
    if (lineEnd < 0 || Number.isNaN(length)) return { body: Buffer.concat(parts), hasEnded: false };
    if (length === 0) return { body: Buffer.concat(parts), hasEnded: true };
    parts.push(Buffer.from(received.slice(lineEnd + 2, lineEnd + 2 + length), 'latin1'));
    at = lineEnd + 2 + length + 2;
  }
}

const frames = (one: RawClient): ReturnType<typeof framesIn> => framesIn(chunkedBody(one.received).body);
const eventHeaders = (name: string): Record<string, string> => ({
  ':message-type': 'event',
  ':event-type': name,
  ':content-type': 'application/x-amz-json-1.1',
});

test('the initial response comes before any event; events follow as they are made; the end is the end of the answer', async () => {
  const one = client(request);
  await one.until(() => frames(one).length === 1);
  expect(one.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\nContent-Type: application\/vnd\.amazon\.eventstream\r\n/);
  expect(one.received).toMatch(/\r\nTransfer-Encoding: chunked\r\n/);
  expect(frames(one)).toEqual([{ headers: eventHeaders('initial-response'), payload: '{}' }]);
  source.push(event('7'));
  await one.until(() => frames(one).length === 2);
  const second = frames(one)[1];
  expect(second?.headers).toEqual(eventHeaders('SubscribeToShardEvent'));
  expect(JSON.parse(second?.payload ?? '')).toEqual({
    Records: [{ SequenceNumber: '1', Data: 'AAAA', PartitionKey: 'k', ApproximateArrivalTimestamp: 1.5 }],
    ContinuationSequenceNumber: '7',
    MillisBehindLatest: 0,
  });
  source.push('end');
  await one.until(() => chunkedBody(one.received).hasEnded);
  one.socket.write(rawRequest(headersFor('DescribeLimits'), '{}'));
  await one.until(/"ShardLimit":1/);
});

test('an event that goes to two readers has the same bytes for both', async () => {
  const shared = event('8', 100_000);
  const bodies: string[] = [];
  for (let count = 0; count < 2; count++) {
    source = new Source();
    source.push(shared, 'end');
    const one = client(request);
    await one.until(() => chunkedBody(one.received).hasEnded);
    bodies.push(chunkedBody(one.received).body.toString('latin1'));
  }
  expect(bodies[1]).toBe(bodies[0]);
  expect(framesIn(Buffer.from(bodies[0] ?? '', 'latin1'))).toHaveLength(2);
});

test.each([
  [new ResourceInUseException('taken'), 'ResourceInUseException', 'taken'],
  [new Error('a secret'), 'InternalFailureException', 'The stream of events has failed.'],
])('%s after the beginning is the last frame', async (error, type, message) => {
  source.push(error);
  const one = client(request);
  await one.until(() => chunkedBody(one.received).hasEnded);
  expect(frames(one)[1]).toEqual({
    headers: { ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/x-amz-json-1.1' },
    payload: JSON.stringify({ message }),
  });
});

test('CBOR is refused before the operation', async () => {
  const headers = headersFor('SubscribeToShard', { 'content-type': 'application/x-amz-cbor-1.1' });
  const one = client(rawRequest({ ...headers, 'content-length': '1' }, '\u{a0}'.slice(0, 1)).replace('\u{a0}', ''));
  one.socket.write(Buffer.from([0xa0]));
  await one.until(/^HTTP\/1\.1 400 [^]*SerializationException/);
  expect(source.takenCount).toBe(0);
});

test('a reader that leaves ends the source', async () => {
  const one = client(request);
  await one.until(() => frames(one).length === 1);
  one.socket.destroy();
  while (!source.isStopped) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a reader that does not read has one event taken for it, and others are served', async () => {
  const count = 200;
  source.push(...Array.from({ length: count }, (_, index) => event(String(index), 250_000)), 'end');
  const socket = connect(listener.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.pause();
  socket.write(request);
  let before = -1;
  while (source.takenCount !== before) {
    before = source.takenCount;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // What the sockets of both sides take in, and one.
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(count * 0.8);
  expect(await client(rawRequest(headersFor('DescribeLimits'), '{}')).until(/"ShardLimit":1/)).toContain('200 OK');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  while (chunks.at(-1)?.toString('latin1').endsWith('\r\n0\r\n\r\n') !== true) await once(socket, 'data');
  socket.destroy();
  expect(framesIn(chunkedBody(Buffer.concat(chunks).toString('latin1')).body)).toHaveLength(count + 1);
});

test('HTTP/2: events arrive one by one; a stream that is reset ends the source', async () => {
  const session = http2.connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/', ...headersFor('SubscribeToShard') });
  let received: Buffer = Buffer.alloc(0);
  const seen = async (count: number): Promise<void> => {
    while (framesIn(received).length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  stream.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  stream.on('error', () => undefined);
  stream.end(input);
  await seen(1);
  source.push(event('1'));
  await seen(2);
  expect(source.isStopped).toBe(false);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  while (!source.isStopped) await new Promise((resolve) => setTimeout(resolve, 5));
  session.destroy();
});

test.each([
  ['on the fast path', request],
  ['by the HTTP server of Node', chunkedRequest],
])('a listener that closes ends the answer as if it were over, and its connection (%s)', async (_, text) => {
  const one = client(text);
  await one.until(() => frames(one).length === 1);
  const closed = listener.close(60_000);
  await one.until(() => chunkedBody(one.received).hasEnded);
  await one.closed;
  await closed;
});
