import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import type { Target, Transport } from '../../harness/target.ts';
import { openHttp1, openHttp2, type Channel } from '../../wire/channel.ts';
import { decode, encode, requestOf, type Encoding } from '../../wire/call.ts';
import { assertErrorHeaders, checkHeaders } from './headers.ts';
import { allRows, type Row } from './rows.ts';
import { signed } from '../../wire/signer.ts';
import { checkSignatures } from './signatures.ts';

export async function errorsBeforeOperationSuite(target: Target, checks: Checks): Promise<void> {
  for (const transport of target.transports) {
    for (const open of [openHttp1, openHttp2]) {
      const channel = open(transport);
      checks.prefix = `${transport.name} ${channel.protocol} `;
      try {
        for (const row of allRows()) await checks.check(row.name, () => checkRow(channel, row));
        await checkHeaders(channel, transport, checks);
      } finally {
        channel.close();
      }
    }
  }
  checks.prefix = '';
  for (const transport of target.transports) {
    if (transport.name === 'https') await checkWithoutAlpn(transport, checks);
  }
  if (target.isOwn) await checkSignatures(checks);
  else checks.say('Signatures are not checked: that needs a server of our own with --auth.');
}

/** The first bytes must tell also under TLS. */
async function checkWithoutAlpn(transport: Transport, checks: Checks): Promise<void> {
  const channel = openHttp2(transport, { isNegotiated: false });
  try {
    await checks.check('HTTP/2 under TLS without ALPN', async () => {
      const request = requestOf('ListStreams', encode({}, 'json'), 'json');
      assert.equal((await channel.send(await signed(request, transport))).status, 200);
    });
  } finally {
    channel.close();
  }
}

async function checkRow(channel: Channel, row: Row): Promise<void> {
  const answer = await channel.send(row.request);
  assert.equal(answer.status, row.status, `status ${answer.status}, not ${row.status}`);
  assert.equal(answer.headers['content-type'], row.contentType, 'content type');
  if (typeof row.body === 'string') {
    assert.equal(answer.body.toString(), row.body);
  } else {
    const isCbor = row.contentType?.includes('cbor') === true;
    const encoding: Encoding = isCbor ? 'cbor' : 'json';
    assert.deepEqual(decode(answer.body, encoding), row.body);
    if (!isCbor) assert.equal(answer.body.toString(), JSON.stringify(row.body), 'byte for byte');
  }
  assertErrorHeaders(answer, (row.body as { __type?: string }).__type);
}
