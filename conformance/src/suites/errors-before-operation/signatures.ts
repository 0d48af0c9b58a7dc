import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { startOwnServer } from '../../harness/own-server.ts';
import type { Transport } from '../../harness/target.ts';
import { decode, encode, requestOf, type Encoding } from '../../wire/call.ts';
import { openHttp1, openHttp2, type Channel } from '../../wire/channel.ts';
import { signed, type SigningOptions } from '../../wire/signer.ts';

const known = { accessKeyId: 'AKIDKNOWN', secretAccessKey: 'secret-of-the-known-key' };
const hourMs = 3_600_000;

interface Row {
  readonly name: string;
  readonly options: SigningOptions;
  readonly status: number;
  readonly type?: string;
  readonly message?: RegExp;
}

/** Source: data-streams reference §1.5, rows on signature, clock and unknown keys. */
const rows: readonly Row[] = [
  { name: 'a good signature', options: known, status: 200 },
  {
    name: 'a bad signature',
    options: { ...known, secretAccessKey: 'another secret' },
    status: 400,
    type: 'InvalidSignatureException',
    message: /./,
  },
  {
    name: 'an old signature',
    options: { ...known, at: new Date(Date.now() - hourMs) },
    status: 400,
    type: 'InvalidSignatureException',
    message: /^Signature expired: /,
  },
  {
    name: 'a signature of the future',
    options: { ...known, at: new Date(Date.now() + hourMs) },
    status: 400,
    type: 'InvalidSignatureException',
    message: /./,
  },
  {
    name: 'an unknown key',
    options: { accessKeyId: 'AKIDUNKNOWN' },
    status: 400,
    type: 'UnrecognizedClientException',
    message: /^The security token included in the request is invalid\.$/,
  },
];

/** With a server that verifies signatures. */
export async function checkSignatures(checks: Checks): Promise<void> {
  const folder = freshFolder('credentials');
  const file = join(folder.path, 'credentials');
  const lines = [
    `aws_access_key_id = ${known.accessKeyId}`,
    `aws_secret_access_key = ${known.secretAccessKey}`,
    'aws_account_id = 123456789012',
  ];
  writeFileSync(file, ['[default]', ...lines, ''].join('\n'));
  const server = await startOwnServer(['--auth', file]);
  const transport: Transport = { name: 'http', endpoint: server.endpoint };
  try {
    for (const channel of [openHttp1(transport), openHttp2(transport)]) {
      for (const encoding of ['json', 'cbor'] as const) {
        for (const row of rows) {
          await checks.check(`${channel.protocol} ${encoding}: ${row.name}`, () =>
            checkRow(channel, transport, row, encoding),
          );
        }
      }
      channel.close();
    }
  } finally {
    await server.close();
    folder.remove();
  }
}

async function checkRow(channel: Channel, transport: Transport, row: Row, encoding: Encoding): Promise<void> {
  const request = requestOf('ListStreams', encode({}, encoding), encoding);
  const { status, body } = await channel.send(await signed(request, transport, row.options));
  const answer = decode(body, encoding) as { __type?: string; message?: string };
  assert.deepEqual([status, answer.__type], [row.status, row.type]);
  if (row.message !== undefined) assert.match(answer.message ?? '', row.message);
}
