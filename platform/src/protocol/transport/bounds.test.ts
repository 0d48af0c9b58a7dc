import http2 from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultLimits, type Handler, type Listener, type ProtocolLimits } from '../index.ts';
import { headersFor, RawClient, rawRequest, startListener } from '../testing/harness.ts';
import { ManualClock } from '../testing/manual-clock.ts';

const put = headersFor('PutRecord');
const bodyOf = (bytes: number): string =>
  `{"StreamName":"a","PartitionKey":"k","Data":"AAAA"${' '.repeat(bytes - 51)}}`;
const output = { ShardId: 'shardId-000000000000', SequenceNumber: '1' };
const answered = /\r\n\r\n\{.*\}$/;

let listener: Listener | undefined;
let clients: RawClient[] = [];
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  clients = [];
  await listener?.close(0);
  listener = undefined;
});

async function start(
  limits: Partial<ProtocolLimits>,
  operations: Record<string, Handler> = {},
  rest: object = {},
): Promise<void> {
  listener = await startListener(
    { putRecord: () => output, ...operations },
    { limits: { ...defaultLimits, ...limits }, ...rest },
  );
}

function client(text = ''): RawClient {
  const made = new RawClient((listener as Listener).port);
  clients.push(made);
  if (text !== '') made.socket.write(text);
  return made;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets everything happen that can happen without time going on. */
async function settle(): Promise<void> {
  for (let count = 0; count < 200; count++) await turn();
}

/** A handler that waits until it is let go. */
class Gate {
  callCount = 0;
  #open: (() => void)[] = [];
  readonly handler: Handler = () => {
    this.callCount++;
    return new Promise((resolve) => this.#open.push(() => resolve(output)));
  };
  async reached(count: number): Promise<void> {
    while (this.callCount < count) await turn();
  }
  letGo(): void {
    for (const open of this.#open.splice(0)) open();
  }
}

function chunked(body: string): string {
  const head = rawRequest({ ...put, 'transfer-encoding': 'chunked' }).replace('content-length: 0\r\n', '');
  return `${head}${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

describe('the limit of a body', () => {
  const limits = { bodyBytesMax: 1000, smallBodyBytesMax: 500 };

  it.each([999, 1000])('lets %i bytes of 1000 in, of known and of unknown length', async (bytes) => {
    await start(limits);
    for (const text of [rawRequest(put, bodyOf(bytes)), chunked(bodyOf(bytes))]) {
      expect(await client(text).until(answered)).toContain('200 OK');
    }
  });

  it('answers 1001 bytes of 1000 with 413, no body and the end of the connection', async () => {
    await start(limits);
    for (const text of [rawRequest(put, bodyOf(1001)), chunked(bodyOf(1001))]) {
      const one = client(text);
      await one.closed;
      expect(one.received).toMatch(/^HTTP\/1\.1 413 [^]*\r\nContent-Length: 0\r\n[^]*\r\n\r\n$/);
      expect(one.received).toContain('Connection: close');
    }
  });

  it('answers by the declared length alone, also to Expect: 100-continue', async () => {
    await start(limits);
    for (const more of [{}, { expect: '100-continue' }]) {
      const one = client(rawRequest({ ...put, ...more, 'content-length': '1001' }));
      expect(await one.until(/\r\n\r\n$/)).toMatch(/^HTTP\/1\.1 413 /);
      one.socket.end();
      await one.closed;
    }
  });

  it('counts HTTP/2 bodies alike', async () => {
    await start(limits);
    const session = http2.connect(`http://127.0.0.1:${listener?.port}`);
    const status = (bytes: number, declared: boolean): Promise<number> =>
      new Promise((resolve, reject) => {
        const more = declared ? { 'content-length': bytes } : {};
        const stream = session.request({ ':method': 'POST', ':path': '/', ...put, ...more });
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', reject);
        stream.resume();
        stream.end(bodyOf(bytes));
      });
    for (const declared of [true, false]) {
      expect(await status(1000, declared)).toBe(200);
      expect(await status(1001, declared)).toBe(413);
    }
    session.destroy();
  });
});

describe('bodies in flight', () => {
  const limits = { bodiesBytesMax: 15_000_000, smallBodyBytesMax: 1000 };
  // More than the sockets of both sides take in.
  const large = rawRequest(put, bodyOf(12_000_000));

  it('are not read before they have their share; small ones pass by', async () => {
    const gate = new Gate();
    await start(limits, { putRecord: gate.handler, listStreams: () => ({ StreamNames: [], HasMoreStreams: false }) });
    const [first, second] = [client(large), client(large)];
    await gate.reached(1);
    await settle();
    expect(gate.callCount).toBe(1);
    const waiting = [first, second].filter(({ socket }) => socket.writableLength > 0);
    expect(waiting).toHaveLength(1);
    expect(await client(rawRequest(headersFor('ListStreams'), '{}')).until(answered)).toContain('200 OK');
    gate.letGo();
    await gate.reached(2);
    gate.letGo();
    for (const one of [first, second]) expect(await one.until(answered)).toContain('200 OK');
  });

  it('give back the share of a peer that leaves in the middle', async () => {
    await start({ bodiesBytesMax: 12_000_000, smallBodyBytesMax: 1000 });
    const leaving = client(large.slice(0, 1_000_000));
    await settle();
    leaving.socket.destroy();
    expect(await client(large).until(answered)).toContain('200 OK');
  });

  it('of HTTP/2 streams that wait send one window and no more', async () => {
    const gate = new Gate();
    await start({ ...limits, bodiesBytesMax: 6_000_000 }, { putRecord: gate.handler });
    const session = http2.connect(`http://127.0.0.1:${listener?.port}`);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const body = bodyOf(4_000_000);
    const streams = [0, 1].map(() =>
      session.request({ ':method': 'POST', ':path': '/', 'content-length': body.length, ...put }),
    );
    for (const stream of streams) stream.end(body);
    const ends = streams.map(
      (stream) =>
        new Promise<number>((resolve, reject) => {
          stream.on('response', (headers) => resolve(Number(headers[':status'])));
          stream.on('error', reject);
          stream.resume();
        }),
    );
    await gate.reached(1);
    await settle();
    expect(gate.callCount).toBe(1);
    // One whole body, one window of the other, and their frames' headers.
    expect(session.socket.bytesWritten).toBeLessThan(4_000_000 + defaultLimits.streamWindowBytes + 10_000);
    gate.letGo();
    await gate.reached(2);
    gate.letGo();
    expect(await Promise.all(ends)).toEqual([200, 200]);
    session.destroy();
  });

  it('that wait too long are told 503', async () => {
    const clock = new ManualClock();
    const gate = new Gate();
    await start({ ...limits, bodyWaitMs: 5000 }, { putRecord: gate.handler }, { clock });
    client(large);
    await gate.reached(1);
    const second = client(rawRequest({ ...put, 'content-length': '4000000' }));
    await settle();
    clock.advance(6000);
    expect(await second.until(/\}$/)).toMatch(/^HTTP\/1\.1 503 [^]*"__type":"ServiceUnavailable"/);
    gate.letGo();
  });

  it('of unknown length that are small do not wait for large ones', async () => {
    const gate = new Gate();
    await start(limits, { putRecord: gate.handler, listStreams: () => ({ StreamNames: [], HasMoreStreams: false }) });
    client(large);
    await gate.reached(1);
    const head = rawRequest({ ...headersFor('ListStreams'), 'transfer-encoding': 'chunked' });
    const small = client(`${head.replace('content-length: 0\r\n', '')}2\r\n{}\r\n0\r\n\r\n`);
    expect(await small.until(answered)).toContain('200 OK');
    const second = client(chunked(bodyOf(100_000)));
    await settle();
    expect(gate.callCount).toBe(1);
    gate.letGo();
    await gate.reached(2);
    gate.letGo();
    expect(await second.until(answered)).toContain('200 OK');
  });

  it('that have not come whole hold up nobody', async () => {
    await start({ smallBodyBytesMax: 1000, smallBodiesBytesMax: 1000, arrivingBytesMax: 4000 });
    const unknown = rawRequest({ ...put, 'transfer-encoding': 'chunked' }).replace('content-length: 0\r\n', '');
    for (let index = 0; index < 10; index++) {
      client(`${unknown}1\r\n{\r\n`);
      client(rawRequest({ ...put, 'content-length': '1000' }, '{'));
    }
    await settle();
    for (const text of [rawRequest(put, bodyOf(1000)), chunked(bodyOf(1000))]) {
      expect(await client(text).until(answered)).toContain('200 OK');
    }
    const late = client(rawRequest({ ...put, 'content-length': '1000' }, bodyOf(1000).slice(0, 500)));
    await settle();
    late.socket.write(bodyOf(1000).slice(500));
    expect(await late.until(answered)).toContain('200 OK');
  });

  it('of which much has come and not ended must hurry; what is beyond that is told 503', async () => {
    const clock = new ManualClock();
    await start({ smallBodyBytesMax: 1000, arrivingBytesMax: 2000, crowdedBodyTimeoutMs: 2000 }, {}, { clock });
    const part = bodyOf(1000).slice(0, 900);
    const begin = (): RawClient => client(rawRequest({ ...put, 'content-length': '1000' }, part));
    const first = begin();
    await settle();
    clock.advance(1000);
    clock.advance(2000);
    await settle();
    expect(first.socket.destroyed).toBe(false);
    const second = begin();
    await settle();
    expect(await begin().until(/\}$/)).toMatch(/^HTTP\/1\.1 503 [^]*"__type":"ServiceUnavailable"/);
    clock.advance(1000);
    clock.advance(1000);
    await first.closed;
    // With room again, the second may take its time.
    clock.advance(1000);
    second.socket.write(bodyOf(1000).slice(900));
    expect(await second.until(answered)).toContain('200 OK');
  });

  it('are not overwritten while they are looked at, though their memory is used again', async () => {
    const told: string[] = [];
    const handler: Handler = async (input: { readonly Data: Buffer; readonly PartitionKey: string }) => {
      await settle(); // Meanwhile others come and go.
      told.push(input.Data.every((byte) => byte === input.PartitionKey.charCodeAt(0)) ? input.PartitionKey : 'mixed');
      return output;
    };
    await start({ pooledBodiesMax: 3, smallBodyBytesMax: 1000 }, { putRecord: handler });
    const headers = headersFor('PutRecord', { 'content-type': 'application/x-amz-cbor-1.1' });
    const keys = 'abcdefghijkl'.split('');
    await Promise.all(
      keys.map(async (key) => {
        const data = Buffer.alloc(200_000, key);
        const head = Buffer.from([0x5a, ...Buffer.from(data.length.toString(16).padStart(8, '0'), 'hex')]);
        const names = ['a3', '6a', 'StreamName', '61', 'a', '6c', 'PartitionKey', '61', key, '64', 'Data'];
        const bytes = names.map((text) => Buffer.from(text, /^[a6][0-9a-f]$/.test(text) ? 'hex' : 'latin1'));
        const body = Buffer.concat([...bytes, head, data]);
        const left = client(rawRequest({ ...headers, 'content-length': String(body.length) }));
        left.socket.write(body.subarray(0, 90_000), () => left.socket.destroy());
        const stays = client(rawRequest({ ...headers, 'content-length': String(body.length) }));
        stays.socket.write(body);
        await stays.until(/200 OK/);
      }),
    );
    expect(told.sort()).toEqual(keys);
  });

  it('that stop coming, or come too slowly, are cut', async () => {
    const clock = new ManualClock();
    await start({ bodyStallMs: 5000, bodyTimeoutMs: 20_000 }, {}, { clock });
    const stopped = client(rawRequest({ ...put, 'content-length': '100' }, '{'));
    const slow = client(rawRequest({ ...put, 'content-length': '100' }, '{'));
    await settle();
    for (let second = 0; second < 9; second++) {
      slow.socket.write(' ');
      await settle();
      clock.advance(1000);
    }
    await stopped.closed;
    expect(slow.socket.destroyed).toBe(false);
    for (let second = 0; second < 14; second++) {
      slow.socket.write(' ');
      await settle();
      clock.advance(1000);
    }
    await slow.closed;
  });
});

describe('answers in flight', () => {
  const record = { SequenceNumber: '1', Data: Buffer.alloc(1_000_000), PartitionKey: 'k' };
  const records = { Records: Array.from({ length: 10 }, () => record), MillisBehindLatest: 0 };
  const get = rawRequest(headersFor('GetRecords'), '{"ShardIterator":"AAAA"}');

  it('are made only within their budget', async () => {
    const gate = new Gate();
    await start({ answersInMakingBytesMax: 1000 }, { putRecord: gate.handler }, { answerBytesMax: () => 600 });
    const both = [client(rawRequest(put, bodyOf(100))), client(rawRequest(put, bodyOf(100)))];
    await gate.reached(1);
    await settle();
    expect(gate.callCount).toBe(1);
    gate.letGo();
    await gate.reached(2);
    gate.letGo();
    for (const one of both) expect(await one.until(answered)).toContain('200 OK');
  });

  it('that need nothing do not queue behind those that wait for their share', async () => {
    const gate = new Gate();
    const answerBytesMax = (operation: string): number => (operation === 'GetRecords' ? 600 : 0);
    await start({ answersInMakingBytesMax: 1000 }, { getRecords: gate.handler }, { answerBytesMax });
    client(get);
    client(get);
    await gate.reached(1);
    await settle();
    expect(await client(rawRequest(put, bodyOf(100))).until(answered)).toContain('200 OK');
    expect(gate.callCount).toBe(1);
    gate.letGo();
    await gate.reached(2);
    gate.letGo();
  });

  it('are sent only within their budget; a reader that takes nothing is cut and makes room', async () => {
    const clock = new ManualClock();
    await start({ answersInSendingBytesMax: 15_000_000 }, { getRecords: () => records }, { clock });
    const stuck = client();
    stuck.socket.pause();
    stuck.socket.write(get);
    await settle();
    const next = client(get);
    await settle();
    expect(next.received).toBe('');
    // Not all at once: time must find that nothing has moved, not that it has been away.
    for (let second = 0; second < 32; second++) {
      clock.advance(1000);
      await settle();
    }
    const text = await next.until(/\}$/);
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).Records).toHaveLength(10);
    stuck.socket.resume();
    await stuck.closed;
  });

  it('of HTTP/2 are cut alike', async () => {
    const clock = new ManualClock();
    await start({}, { getRecords: () => records }, { clock });
    const session = http2.connect(`http://127.0.0.1:${listener?.port}`);
    session.on('error', () => undefined);
    const stream = session.request({ ':method': 'POST', ':path': '/', ...headersFor('GetRecords') });
    stream.end('{"ShardIterator":"AAAA"}');
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('response', resolve));
    const closed = new Promise((resolve) => stream.once('close', resolve));
    for (let second = 0; second < 32; second++) {
      await settle();
      clock.advance(1000);
    }
    stream.resume();
    await closed;
    session.destroy();
  });
});

describe('connections', () => {
  it('beyond the limit are closed, and make room when they go', async () => {
    await start({ connectionsMax: 2 });
    const first = client(rawRequest(put, bodyOf(100)));
    const second = client(rawRequest(put, bodyOf(100)));
    await Promise.all([first.until(answered), second.until(answered)]);
    const third = client();
    await third.closed;
    first.socket.destroy();
    await settle();
    expect(await client(rawRequest(put, bodyOf(100))).until(answered)).toContain('200 OK');
  });

  it('with too many requests sent ahead are closed', async () => {
    const gate = new Gate();
    await start({ pipelinedMax: 3 }, { putRecord: gate.handler });
    const greedy = client(rawRequest(put, bodyOf(100)).repeat(4));
    await greedy.closed;
    expect(gate.callCount).toBeLessThanOrEqual(3);
    gate.letGo();
  });

  it('get 503 for calls beyond the limit', async () => {
    const gate = new Gate();
    await start({ callsMax: 1 }, { putRecord: gate.handler });
    const first = client(rawRequest(put, bodyOf(100)));
    await gate.reached(1);
    expect(await client(rawRequest(put, bodyOf(100))).until(/\}$/)).toMatch(/^HTTP\/1\.1 503 /);
    gate.letGo();
    expect(await first.until(answered)).toContain('200 OK');
  });

  it('are closed when they say nothing, when headers do not end, and when they are idle', async () => {
    await start({ headerTimeoutMs: 60, idleTimeoutMs: 60 });
    const silent = client();
    const slow = client('POST / HTTP/1.1\r\nhost: localhost\r\n');
    const idle = client(rawRequest(put, bodyOf(100)));
    await Promise.all([silent.closed, slow.closed, idle.closed]);
    expect(slow.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(idle.received).toContain('200 OK');
  });

  it('may take longer than headers do to say their first byte, and no longer than that for the next', async () => {
    const clock = new ManualClock();
    await start({ headerTimeoutMs: 10_000, idleTimeoutMs: 75_000 }, {}, { clock });
    const [late, slow] = [client(), client()];
    await settle();
    clock.advance(74_000);
    slow.socket.write('P');
    late.socket.write('P');
    await settle();
    clock.advance(9_000);
    slow.socket.write('R');
    late.socket.write(rawRequest(put, bodyOf(100)).slice(1));
    expect(await late.until(answered)).toContain('200 OK');
    expect(slow.socket.destroyed).toBe(false);
    clock.advance(1_000);
    await slow.closed;
  });

  it('over TLS are closed alike', async () => {
    await start({ headerTimeoutMs: 60, idleTimeoutMs: 60 });
    const texts = ['', 'POST / HTTP/1.1\r\nhost: localhost\r\n', rawRequest(put, bodyOf(100))];
    const closed = texts.map((text) => {
      const socket = connectTls({ port: listener?.port ?? 0, host: '127.0.0.1', rejectUnauthorized: false });
      socket.on('error', () => undefined);
      socket.resume();
      if (text !== '') socket.write(text);
      return new Promise((resolve) => socket.once('close', resolve));
    });
    await Promise.all(closed);
    const half = client('\x16\x03\x01');
    await half.closed;
  });

  it('with headers too long are told so', async () => {
    await start({ headerBytesMax: 4096 });
    const one = client(rawRequest({ ...put, 'x-long': 'a'.repeat(5000) }));
    await one.closed;
    expect(one.received).toMatch(/^HTTP\/1\.1 431 /);
  });
});
