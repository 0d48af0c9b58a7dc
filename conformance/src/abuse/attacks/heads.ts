import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { encode, type Encoding } from '../../wire/call.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { AttackKind, Subject } from '../attack.ts';
import { authorization, cutAttack, framedAttack, head, headersOf, type Wish } from '../request.ts';

const refused: Wish = { expects: 'refused' };
const either: Wish = { expects: 'refused or closed' };

interface Change {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly path?: string;
  readonly body?: Uint8Array;
  readonly method?: string;
}

/** A sound put under a head that is wrong: type, coding, target, signature, size. */
export function headAttacks(subject: Subject): AttackKind[] {
  const put = { StreamName: subject.streamName, PartitionKey: 'k', Data: Uint8Array.of(1) };
  const bodies: Readonly<Record<Encoding, Uint8Array>> = { json: encode(put, 'json'), cbor: encode(put, 'cbor') };
  const kind = (
    name: string,
    weight: number,
    wish: Wish,
    draw: (random: SeededRandom, body: Uint8Array) => Change,
  ): AttackKind => ({
    name: `heads: ${name}`,
    weight,
    make: (random) => {
      const encoding = random.pick(['json', 'cbor'] as const);
      const body = bodies[encoding];
      return framedAttack(subject, { operation: 'PutRecord', encoding, body, ...draw(random, body) }, random, wish);
    },
  });
  const zeros = gzipSync(Buffer.alloc(32 << 20));
  const types = (...names: string[]): Wish => ({ expects: 'refused', types: names });
  return [
    kind('a compressed body', 4, types('SerializationException'), (random, body) => {
      const [coding, compress] = random.pick([
        ['gzip', gzipSync],
        ['deflate', deflateSync],
        ['br', brotliCompressSync],
      ] as const);
      return {
        headers: { 'content-encoding': random.pick([coding, coding.toUpperCase(), `${coding}, ${coding}`]) },
        body: compress(body),
      };
    }),
    kind('a bomb of zeros, compressed', 0.2, types('SerializationException'), () => ({
      headers: { 'content-encoding': 'gzip' },
      body: zeros,
    })),
    kind('a body that says it is compressed', 2, types('SerializationException'), (random) => ({
      headers: { 'content-encoding': random.pick(['gzip', 'zstd', 'aws-chunked', 'x', 'identity, gzip']) },
    })),
    kind('a wrong content type', 5, refused, (random) => ({ headers: { 'content-type': random.pick(contentTypes) } })),
    kind('an unknown target', 5, refused, (random) => ({ headers: { 'x-amz-target': random.pick(targets) } })),
    kind(
      'no signature, or half of one',
      8,
      types('MissingAuthenticationTokenException', 'IncompleteSignatureException', 'InvalidSignatureException'),
      (random) => ({ headers: garbledAuthorization(random) }),
    ),
    kind(
      'a signature in the query that is none',
      6,
      types('MissingAuthenticationTokenException', 'IncompleteSignatureException', 'InvalidSignatureException'),
      (random) => ({
        headers: { authorization: undefined },
        path: `/?${garbledQuery(random)}`,
      }),
    ),
    kind('a signature in the query and in the head', 1, types('InvalidSignatureException'), () => ({
      path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256',
    })),
    kind('another method', 3, refused, (random) => ({
      method: random.pick(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']),
      headers: { origin: undefined },
    })),
    kind('a page of another site', 3, types('AccessDeniedException'), (random) => ({
      headers: random.pick([{ origin: 'https://example.com' }, { origin: 'null' }, { origin: '' }]),
    })),
    ...bombs(subject, bodies.json),
  ];
}

const contentTypes = [
  undefined,
  '',
  'text/plain',
  'application/json',
  'application/x-amz-json-1.0',
  'application/cbor',
  'application/x-amz-json-1.1x',
  'multipart/form-data; boundary=a',
  '\xff',
  ';',
  'application/x-amz-cbor',
  'a'.repeat(9000),
  'application/x-www-form-urlencoded',
];
const targets = [
  undefined,
  '',
  '.',
  'Kinesis_20131202',
  'Kinesis_20131202.',
  'Kinesis_20131202.__proto__',
  'Kinesis_20131202.constructor',
  'Kinesis_20131202.toString',
  '__proto__.PutRecord',
  'Kinesis_20131202.PutRecord.PutRecord',
  'kinesis_20131202.putrecord',
  'Kinesis_20131202.putRecord',
  'a'.repeat(30_000),
  'Kinesis_20131202.PutRecord\xe9',
  'DynamoDB_20120810.PutItem',
  'Kinesis_20131202.PutRecord, Kinesis_20131202.PutRecord',
];

function garbledAuthorization(random: SeededRandom): Record<string, string | undefined> {
  const part = (): string =>
    random.pick([
      'Credential=',
      'Signature=',
      'SignedHeaders=',
      'Credential=a/b/c',
      'Credential=////',
      'Signature=0',
      'SignedHeaders=;;;',
      '=',
      ',',
      'AWS4-HMAC-SHA256',
      '\xe9',
      'Credential',
    ]);
  return random.pick([
    () => ({ authorization: undefined }),
    () => ({ authorization: '' }),
    () => ({ authorization: Array.from({ length: random.int(1, 30) }, part).join(random.pick([' ', ', ', ','])) }),
    () => ({ authorization: authorization.slice(0, random.int(1, authorization.indexOf('Signature=') + 9)) }),
    () => ({
      authorization: authorization.replace(
        '/us-east-1/',
        `/${random.pick(['..%2f', '', 'a b', 'é', '__proto__', 'x'.repeat(65), '../..'])}/`,
      ),
    }),
    () => ({ authorization: authorization.replace('Credential=', 'Credential=/') }),
    () => ({ authorization, 'x-amz-date': undefined }),
    () => ({ authorization: `AWS4-HMAC-SHA256 ${'Credential=,'.repeat(2000)}` }),
    () => ({ authorization: 'Basic dGVzdDp0ZXN0' }),
    () => ({ authorization: 'Bearer x' }),
  ])();
}

function garbledQuery(random: SeededRandom): string {
  const parts = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    'X-Amz-Credential=a/20260101/us-east-1/kinesis/aws4_request',
    'X-Amz-Signature=0',
    'X-Amz-SignedHeaders=host',
    'X-Amz-Date=20260101T000000Z',
  ];
  const lacking = random.int(0, parts.length - 1);
  const left = parts.filter((_, index) => index !== lacking);
  return random.pick([
    () => left.join('&'),
    () => left.slice(0, random.int(0, 3)).join('&'),
    () => parts.map((part) => part.slice(0, part.indexOf('=') + 1)).join('&'),
    () => `${left.join('&')}&${'%'.repeat(random.int(1, 100))}`,
    () => `X-Amz-Algorithm=%ff%fe&X-Amz-Credential=${'%00'.repeat(100)}`,
    () => `X-Amz-Algorithm&X-Amz-Credential=${'/'.repeat(1000)}&X-Amz-Signature=0&X-Amz-SignedHeaders=h&X-Amz-Date=d`,
  ])();
}

/** More headers than fit. Each is on a connection of its own: the answer ends it. */
function bombs(subject: Subject, body: Uint8Array): AttackKind[] {
  const sound = [['host', subject.host], ...headersOf({ operation: 'PutRecord', encoding: 'json', body })] as [
    string,
    string,
  ][];
  const kind = (name: string, weight: number, more: (random: SeededRandom) => [string, string][]): AttackKind => ({
    name: `heads: ${name}`,
    weight,
    make: (random) =>
      cutAttack(
        Buffer.concat([
          head('POST / HTTP/1.1', [...sound, ...more(random), ['content-length', String(body.length)]]),
          body,
        ]),
        random,
        either,
      ),
  });
  return [
    kind('one header of megabytes', 0.5, (random) => [
      [random.pick(['x-a', 'authorization', 'cookie']), 'a'.repeat(random.pick([65_536, 1 << 20, 4 << 20]))],
    ]),
    kind('very many headers', 0.5, (random) =>
      Array.from({ length: random.pick([10_000, 40_000]) }, (_, index): [string, string] => [`x-${index}`, 'a']),
    ),
    kind('one header very many times', 0.5, () =>
      Array.from({ length: 20_000 }, (): [string, string] => ['x-amz-target', 'a']),
    ),
    {
      name: 'heads: a request line of megabytes',
      weight: 0.5,
      make: (random) =>
        cutAttack(head(`POST /${'a'.repeat(random.pick([65_536, 2 << 20]))} HTTP/1.1`, sound), random, either),
    },
  ];
}
