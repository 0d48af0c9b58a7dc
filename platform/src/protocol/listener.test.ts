import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { type Certificate, generateCertificate, type Listener } from './index.ts';
import { headersFor, RawClient, rawRequest, startListener } from './testing/harness.ts';

const BODY = '{"StreamName":"a","PartitionKey":"k","Data":"AAAA"}';
const ANSWER = '{"ShardId":"shardId-000000000000","SequenceNumber":"1"}';
const headers = headersFor('PutRecord');
const put = rawRequest(headers, BODY);

const output = { ShardId: 'shardId-000000000000', SequenceNumber: '1' };
let certificate: Certificate;
let certificatesAsked = 0;
let listener: Listener;

beforeAll(async () => {
  certificate = await generateCertificate(systemClock);
  listener = await startListener(
    { putRecord: () => output },
    {
      certificate: () => {
        certificatesAsked++;
        return certificate;
      },
    },
  );
});
afterAll(() => listener.close(0));

function h1(secure: boolean, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host, port: listener.port, method: 'POST', headers, agent: false, ca: certificate.cert };
    const out = (secure ? https : http).request({ ...options, servername: 'localhost' }, (answer) => {
      let text = `${answer.httpVersion} ${answer.statusCode} `;
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve(text));
    });
    out.on('error', reject);
    out.end(BODY);
  });
}

function h2(origin: string, port = listener.port, body = BODY): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`${origin}:${port}`, { ca: certificate.cert });
    session.on('error', reject);
    const stream = session.request({ ':method': 'POST', ':path': '/', ...headers });
    let text = '2 ';
    stream.on('response', (answer) => (text += `${answer[':status']} `));
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      resolve(text);
    });
    stream.end(body);
  });
}

describe('one port', () => {
  it('asks for the certificate at the first TLS connection only, and again when told to', async () => {
    await h1(false, '127.0.0.1');
    expect(certificatesAsked).toBe(0);
    await listener.renewCertificate();
    expect(certificatesAsked).toBe(0);
    await Promise.all([h1(true, '127.0.0.1'), h1(true, '127.0.0.1')]);
    expect(certificatesAsked).toBe(1);
    await listener.renewCertificate();
    expect(certificatesAsked).toBe(2);
    expect(await h1(true, '127.0.0.1')).toBe(`1.1 200 ${ANSWER}`);
  });

  it('serves HTTP/1.1 and HTTP/2, each plain and over TLS, at both loopback addresses', async () => {
    expect(listener.addresses.map(({ host }) => host)).toContain('127.0.0.1');
    for (const { host } of listener.addresses) {
      const name = host.includes(':') ? `[${host}]` : host;
      expect(await h1(false, host)).toBe(`1.1 200 ${ANSWER}`);
      expect(await h1(true, host)).toBe(`1.1 200 ${ANSWER}`);
      expect(await h2(`http://${name}`)).toBe(`2 200 ${ANSWER}`);
      expect(await h2(`https://${name}`)).toBe(`2 200 ${ANSWER}`);
    }
  });

  it('serves HTTP/1.1 that comes byte by byte', async () => {
    const client = new RawClient(listener.port);
    for (const char of put)
      await new Promise<void>((resolve) => client.socket.write(char, () => setImmediate(resolve)));
    expect(await client.until(/\}$/)).toContain(ANSWER);
    client.socket.destroy();
  });

  it('serves HTTP/2 whose preface comes byte by byte', async () => {
    const session = http2.connect(`http://127.0.0.1:${listener.port}`, {
      createConnection: () => {
        const socket = connectTcp({ port: listener.port, host: '127.0.0.1', noDelay: true });
        const write = socket.write.bind(socket) as (chunk: Buffer) => boolean;
        // A stream that is not a plain socket makes the client write through it.
        let first = true;
        return Object.assign(socket, {
          write: (chunk: Buffer, ...rest: unknown[]): boolean => {
            if (!first) return (write as (...args: unknown[]) => boolean)(chunk, ...rest);
            first = false;
            for (const byte of chunk) write(Buffer.from([byte]));
            const done = rest.find((item) => typeof item === 'function') as (() => void) | undefined;
            done?.();
            return true;
          },
        });
      },
    });
    const stream = session.request({ ':method': 'POST', ':path': '/', ...headers });
    stream.end(BODY);
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      stream.on('data', (chunk: Buffer) => (all += chunk.toString()));
      stream.on('end', () => resolve(all));
      stream.on('error', reject);
    });
    expect(text).toBe(ANSWER);
    session.close();
  });

  it('answers the HTTP/2 preface sent byte by byte with its settings', async () => {
    const client = new RawClient(listener.port);
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
    for (const byte of preface) {
      await new Promise<void>((resolve) => client.socket.write(Buffer.from([byte]), () => setImmediate(resolve)));
    }
    expect((await client.until(/^[^]{9}/)).charCodeAt(3)).toBe(4);
    client.socket.destroy();
  });

  it('answers pipelined requests in order', async () => {
    const client = new RawClient(listener.port);
    client.socket.write(put.repeat(50));
    await client.until((text) => text.split(ANSWER).length > 50);
    expect(client.received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(50);
    client.socket.destroy();
  });

  it('answers Expect: 100-continue, then the request', async () => {
    const client = new RawClient(listener.port);
    const [head, body] = rawRequest({ ...headers, expect: '100-continue' }, BODY).split('\r\n\r\n') as [string, string];
    client.socket.write(`${head}\r\n\r\n`);
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.socket.write(body);
    expect(await client.until(/\}$/)).toContain(ANSWER);
    client.socket.destroy();
  });

  it('answers chunked bodies', async () => {
    const client = new RawClient(listener.port);
    const { 'content-length': _left, ...rest } = { 'content-length': '', ...headers };
    const chunks = BODY.split('')
      .map((char) => `1\r\n${char}\r\n`)
      .join('');
    const head = rawRequest({ ...rest, 'transfer-encoding': 'chunked' })
      .replace('content-length: 0\r\n', '')
      .trimEnd();
    client.socket.write(`${head}\r\n\r\n${chunks}0\r\n\r\n`);
    expect(await client.until(/\}$/)).toContain(ANSWER);
    client.socket.destroy();
  });

  it('refuses what is not HTTP', async () => {
    const client = new RawClient(listener.port);
    client.socket.write('\0\0\0garbage\r\n\r\n');
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('refuses HTTP/1.1 that claims another version, and lives on', async () => {
    for (const version of ['HTTP/2.0', 'HTTP/0.9']) {
      for (const head of [`POST / ${version}\r\nHost: localhost\r\n\r\n`, put.replace('HTTP/1.1', version)]) {
        const client = new RawClient(listener.port);
        client.socket.write(head);
        await client.closed;
        expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
      }
    }
    expect(await h1(false, '127.0.0.1')).toBe(`1.1 200 ${ANSWER}`);
  });

  it('answers the calls before something malformed with their own answers, then closes', async () => {
    for (const garbage of ['GARBAGE\r\n\r\n', 'POST / HTTP/2.0\r\nHost: localhost\r\n\r\n']) {
      const client = new RawClient(listener.port);
      client.socket.write(put + put + garbage);
      await client.closed;
      expect(client.received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    }
  });

  it('answers the calls before a body with a malformed chunk, then closes', async () => {
    const client = new RawClient(listener.port);
    const chunked = put.replace(/content-length: \d+/, 'transfer-encoding: chunked').replace(BODY, 'xyz\r\n');
    client.socket.write(put + chunked);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.received).not.toContain('HTTP/1.1 500');
    const alone = new RawClient(listener.port);
    alone.socket.write(chunked);
    await alone.closed;
    expect(alone.received).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('survives connections that say nothing or half of something', async () => {
    for (const text of ['', 'P', '\x16', 'PRI * HTTP/2.0\r\n', 'POST / HTT', rawRequest(headers, BODY).slice(0, -5)]) {
      const client = new RawClient(listener.port);
      await new Promise<void>((resolve) => client.socket.write(text || ' ', () => resolve()));
      client.socket.destroy();
      await client.closed;
    }
    expect(await h1(false, '127.0.0.1')).toBe(`1.1 200 ${ANSWER}`);
  });

  it('says which port is taken', async () => {
    await expect(startListener({}, { port: listener.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('closing', () => {
  it('finishes calls in flight, ends idle connections at once and accepts no new ones', async () => {
    let answer: ((value: unknown) => void) | undefined;
    let started: (() => void) | undefined;
    const waiting = new Promise((resolve) => (answer = resolve));
    let startedCount = 0;
    const bothStarted = new Promise<void>((resolve) => (started = resolve));
    const local = await startListener({
      putRecord: () => {
        if (++startedCount === 2) started?.();
        return waiting;
      },
      listStreams: () => ({ StreamNames: [], HasMoreStreams: false }),
    });
    const silent = new RawClient(local.port);
    const idle = new RawClient(local.port);
    idle.socket.write(rawRequest(headersFor('ListStreams'), '{}'));
    await idle.until(/\}$/);
    const busy = new RawClient(local.port);
    busy.socket.write(put);
    const busyH2 = h2('http://127.0.0.1', local.port);
    await bothStarted;

    const closed = local.close(60_000);
    await Promise.all([idle.closed, silent.closed]);
    const late = new RawClient(local.port);
    await late.closed;
    answer?.(output);
    expect(await busy.until(/\}$/)).toContain(ANSWER);
    expect(busy.received).toContain('Connection: close');
    expect(await busyH2).toBe(`2 200 ${ANSWER}`);
    await Promise.all([closed, local.close(0), busy.closed]);
  });

  it('ends idle HTTP/1.1 connections over TLS at once', async () => {
    const local = await startListener({ putRecord: () => output }, { certificate: () => certificate });
    const socket = connectTls({ port: local.port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' });
    const isAnswered = new Promise((resolve) => socket.once('data', resolve));
    const isClosed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.write(put);
    await isAnswered;
    await Promise.all([local.close(60_000), isClosed]);
  });

  it('cuts what has not finished at the deadline, and tells handlers', async () => {
    let started: (() => void) | undefined;
    const isStarted = new Promise<void>((resolve) => (started = resolve));
    let aborted = false;
    const local = await startListener({
      putRecord: (_input: never, call) =>
        new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('the caller has left'));
          });
          started?.();
        }),
    });
    const busy = new RawClient(local.port);
    busy.socket.write(put);
    await isStarted;
    await local.close(20);
    await busy.closed;
    expect(aborted).toBe(true);
  });

  it('of a listener that never had a connection is immediate', async () => {
    const local = await startListener({});
    await local.close(60_000);
  });
});
