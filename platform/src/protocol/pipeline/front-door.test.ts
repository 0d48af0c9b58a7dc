import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogFields } from '../../kernel/logger.ts';
import { ResourceNotFoundException } from '../../model/index.ts';
import { ByteWriter } from '../codec/byte-writer.ts';
import { readCbor } from '../codec/cbor-reader.ts';
import { writeText } from '../codec/cbor-writer.ts';
import type { Call, Listener } from '../index.ts';
import { headersFor, startListener } from '../testing/harness.ts';

const JSON_TYPE = 'application/x-amz-json-1.1';
const CBOR_TYPE = 'application/x-amz-cbor-1.1';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ACCESS_DENIED =
  '<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n';

let listener: Listener;
const logged: LogFields[] = [];
const calls: Call[] = [];

beforeAll(async () => {
  const error = (fields: LogFields): unknown => logged.push(fields);
  const ignore = (): void => undefined;
  listener = await startListener(
    {
      listStreams: (_input: never, call: Call) => {
        calls.push(call);
        return { StreamNames: [], NextToken: 'é', HasMoreStreams: false, StreamSummaries: undefined };
      },
      deleteStream: () => undefined,
      describeStream: () => {
        throw new ResourceNotFoundException('Stream a under account b not found.');
      },
      describeLimits: () => Promise.reject(new Error('a secret of the inside')),
    },
    {
      logger: { debug: ignore, info: ignore, warn: ignore, error },
      routes: [
        {
          method: 'GET',
          path: '/_millrace/health',
          handle: () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
        },
        { method: 'GET', path: '/_millrace/broken', handle: () => Promise.reject(new Error('inside')) },
      ],
    },
  );
});
afterAll(() => listener.close(0));

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  text: string;
}

interface Sent {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

function send({ method = 'POST', path = '/', headers = {}, body = '' }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { ...headers, ...(method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {}) };
    const out = request(
      { port: listener.port, host: '127.0.0.1', path, headers: all, method, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const all = Buffer.concat(chunks);
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: all, text: all.toString() });
        });
      },
    );
    out.on('error', reject);
    out.end(body);
  });
}

const bare = (type: string): string => `{"__type":"${type}"}`;
const without = (name: string): Record<string, string> => {
  const { [name]: _left, ...rest } = headersFor('ListStreams');
  return rest;
};
const AUTHORIZATION = headersFor('ListStreams')['authorization'] as string;

describe('errors before an operation is reached, row by row', () => {
  const rows: [string, Sent, number, string | undefined, string][] = [
    ['GET', { method: 'GET' }, 403, undefined, ACCESS_DENIED],
    ['PUT', { method: 'PUT', headers: headersFor('ListStreams') }, 403, undefined, ACCESS_DENIED],
    ['OPTIONS without an origin', { method: 'OPTIONS' }, 403, undefined, ACCESS_DENIED],
    ['no body, target known', { headers: headersFor('ListStreams') }, 400, JSON_TYPE, bare('SerializationException')],
    ['no body, target unknown', { headers: headersFor('Nothing') }, 400, JSON_TYPE, bare('UnknownOperationException')],
    [
      'no body, no target',
      { headers: { 'content-type': JSON_TYPE } },
      400,
      JSON_TYPE,
      bare('UnknownOperationException'),
    ],
    [
      'unknown type, no target',
      { headers: { 'content-type': 'text/plain' }, body: '{}' },
      403,
      undefined,
      ACCESS_DENIED,
    ],
    ['no type, no target', { body: '{}' }, 403, undefined, ACCESS_DENIED],
    [
      'unknown type with target',
      { headers: headersFor('ListStreams', { 'content-type': 'application/x-amz-json-1.0' }), body: '{}' },
      404,
      undefined,
      '<UnknownOperationException/>\n',
    ],
    ['not JSON', { headers: headersFor('ListStreams'), body: 'hello' }, 400, JSON_TYPE, bare('SerializationException')],
    [
      'not JSON, target unknown',
      { headers: headersFor('No'), body: 'hello' },
      400,
      JSON_TYPE,
      bare('SerializationException'),
    ],
    [
      'a JSON string',
      { headers: headersFor('ListStreams'), body: '"a"' },
      400,
      JSON_TYPE,
      bare('SerializationException'),
    ],
    ['JSON null', { headers: headersFor('ListStreams'), body: 'null' }, 400, JSON_TYPE, bare('SerializationException')],
    ['a JSON list', { headers: headersFor('ListStreams'), body: '[]' }, 400, JSON_TYPE, bare('SerializationException')],
    [
      'invalid UTF-8',
      { headers: headersFor('ListStreams'), body: Buffer.from('{"a":"\xff"}', 'latin1') },
      400,
      JSON_TYPE,
      bare('SerializationException'),
    ],
    [
      'application/json',
      { headers: headersFor('ListStreams', { 'content-type': 'application/json' }), body: '{}' },
      404,
      'application/json',
      '{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
    ],
    [
      'application/json, not JSON',
      { headers: headersFor('ListStreams', { 'content-type': 'application/json' }), body: 'hello' },
      400,
      'application/json',
      '{"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"}',
    ],
    [
      'unknown target',
      { headers: headersFor('Nothing'), body: '{}' },
      400,
      JSON_TYPE,
      bare('UnknownOperationException'),
    ],
    [
      'no credentials',
      { headers: without('authorization'), body: '{}' },
      400,
      JSON_TYPE,
      '{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}',
    ],
    [
      'query parts but no algorithm',
      { path: '/?X-Amz-Credential=a&X-Amz-Signature=b', headers: without('authorization'), body: '{}' },
      400,
      JSON_TYPE,
      '{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}',
    ],
    [
      'both forms',
      { path: '/?X-Amz-Algorithm', headers: headersFor('ListStreams'), body: '{}' },
      400,
      JSON_TYPE,
      `{"__type":"InvalidSignatureException","message":"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."}`,
    ],
    [
      'header without parts',
      { headers: { ...without('x-amz-date'), authorization: 'X' }, body: '{}' },
      400,
      JSON_TYPE,
      `{"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=X"}`,
    ],
    [
      'header with some parts',
      { headers: headersFor('ListStreams', { authorization: 'AWS4- Signature=b,Credential=a' }), body: '{}' },
      400,
      JSON_TYPE,
      `{"__type":"IncompleteSignatureException","message":"Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4- Signature=b,Credential=a"}`,
    ],
    [
      'query without parts',
      { path: '/?X-Amz-Algorithm', headers: without('authorization'), body: '{}' },
      400,
      JSON_TYPE,
      `{"__type":"IncompleteSignatureException","message":"AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."}`,
    ],
    [
      'a compressed body',
      { headers: headersFor('ListStreams', { 'content-encoding': 'gzip' }), body: '{}' },
      400,
      JSON_TYPE,
      `{"__type":"SerializationException","Message":"Content-Encoding 'gzip' is not supported."}`,
    ],
    [
      'an operation that is not implemented',
      { headers: headersFor('MergeShards'), body: '{}' },
      400,
      JSON_TYPE,
      '{"__type":"UnknownOperationException","message":"The operation MergeShards is not implemented yet."}',
    ],
  ];

  it.each(rows)('%s', async (_what, sent, status, type, body) => {
    const answer = await send(sent);
    expect({ status: answer.status, type: answer.headers['content-type'], body: answer.text }).toEqual({
      status,
      type,
      body,
    });
    expect(answer.headers['x-amzn-requestid']).toMatch(UUID);
    expect(Buffer.from(answer.headers['x-amz-id-2'] as string, 'base64')).toHaveLength(72);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
  });

  it('says the same in CBOR', async () => {
    const headers = headersFor('ListStreams', { 'content-type': CBOR_TYPE });
    const empty = await send({ headers });
    expect(empty).toMatchObject({
      status: 400,
      headers: { 'content-type': CBOR_TYPE, 'x-amzn-errortype': 'SerializationException' },
    });
    expect(readCbor(empty.body)).toEqual({ __type: 'SerializationException' });
    expect(readCbor((await send({ headers: { 'content-type': CBOR_TYPE } })).body)).toEqual({
      __type: 'UnknownOperationException',
    });
    expect(readCbor((await send({ headers, body: Buffer.from('a2', 'hex') })).body)).toEqual({
      __type: 'SerializationException',
    });
    expect(readCbor((await send({ headers, body: Buffer.from('80', 'hex') })).body)).toEqual({
      __type: 'SerializationException',
    });
    const unsigned = await send({
      headers: { ...without('authorization'), 'content-type': CBOR_TYPE },
      body: Buffer.from('a0', 'hex'),
    });
    expect(readCbor(unsigned.body)).toEqual({
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    });
  });
});

describe('an operation', () => {
  it('is answered in the encoding of its request', async () => {
    const json = await send({
      headers: headersFor('ListStreams', { 'content-type': `${JSON_TYPE}; charset=utf-8` }),
      body: '{}',
    });
    expect(json).toMatchObject({ status: 200, text: '{"StreamNames":[],"HasMoreStreams":false,"NextToken":"é"}' });
    expect(json.headers['content-type']).toBe(JSON_TYPE);
    const cbor = await send({
      headers: headersFor('ListStreams', { 'content-type': CBOR_TYPE }),
      body: Buffer.from('bfff', 'hex'),
    });
    expect(cbor.headers['content-type']).toBe(CBOR_TYPE);
    expect(readCbor(cbor.body)).toEqual({ StreamNames: [], HasMoreStreams: false, NextToken: 'é' });
  });

  it('learns account, region and ids from the request', async () => {
    const authorization = AUTHORIZATION.replace('Credential=test', 'Credential=123456789012');
    const answer = await send({ headers: headersFor('ListStreams', { authorization }), body: '{}' });
    expect(calls.at(-1)).toMatchObject({
      service: 'kinesis',
      operation: 'ListStreams',
      account: '123456789012',
      accessKeyId: '123456789012',
      region: 'eu-west-1',
      requestId: answer.headers['x-amzn-requestid'],
    });
    await send({ headers: headersFor('ListStreams'), body: '{}' });
    expect(calls.at(-1)).toMatchObject({ account: '000000000000', accessKeyId: 'test' });
  });

  it('accepts the query form, and any path', async () => {
    const path = `/some/path?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-west-2%2Fkinesis%2Faws4_request&X-Amz-Signature=b&X-Amz-SignedHeaders=host&X-Amz-Date=20260101T000000Z`;
    expect(await send({ path, headers: without('authorization'), body: '{}' })).toMatchObject({ status: 200 });
    expect(calls.at(-1)).toMatchObject({ region: 'us-west-2', accessKeyId: 'a' });
  });

  it('refuses a region that is none', async () => {
    const authorization = AUTHORIZATION.replace('eu-west-1', '..');
    expect(await send({ headers: headersFor('ListStreams', { authorization }), body: '{}' })).toMatchObject({
      status: 400,
      text: '{"__type":"InvalidSignatureException","message":"Credential should be scoped to a valid region."}',
    });
  });

  it('without an output is answered with an empty body', async () => {
    const answer = await send({ headers: headersFor('DeleteStream'), body: '{"StreamName":"a"}' });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(answer.headers['content-length']).toBe('0');
  });

  it('tells its errors with type, message and header', async () => {
    const answer = await send({ headers: headersFor('DescribeStream'), body: '{"StreamName":"a"}' });
    expect(answer).toMatchObject({
      status: 400,
      text: '{"__type":"ResourceNotFoundException","message":"Stream a under account b not found."}',
    });
    expect(answer.headers['x-amzn-errortype']).toBe('ResourceNotFoundException');
  });

  it('does not tell what went wrong inside, but logs it under the request id', async () => {
    const answer = await send({ headers: headersFor('DescribeLimits'), body: '{}' });
    expect(answer.status).toBe(500);
    expect(answer.text).toContain('"__type":"InternalFailure"');
    expect(answer.text).not.toContain('secret');
    expect(logged.at(-1)).toMatchObject({
      requestId: answer.headers['x-amzn-requestid'],
      error: new Error('a secret of the inside'),
    });
  });

  it('survives a body of 100,000 nested lists', async () => {
    const body = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(await send({ headers: headersFor('ListStreams'), body })).toMatchObject({ status: 200 });
  });

  it('keeps a key __proto__ of a map harmless in both encodings', async () => {
    const body = '{"StreamName":"a","__proto__":{"x":1}}';
    expect(await send({ headers: headersFor('DeleteStream'), body })).toMatchObject({ status: 200 });
    const out = new ByteWriter();
    out.byte(0xa2);
    for (const text of ['StreamName', 'a', '__proto__', 'b']) writeText(out, text);
    const cbor = Buffer.concat(out.finish().chunks);
    const headers = headersFor('DeleteStream', { 'content-type': CBOR_TYPE });
    expect(await send({ headers, body: cbor })).toMatchObject({ status: 200 });
  });
});

describe('a web page', () => {
  const get = (headers: Record<string, string>, method = 'GET') => send({ method, headers });

  it.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'http://localhost.evil.example' }],
    [{ origin: 'http://evil.example@localhost' }],
    [{ host: 'evil.example' }],
    [{ host: 'localhost.evil.example:4566' }],
    [{ host: '127.0.0.1.evil.example' }],
    [{ host: '192.168.0.1' }],
  ])('of another site gets 403 before anything: %o', async (headers) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await get(headers, method);
      expect(answer.status).toBe(403);
      expect(answer.headers['x-amzn-requestid']).toBeUndefined();
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    const path = '/_millrace/health';
    expect(await send({ method: 'GET', path, headers })).toMatchObject({ status: 403 });
  });

  it.each([
    [{ host: 'localhost' }],
    [{ host: 'LOCALHOST:99' }],
    [{ host: 'a.localhost' }],
    [{ host: '127.0.0.1:4566' }],
    [{ host: '[::1]:4566' }],
    [{ origin: 'http://localhost:3000' }],
    [{ origin: 'https://127.0.0.1' }],
    [{ origin: 'http://[::1]:8080' }],
  ])('of this machine is served: %o', async (headers) => {
    expect(await send({ method: 'GET', path: '/_millrace/health', headers })).toMatchObject({
      status: 200,
      text: 'ok',
    });
  });

  it('is answered its pre-flight, with no extended id', async () => {
    const answer = await get(
      {
        origin: 'http://localhost:3000',
        'access-control-request-headers': 'a, b',
        'access-control-request-method': 'POST',
      },
      'OPTIONS',
    );
    expect(answer).toMatchObject({
      status: 200,
      text: '',
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-headers': 'a, b',
        'access-control-allow-methods': 'POST',
        'access-control-max-age': '172800',
        'content-length': '0',
      },
    });
    expect(answer.headers['x-amz-id-2']).toBeUndefined();
    expect(answer.headers['x-amzn-requestid']).toMatch(UUID);
  });

  it('may read the headers of other answers', async () => {
    const headers = headersFor('ListStreams', { origin: 'http://localhost:3000' });
    expect((await send({ headers, body: '{}' })).headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers':
        'x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date',
    });
  });

  it('is widened by options', async () => {
    const wide = await startListener(
      {},
      { corsOrigins: ['https://app.example'], hostNames: ['kinesis.internal', '*.box'] },
    );
    const status = async (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const out = request({ port: wide.port, host: '127.0.0.1', headers, agent: false }, (answer) => {
          answer.resume();
          resolve(answer.headers['x-amzn-requestid'] === undefined ? 0 : 1);
        });
        out.on('error', reject);
        out.end();
      });
    expect(await status({ host: 'kinesis.internal:4566', origin: 'https://app.example' })).toBe(1);
    expect(await status({ host: 'a.box' })).toBe(1);
    expect(await status({ host: 'box' })).toBe(0);
    expect(await status({ host: 'other.internal' })).toBe(0);
    expect(await status({ origin: 'https://other.example' })).toBe(0);
    await wide.close(0);
  });
});

describe('routes of our own', () => {
  it('answer 404 and 405 in JSON, and 500 without what went wrong', async () => {
    expect(await send({ method: 'GET', path: '/_millrace/no' })).toMatchObject({
      status: 404,
      text: '{"error":"Not found"}',
    });
    expect(await send({ path: '/_millrace/health' })).toMatchObject({
      status: 405,
      text: '{"error":"Method not allowed"}',
    });
    expect(await send({ method: 'GET', path: '/_millrace/broken' })).toMatchObject({
      status: 500,
      text: '{"error":"Internal failure"}',
    });
  });
});
