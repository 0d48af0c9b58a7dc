import { afterEach, describe, expect, it } from 'vitest';
import { defaultLimits, type Handler, type Listener } from '../../index.ts';
import { headersFor, RawClient, rawRequest, startListener } from '../../testing/harness.ts';
import { ManualClock } from '../../testing/manual-clock.ts';

const bodyOf = (key: string): string => `{"StreamName":"a","PartitionKey":"${key}","Data":"AAAA"}`;
const putOf = (key: string, more: Record<string, string> = {}): string =>
  rawRequest(headersFor('PutRecord', more), bodyOf(key));
const chunkedPutOf = (key: string): string => {
  const body = bodyOf(key);
  const head = rawRequest(headersFor('PutRecord', { 'transfer-encoding': 'chunked' }));
  return `${head.replace('content-length: 0\r\n', '')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
};

let listener: Listener | undefined;
let client: RawClient | undefined;
afterEach(async () => {
  client?.socket.destroy();
  await listener?.close(0);
});

/** Answers each put with its key, after `delay`. */
async function start(options: object = {}, delay: () => Promise<void> = () => Promise.resolve()): Promise<RawClient> {
  const putRecord: Handler = async ({ PartitionKey }: { PartitionKey: string }) => {
    await delay();
    return { ShardId: 'shardId-000000000000', SequenceNumber: PartitionKey.replaceAll(/\D/g, '') };
  };
  listener = await startListener({ putRecord }, options);
  client = new RawClient(listener.port);
  return client;
}

const answered = (received: string): string[] =>
  [...received.matchAll(/"SequenceNumber":"(\d+)"/g)].map(([, key]) => key as string);

async function answers(count: number): Promise<string[]> {
  return answered(await (client as RawClient).until((received) => answered(received).length >= count));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a connection on the fast path', () => {
  it('serves one request after the other', async () => {
    const { socket } = await start();
    for (let key = 1; key <= 5; key++) {
      socket.write(putOf(`k${key}`));
      expect((await answers(key)).at(-1)).toBe(String(key));
    }
  });

  it('serves a request that comes byte by byte', async () => {
    const { socket } = await start();
    for (const byte of putOf('k1')) {
      socket.write(byte);
      await turn();
    }
    expect(await answers(1)).toEqual(['1']);
  });

  it.each([
    ['two in one packet', [putOf('k1') + putOf('k2')]],
    ['a body in chunks after a common one', [putOf('k1'), chunkedPutOf('k2')]],
    ['a common one after a body in chunks', [chunkedPutOf('k1'), putOf('k2')]],
    ['a common one and half of the next', [putOf('k1') + putOf('k2').slice(0, 99), putOf('k2').slice(99)]],
    [
      'a large one after a small one',
      [putOf('k1'), rawRequest(headersFor('PutRecord'), bodyOf('k2') + ' '.repeat(100_000))],
    ],
  ])('serves %s', async (_, texts) => {
    const { socket } = await start();
    for (const text of texts) {
      socket.write(text);
      for (let turns = 0; turns < 20; turns++) await turn();
    }
    expect(await answers(2)).toEqual(['1', '2']);
  });

  it('answers in order what is sent ahead of its turn', async () => {
    let letGo: (() => void) | undefined;
    let isFirst = true;
    const { socket } = await start({}, () => {
      if (!isFirst) return Promise.resolve();
      isFirst = false;
      return new Promise((resolve) => (letGo = resolve));
    });
    socket.write(putOf('k1'));
    while (letGo === undefined) await turn();
    for (const key of ['k2', 'k3', 'k4']) {
      socket.write(putOf(key));
      for (let turns = 0; turns < 20; turns++) await turn();
    }
    letGo();
    expect(await answers(4)).toEqual(['1', '2', '3', '4']);
  });

  it('goes to another page, and back to calls', async () => {
    const { socket } = await start();
    socket.write(putOf('k1'));
    await answers(1);
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await (client as RawClient).until(/HTTP\/1\.1 403 [^]*AccessDenied/);
    socket.write(putOf('k2'));
    expect(await answers(2)).toEqual(['1', '2']);
  });

  it('is left to Node by a request that dallies, which is still served', async () => {
    const clock = new ManualClock();
    const { socket } = await start({ clock });
    socket.write(putOf('k1').slice(0, 50));
    for (let second = 0; second < 4; second++) {
      for (let turns = 0; turns < 50; turns++) await turn();
      clock.advance(1000);
    }
    socket.write(putOf('k1').slice(50));
    expect(await answers(1)).toEqual(['1']);
  });

  it('is ended after the time that an idle one may last, and not before', async () => {
    const clock = new ManualClock();
    const { socket, closed } = await start({ clock, limits: { ...defaultLimits, idleTimeoutMs: 10_000 } });
    socket.write(putOf('k1'));
    await answers(1);
    for (let second = 0; second < 9; second++) clock.advance(1000);
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(socket.destroyed).toBe(false);
    for (let second = 0; second < 4; second++) clock.advance(1000);
    await closed;
  });

  it('ends with the answer under way when the server closes, at once when none is', async () => {
    let letGo: (() => void) | undefined;
    const busy = await start({}, () => new Promise((resolve) => (letGo = resolve)));
    const idle = new RawClient((listener as Listener).port);
    idle.socket.write('POST / HTTP/1.1\r\n');
    busy.socket.write(putOf('k1'));
    while (letGo === undefined) await turn();
    const closing = (listener as Listener).close(10_000);
    await idle.closed;
    letGo();
    await busy.closed;
    expect(busy.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*"SequenceNumber":"1"/);
    await closing;
  });

  it('tells the headers that Node would', async () => {
    const { socket } = await start();
    socket.write(putOf('k1'));
    await answers(1);
    const fast = (client as RawClient).received;
    (client as RawClient).received = '';
    socket.write(chunkedPutOf('k1'));
    await answers(1);
    const names = (text: string): string[] => [...text.matchAll(/^([\w-]+): /gm)].map(([, name]) => name as string);
    expect(names(fast).toSorted()).toEqual(names((client as RawClient).received).toSorted());
  });
});
