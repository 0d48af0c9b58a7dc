import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { Checks } from '../../harness/checks.ts';
import { freshName, type Transport } from '../../harness/target.ts';
import { contentTypes, encode, requestOf, type Encoding } from '../../wire/call.ts';
import type { Channel, RawAnswer, RawRequest } from '../../wire/channel.ts';
import { signed } from '../../wire/signer.ts';

/** An origin that a server on loopback lets in. */
const origin = 'http://localhost:3000';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Headers that every answer has. Source: data-streams reference §1.2. */
function assertHeaders({ headers, body }: RawAnswer): void {
  assert.match(headers['x-amzn-requestid'] ?? '', uuid, 'x-amzn-RequestId');
  const extended = Buffer.from(headers['x-amz-id-2'] ?? '', 'base64').length;
  assert.ok(extended >= 72 && extended <= 80, `x-amz-id-2 holds ${extended} bytes`);
  assert.ok(!Number.isNaN(Date.parse(headers['date'] ?? '')), 'Date');
  assert.equal(headers['content-length'] ?? String(body.length), String(body.length), 'Content-Length');
  if (headers['x-amz-crc32'] !== undefined) assert.equal(headers['x-amz-crc32'], String(crc32(body)), 'x-amz-crc32');
}

export function assertErrorHeaders(answer: RawAnswer, type: string | undefined): void {
  assertHeaders(answer);
  const named = answer.headers['x-amzn-errortype'];
  if (type !== undefined && named !== undefined) assert.equal(named.split(/[:#]/)[0], type, 'x-amzn-ErrorType');
}

export async function checkHeaders(channel: Channel, transport: Transport, checks: Checks): Promise<void> {
  const send = async (operation: string, input: object, encoding: Encoding = 'json'): Promise<RawAnswer> =>
    channel.send(await signed(requestOf(operation, encode(input, encoding), encoding), transport));
  for (const encoding of ['json', 'cbor'] as const) {
    await checks.check(`headers of a success in ${encoding}`, async () => {
      const [first, second] = [await send('ListStreams', {}, encoding), await send('ListStreams', {}, encoding)];
      assert.equal(first.status, 200);
      assert.equal(first.headers['content-type'], contentTypes[encoding]);
      assertHeaders(first);
      assert.notEqual(first.headers['x-amzn-requestid'], second.headers['x-amzn-requestid']);
    });
    await checks.check(`an empty body for an operation without output in ${encoding}`, async () => {
      const StreamName = freshName('empty');
      for (const [operation, input] of [
        ['CreateStream', { ShardCount: 1 }],
        ['DeleteStream', {}],
      ] as const) {
        const answer = await send(operation, { StreamName, ...input }, encoding);
        assert.equal(answer.status, 200);
        assert.equal(answer.body.length, 0);
        if (channel.protocol === 'HTTP/1.1') assert.equal(answer.headers['content-length'], '0');
        assertHeaders(answer);
      }
    });
  }
  await checks.check('any path does', async () => {
    const request = requestOf('ListStreams', encode({}, 'json'), 'json');
    assert.equal((await channel.send(await signed({ ...request, path: '/a/b' }, transport))).status, 200);
  });
  await checkCors(channel, checks);
}

/** Source: data-streams reference §1.2, "CORS". */
async function checkCors(channel: Channel, checks: Checks): Promise<void> {
  const options = (headers: Record<string, string>): RawRequest => ({
    method: 'OPTIONS',
    path: '/',
    headers,
    body: Buffer.of(),
  });
  await checks.check('pre-flight', async () => {
    const asked = { 'access-control-request-headers': 'a, b, c', 'access-control-request-method': 'POST' };
    const { status, headers, body } = await channel.send(options({ origin, ...asked }));
    assert.equal(status, 200);
    assert.equal(body.length, 0);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['access-control-allow-headers'], 'a, b, c');
    assert.equal(headers['access-control-allow-methods'], 'POST');
    assert.equal(headers['access-control-max-age'], '172800');
    assert.match(headers['x-amzn-requestid'] ?? '', uuid);
    assert.equal(headers['x-amz-id-2'], undefined);
  });
  await checks.check('a call from a page', async () => {
    const { headers } = await channel.send({
      ...requestOf('ListStreams', encode({}, 'json'), 'json'),
      ...withOrigin(),
    });
    assert.equal(headers['access-control-allow-origin'], '*');
    const exposed = 'x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date';
    assert.equal(headers['access-control-expose-headers'], exposed);
  });
}

function withOrigin(): Pick<RawRequest, 'headers'> {
  return { headers: { 'content-type': contentTypes.json, 'x-amz-target': 'Kinesis_20131202.ListStreams', origin } };
}
