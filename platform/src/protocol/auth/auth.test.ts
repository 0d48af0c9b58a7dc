import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { Call, Listener } from '../index.ts';
import { startListener } from '../testing/harness.ts';
import { type SignedRequest, type SignOptions, signWithSdk } from '../testing/sign-with-sdk.ts';

const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);
const clock: Clock = { ...systemClock, now: () => NOW };
const ACCESS = 'AKIAEXAMPLE';
const SECRET = 'a secret/with+signs';
const plain: SignOptions = {
  at: NOW,
  accessKeyId: ACCESS,
  secretAccessKey: SECRET,
  region: 'eu-central-1',
  service: 'kinesis',
  path: '/',
  query: {},
  headers: {
    host: 'localhost:4566',
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'Kinesis_20131202.ListStreams',
  },
  body: '{"Limit":5}',
};

let listener: Listener;
let seen: Call | undefined;

beforeAll(async () => {
  const listStreams = (_input: never, call: Call) => {
    seen = call;
    return { StreamNames: [], HasMoreStreams: false };
  };
  listener = await startListener(
    { listStreams },
    {
      clock,
      credentials: new Map([[ACCESS, { secretKey: SECRET, account: '111122223333' }]]),
      routes: [
        {
          method: 'GET',
          path: '/_millrace/health',
          open: true,
          handle: () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
        },
        {
          method: 'GET',
          path: '/_millrace/metrics',
          handle: () => ({ status: 200, contentType: 'text/plain', body: 'm 1' }),
        },
      ],
    },
  );
});
afterAll(() => listener.close(0));

function send(sent: SignedRequest): Promise<{ status: number; type: string; message: string; text: string }> {
  return new Promise((resolve, reject) => {
    const { path, headers, method } = sent;
    const out = request({ port: listener.port, host: '127.0.0.1', path, headers, method, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        const parsed = (answer.headers['content-type'] ?? '').includes('json')
          ? (JSON.parse(text) as Record<string, string>)
          : {};
        resolve({
          status: answer.statusCode ?? 0,
          type: parsed['__type'] ?? '',
          message: parsed['message'] ?? '',
          text,
        });
      });
    });
    out.on('error', reject);
    out.end(sent.body);
  });
}

const accepted: Record<string, Partial<SignOptions>> = {
  'nothing special': {},
  'a session token': { sessionToken: 'token==' },
  'a path that needs escapes': { path: '/a%20b/c%2Fd/%C3%A9/' },
  'a query that needs escapes': { query: { z: '1', a: 'x y+/=&', 'b c': '' } },
  'headers with blanks': { headers: { ...plain.headers, 'x-amz-meta': '  a   b  ' } },
  'the query form': { presign: true },
  'the query form of a request valid for an hour, 59 minutes old': {
    presign: true,
    expiresIn: 3600,
    at: NOW - 59 * 60_000,
  },
  'a clock five minutes behind': { at: NOW - 5 * 60_000 },
  'a clock five minutes ahead': { at: NOW + 5 * 60_000 },
};

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
const INVALID = 'InvalidSignatureException';
const refused: Record<string, [Partial<SignOptions>, string, string]> = {
  'another secret': [{ secretAccessKey: 'other' }, INVALID, MISMATCH],
  'another secret, query form': [{ secretAccessKey: 'other', presign: true }, INVALID, MISMATCH],
  'an unknown key': [
    { accessKeyId: 'AKIANOBODY' },
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ],
  'another service': [{ service: 'firehose' }, INVALID, "Credential should be scoped to correct service: 'kinesis'."],
  'an old date': [
    { at: NOW - 301_000 },
    INVALID,
    'Signature expired: 20260115T115459Z is now earlier than 20260115T115500Z (20260115T120000Z - 5 min.)',
  ],
  'a date ahead': [
    { at: NOW + 301_000 },
    INVALID,
    'Signature not yet current: 20260115T120501Z is still later than 20260115T120500Z (20260115T120000Z + 5 min.)',
  ],
  'an expired query form': [
    { presign: true, expiresIn: 60, at: NOW - 61_000 },
    INVALID,
    'Signature expired: 20260115T115859Z is now earlier than 20260115T115900Z (20260115T120000Z - 1 min.)',
  ],
  'an unsigned payload outside TLS': [
    { headers: { ...plain.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } },
    INVALID,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ],
};

const signed = new Map<string, SignedRequest>();
beforeAll(() => {
  const names = [...Object.keys(accepted), ...Object.keys(refused)];
  const all = names.map((name) => ({ ...plain, ...(accepted[name] ?? refused[name]?.[0]) }));
  signWithSdk(all).forEach((request, index) => signed.set(names[index] as string, request));
});
const take = (name: string): SignedRequest => structuredClone(signed.get(name) as SignedRequest);

describe('a request signed by the SDK', () => {
  it.each(Object.keys(accepted))('is let in: %s', async (name) => {
    seen = undefined;
    expect(await send(take(name))).toMatchObject({ status: 200 });
    expect(seen).toMatchObject({ account: '111122223333', region: 'eu-central-1', accessKeyId: ACCESS });
  });

  it.each(Object.entries(refused))('is refused: %s', async (name, [, type, message]) => {
    expect(await send(take(name))).toMatchObject({ status: 400, type, message });
  });

  it.each<[string, (sent: SignedRequest) => void, string]>([
    [
      'body',
      (sent) => (sent.body = '{"Limit":6}'),
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ],
    ['operation', (sent) => (sent.headers['x-amz-target'] = 'Kinesis_20131202.DescribeLimits'), MISMATCH],
    ['query', (sent) => (sent.path = '/?a=b'), MISMATCH],
    ['path', (sent) => (sent.path = '/other'), MISMATCH],
    ['signature', (sent) => changeAuthorization(sent, /.$/, 'g'), MISMATCH],
    ['length of the signature', (sent) => changeAuthorization(sent, /.$/, ''), MISMATCH],
    [
      'set of signed headers',
      (sent) => changeAuthorization(sent, ';x-amz-target', ''),
      "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    ],
  ])('is refused with another %s', async (_what, change, message) => {
    const sent = take('nothing special');
    change(sent);
    expect(await send(sent)).toMatchObject({ status: 400, type: INVALID, message });
  });
});

function changeAuthorization(sent: SignedRequest, what: RegExp | string, by: string): void {
  sent.headers['authorization'] = sent.headers['authorization']?.replace(what, by) ?? '';
}

describe('routes of our own, with verification on', () => {
  const get = (path: string, headers: Record<string, string> = {}) => send({ path, headers, body: '', method: 'GET' });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  it('serves bare health to anyone and the rest with a credential only', async () => {
    expect(await get('/_millrace/health')).toMatchObject({ status: 200, text: 'ok' });
    expect(await get('/_millrace/metrics')).toMatchObject({ status: 403 });
    expect(await get('/_millrace/nothing')).toMatchObject({ status: 403 });
    expect(await get('/_millrace/metrics', basic(`${ACCESS}:wrong`))).toMatchObject({ status: 403 });
    expect(await get('/_millrace/metrics', basic('nobody'))).toMatchObject({ status: 403 });
    expect(await get('/_millrace/metrics', basic(`${ACCESS}:${SECRET}`))).toMatchObject({ status: 200, text: 'm 1' });
    expect(await get('/_millrace/nothing', basic(`${ACCESS}:${SECRET}`))).toMatchObject({ status: 404 });
  });
});
