import http from 'node:http';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headersFor, rawRequest } from '../../testing/harness.ts';
import { FastRequest } from './request.ts';

const limits = { headerBytesMax: 4096, requestBytesMax: 8192 };
const body = '{"StreamName":"a","PartitionKey":"k","Data":"AAAA"}';
const common = rawRequest(headersFor('PutRecord', { connection: 'keep-alive' }), body);

const read = (text: string): FastRequest | string => FastRequest.read(Buffer.from(text, 'latin1'), limits);
const withHeader = (line: string): string => common.replace('\r\n', `\r\n${line}\r\n`);
const headOf = (bytes: number): string =>
  withHeader(`x-long: ${'a'.repeat(bytes - withHeader('x-long: ').indexOf('\r\n\r\n') - 4)}`);

describe('a request on the fast path', () => {
  it('is read with its headers and its place', () => {
    const request = read(common) as FastRequest;
    expect(request.header('x-amz-target')).toBe('Kinesis_20131202.PutRecord');
    expect(request.header('absent')).toBeUndefined();
    expect((read(withHeader('X-Case: a')) as FastRequest).header('x-case')).toBe('a');
    expect((read(withHeader('X-Case: a')) as FastRequest).header('X-Case')).toBeUndefined();
    expect(common.slice(request.bodyStart, request.end)).toBe(body);
  });

  it('is incomplete at every byte before its last', () => {
    for (let length = 0; length < common.length; length++) expect(read(common.slice(0, length))).toBe('incomplete');
    expect(read(`${common}POST`)).toBeInstanceOf(FastRequest);
  });

  it.each([
    ['another method', common.replace('POST', 'PUT')],
    ['another path', common.replace('/', '/?X-Amz-Algorithm=AWS4-HMAC-SHA256')],
    ['another version', common.replace('1.1', '1.0')],
    ['a body in chunks', withHeader('transfer-encoding: chunked')],
    ['both lengths', withHeader('Transfer-Encoding: identity')],
    ['two lengths', withHeader(`Content-Length: ${body.length}`)],
    ['no length', common.replace(/content-length.*?\r\n/, '')],
    ['a length with a sign', common.replace('content-length: ', 'content-length: +')],
    ['a length with more behind it', common.replace(/(content-length: \d+)/, '$1, 5')],
    ['no host', common.replace(/host.*?\r\n/, '')],
    ['two hosts', withHeader('Host: elsewhere')],
    ['a header twice', withHeader('X-Amz-Date: 20260101T000000Z')],
    ['an expectation', withHeader('expect: 100-continue')],
    ['an upgrade', withHeader('upgrade: h2c')],
    ['the end of the connection', common.replace('keep-alive', 'close')],
    ['a name with a blank behind it', withHeader('x-a : b')],
    ['a name with a blank before it', withHeader(' x-a: b')],
    ['a continued line', withHeader('x-a: b\r\n c')],
    ['an empty name', withHeader(': b')],
    ['a line without a colon', withHeader('x-a')],
    ['a bare line feed', withHeader('x-a: b\nx-c: d')],
    ['a bare carriage return', withHeader('x-a: b\rx-c: d')],
    ['a zero byte', withHeader('x-a: b\0')],
    ['a byte beyond ASCII', withHeader('x-a: \u00e9')],
    ['a vertical tab', withHeader('x-a:\u000b b')],
  ])('is left to Node with %s', (_, text) => {
    expect(read(text)).toBe('other');
  });

  it('does not take a name for another of the same hash', () => {
    const strange = read(withHeader('origk0: https://elsewhere')) as FastRequest;
    expect([strange.header('origin'), strange.header('origk0')]).toEqual([undefined, 'https://elsewhere']);
    expect(read(common.replace('host', 'hou6'))).toBe('other');
    expect(read(withHeader('hou6: elsewhere'))).toBe('other');
    expect(read(withHeader('expee6: 100-continue'))).toBe('other');
  });

  it('is left to Node just above its limits, and not at them', () => {
    const heads = [limits.headerBytesMax, limits.headerBytesMax + 1].map((bytes) => read(headOf(bytes)));
    expect(heads).toEqual([expect.any(FastRequest), 'other']);
    const bytesOf = (bytes: number): string => {
      const text = rawRequest(headersFor('PutRecord'), ' '.repeat(6000));
      return rawRequest(headersFor('PutRecord'), ' '.repeat(6000 + bytes - text.length));
    };
    const wholes = [limits.requestBytesMax, limits.requestBytesMax + 1].map((bytes) => read(bytesOf(bytes)));
    expect(wholes).toEqual([expect.any(FastRequest), 'other']);
    const headers = (count: number): string =>
      `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n${Array.from({ length: count - 2 }, (__, i) => `x-${i}: b\r\n`).join('')}\r\n`;
    expect([64, 65].map((count) => read(headers(count)))).toEqual([expect.any(FastRequest), 'other']);
  });
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly version: string;
  readonly headers: readonly [string, string][];
  readonly keepsAlive: boolean;
  readonly body: string;
}

/** What Node's server makes of the bytes of one request; a text says why nothing. */
async function nodeReads(bytes: Buffer): Promise<Seen | string> {
  const [peer, socket] = duplexPair();
  const server = http.createServer();
  try {
    return await new Promise<Seen | string>((resolve) => {
      server.on('clientError', (error) => resolve(error.message));
      server.on('request', (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const { method, url, httpVersion: version, rawHeaders: raw } = request;
          const headers: [string, string][] = [];
          for (let i = 0; i < raw.length; i += 2)
            headers.push([(raw[i] as string).toLowerCase(), raw[i + 1] as string]);
          const text = Buffer.concat(chunks).toString('latin1');
          resolve({ method, url, version, headers, keepsAlive: response.shouldKeepAlive, body: text });
        });
      });
      server.emit('connection', socket);
      peer.end(bytes);
      peer.resume();
      peer.on('close', () => resolve('nothing'));
    });
  } finally {
    socket.destroy();
    peer.destroy();
  }
}

/** Pieces that parsers of HTTP have disagreed on. */
const pieces = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\r\n ',
  '\0',
  '\t',
  '\v',
  ' ',
  ':',
  ';',
  ',',
  '"',
  '\u0080',
  '\u00ff',
  '_',
  '0x10',
  '+',
  '-1',
  '00',
  'chunked',
  'close',
  'Content-Length: 3\r\n',
  'Content_Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'X: 1\r\n',
  'Host: b\r\n',
  'Connection: content-length\r\n',
  'Keep-Alive: timeout=1\r\n',
  'GET / HTTP/1.1\r\n\r\n',
];
interface Change {
  readonly at: number;
  readonly where: 'there' | 'line' | 'value';
  readonly cut: number;
  readonly piece: string;
}
const change: fc.Arbitrary<Change> = fc.record({
  at: fc.integer({ min: 0, max: common.length }),
  where: fc.constantFrom('there', 'line', 'value'),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 40 })),
  piece: fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary-ascii', maxLength: 3 }), fc.constant('')),
});

/** Many changes go to where a line or its value begins, since that is where they matter. */
function changed(text: string, { at, where, cut, piece }: Change): string {
  const line = text.lastIndexOf('\r\n', at) + 2;
  const from = where === 'there' ? at : where === 'line' ? line : Math.max(line, text.indexOf(': ', line) + 2);
  return text.slice(0, from) + piece + text.slice(from + cut);
}

describe('what the fast path takes', () => {
  it('Node takes, with the same meaning', async () => {
    let takenCount = 0;
    const changes = fc.array(change, { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const text = list.reduce(changed, common);
        const bytes = Buffer.from(text, 'latin1');
        const request = FastRequest.read(bytes, limits);
        if (!(request instanceof FastRequest)) return;
        if (text !== common) takenCount++;
        const seen = await nodeReads(bytes.subarray(0, request.end));
        if (typeof seen === 'string') throw new Error(`Node takes ${seen} of ${JSON.stringify(text)}`);
        const { headers, ...rest } = seen;
        expect(rest).toEqual({
          method: 'POST',
          url: '/',
          version: '1.1',
          keepsAlive: true,
          body: text.slice(request.bodyStart, request.end),
        });
        expect(headers.map(([name]) => [name, request.header(name)])).toEqual(headers);
        expect(headers.length).toBe(text.slice(0, request.bodyStart).split('\r\n').length - 3);
      }),
      { numRuns: 5000 },
    );
    expect(takenCount).toBeGreaterThan(500);
  });
});
