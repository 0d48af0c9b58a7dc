import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { LogFields } from '../../kernel/logger.ts';
import { WireError } from '../../model/index.ts';
import type { Call, QueryBinding } from '../call.ts';
import { defaultLimits, type Listener } from '../index.ts';
import { startListener } from '../testing/harness.ts';
import { signWithSdk } from '../testing/sign-with-sdk.ts';

const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);
const ACCESS = 'AKIAEXAMPLE';
const SECRET = 'a secret';
const NAMESPACE = 'https://things.example/doc/2020-02-02/';
const ACCESS_DENIED = /^<AccessDeniedException>/;

const calls: Call[] = [];
const logged: LogFields[] = [];
const things: QueryBinding = {
  service: 'things',
  version: '2020-02-02',
  namespace: NAMESPACE,
  operations: {
    Echo: (form, call) => {
      calls.push(call);
      return { Text: form.get('Text') ?? '', Nested: { Name: 'n' } };
    },
    Refuse: () => {
      throw new WireError('No <b>', { code: 'NotThis', status: 409, fault: 'client' });
    },
    Break: () => Promise.reject(new Error('a secret of the inside')),
  },
};

let open: Listener;
let guarded: Listener;

beforeAll(async () => {
  const ignore = (): void => undefined;
  const logger = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (fields: LogFields): unknown => logged.push(fields),
  };
  open = await startListener({}, { queryServices: [things], logger });
  guarded = await startListener(
    {},
    {
      queryServices: [things],
      clock: { ...systemClock, now: () => NOW },
      credentials: new Map([[ACCESS, { secretKey: SECRET, account: '111122223333' }]]),
    },
  );
});
afterAll(() => Promise.all([open.close(0), guarded.close(0)]));

const scoped = (service: string, key = 'test'): string =>
  `AWS4-HMAC-SHA256 Credential=${key}/20260101/eu-west-1/${service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=00`;

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly requestId: string | null;
  readonly text: string;
}

async function send(
  form: string,
  headers: Record<string, string> = { authorization: scoped('things') },
  listener = open,
): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${listener.port}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-amz-date': '20260101T000000Z',
      ...headers,
    },
    body: form,
  });
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    requestId: answer.headers.get('x-amzn-requestid'),
    text: await answer.text(),
  };
}

const errorOf = ({ status, text }: Answer): string =>
  `${status} ${/<Type>(.*)<\/Type><Code>(.*)<\/Code><Message>(.*)<\/Message>/.exec(text)?.slice(1).join(' | ')}`;

describe('a form', () => {
  it('is answered in XML, for the account and region of its signer', async () => {
    const answer = await send('Action=Echo&Version=2020-02-02&Text=a%20%3C%26%22%C3%A9%00', {
      authorization: scoped('things', '123456789012'),
    });
    expect(answer).toMatchObject({ status: 200, type: 'text/xml' });
    expect(answer.text).toBe(
      `<EchoResponse xmlns="${NAMESPACE}"><EchoResult><Text>a &lt;&amp;&quot;é\ufffd</Text><Nested><Name>n</Name></Nested></EchoResult>` +
        `<ResponseMetadata><RequestId>${answer.requestId}</RequestId></ResponseMetadata></EchoResponse>`,
    );
    expect(calls.at(-1)).toMatchObject({
      service: 'things',
      operation: 'Echo',
      account: '123456789012',
      region: 'eu-west-1',
    });
  });

  it('is told of an action that there is not, and of another version', async () => {
    for (const [action, version] of [
      ['Nothing', '2020-02-02'],
      ['constructor', '2020-02-02'],
      ['', '2020-02-02'],
      ['Echo', '2019-01-01'],
      ['Echo', ''],
    ]) {
      expect(errorOf(await send(`Action=${action}&Version=${version}`))).toBe(
        `400 Sender | InvalidAction | Could not find operation ${action} for version ${version}`,
      );
    }
  });

  it('is told what its action says of an error, and nothing of a defect', async () => {
    const refused = await send('Action=Refuse&Version=2020-02-02');
    expect(errorOf(refused)).toBe('409 Sender | NotThis | No &lt;b&gt;');
    expect(refused.text).toContain(`<ErrorResponse xmlns="${NAMESPACE}"><Error>`);
    expect(refused.text).toContain(`</Error><RequestId>${refused.requestId}</RequestId></ErrorResponse>`);
    const broken = await send('Action=Break&Version=2020-02-02');
    expect(errorOf(broken)).toMatch(/^500 Receiver \| InternalFailure \| /);
    expect(broken.text).not.toContain('secret');
    expect(logged.at(-1)).toMatchObject({ requestId: broken.requestId, service: 'things' });
  });

  it('is not told more than the beginning of what it asks for', async () => {
    const { text } = await send(`Action=${'<'.repeat(60_000)}&Version=2020-02-02`);
    expect(text).toContain(`find operation ${'&lt;'.repeat(128)} for`);
    expect(text.length).toBeLessThan(1000);
  });

  it('gives its share of memory back, whatever comes of it', async () => {
    const smallBodiesBytesMax = 100;
    const limits = { ...defaultLimits, smallBodiesBytesMax };
    const small = await startListener({}, { queryServices: [things], limits });
    for (const action of ['Echo', 'Break', 'Nothing']) {
      for (let bytes = 0; bytes < 3 * smallBodiesBytesMax; bytes += 30) {
        await send(`Action=${action}&Version=2020-02-02`, undefined, small);
      }
    }
    for (let time = 0; time < 10; time++) await send('Action=Echo', { authorization: scoped('kinesis') }, small);
    expect(await send('Action=Echo&Version=2020-02-02', undefined, small)).toMatchObject({ status: 200 });
    await small.close(0);
  });

  it('that there is no room for is told so in XML', async () => {
    const full = await startListener({}, { queryServices: [things], limits: { ...defaultLimits, callsMax: 0 } });
    const answer = await send('Action=Echo&Version=2020-02-02', undefined, full);
    expect(answer).toMatchObject({ status: 503, type: 'text/xml' });
    expect(errorOf(answer)).toMatch(/^503 Receiver \| ServiceUnavailable \| ./);
    await full.close(0);
  });

  it('may be 64 KiB long and no more', async () => {
    const form = 'Action=Echo&Version=2020-02-02&Text=';
    const most = 64 * 1024 - form.length;
    for (const [length, status] of [
      [most - 1, 200],
      [most, 200],
      [most + 1, 400],
    ] as const) {
      expect(await send(form + 'a'.repeat(length))).toMatchObject({ status });
    }
  });

  it('for another service, or of nobody, is what it was: not known', async () => {
    const form = 'Action=Echo&Version=2020-02-02';
    for (const headers of [
      { authorization: scoped('kinesis') },
      { authorization: 'AWS4-HMAC-SHA256 Credential=things' },
      {},
    ]) {
      const answer = await send(form, headers as Record<string, string>);
      expect(answer).toMatchObject({ status: 403, text: expect.stringMatching(ACCESS_DENIED) as string });
    }
  });
});

describe('a signed form', () => {
  const body = 'Action=Echo&Version=2020-02-02&Text=x';
  const type = 'application/x-www-form-urlencoded; charset=utf-8';
  let right: Record<string, string>;
  let ofUnknown: Record<string, string>;
  let withOtherSecret: Record<string, string>;

  beforeAll(() => {
    const headers = { host: `127.0.0.1:${guarded.port}`, 'content-type': type };
    const plain = { at: NOW, region: 'eu-central-1', service: 'things', path: '/', query: {}, headers, body };
    const signed = signWithSdk([
      { ...plain, accessKeyId: ACCESS, secretAccessKey: SECRET },
      { ...plain, accessKeyId: 'AKIAOTHER', secretAccessKey: SECRET },
      { ...plain, accessKeyId: ACCESS, secretAccessKey: 'another' },
    ]).map(({ headers: { host: _fetchSendsIt, ...rest } }) => rest);
    [right, ofUnknown, withOtherSecret] = signed as [typeof right, typeof right, typeof right];
  });

  it('is served for the account of its key', async () => {
    expect(await send(body, right, guarded)).toMatchObject({ status: 200 });
    expect(calls.at(-1)).toMatchObject({ account: '111122223333', region: 'eu-central-1' });
  });

  it('is refused when key, signature or body are not right', async () => {
    expect(errorOf(await send(body, ofUnknown, guarded))).toMatch(/^403 Sender \| InvalidClientTokenId \| ./);
    expect(errorOf(await send(body, withOtherSecret, guarded))).toMatch(/^403 Sender \| SignatureDoesNotMatch \| ./);
    expect(errorOf(await send(`${body}y`, right, guarded))).toMatch(/^403 Sender \| SignatureDoesNotMatch \| ./);
  });
});
