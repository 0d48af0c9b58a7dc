import { encode } from '../../wire/call.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { AttackKind, Subject } from '../attack.ts';
import { cutAttack, head, headersOf, http1Bytes, type Wish } from '../request.ts';

type Headers = [string, string][];

const either: Wish = { expects: 'refused or closed' };
const survived: Wish = { expects: 'survived' };

/** HTTP/1.1 whose end is in doubt: chunks, lengths, and what proxies and servers have read in two ways. */
export function framingAttacks(subject: Subject): AttackKind[] {
  const { host, streamName } = subject;
  const put = encode({ StreamName: streamName, PartitionKey: 'k', Data: Uint8Array.of(1) }, 'json');
  const sound: Headers = [['host', host], ...headersOf({ operation: 'PutRecord', encoding: 'json', body: put })];
  const smuggled = http1Bytes(subject, {
    operation: 'CreateStream',
    encoding: 'json',
    body: encode({ StreamName: 'smuggled', ShardCount: 1 }, 'json'),
  });
  const good = http1Bytes(subject, { operation: 'DescribeLimits', encoding: 'json', body: Buffer.from('{}') });
  const kind = (name: string, weight: number, wish: Wish, draw: (random: SeededRandom) => Uint8Array): AttackKind => ({
    name: `framing: ${name}`,
    weight,
    make: (random) => cutAttack(draw(random), random, wish),
  });
  const post = (headers: Headers, ...body: (Uint8Array | string)[]): Buffer =>
    Buffer.concat([head('POST / HTTP/1.1', headers), ...body.map((piece) => Buffer.from(piece as string, 'latin1'))]);
  const chunked = (...body: (Uint8Array | string)[]): Buffer =>
    post([...sound, ['transfer-encoding', 'chunked']], ...body);
  const whole = http1Bytes(subject, { operation: 'PutRecord', encoding: 'json', body: put });
  const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  const size = put.length.toString(16);

  return [
    kind('a request cut off', 10, either, (random) => whole.subarray(0, random.int(1, whole.length - 1))),
    kind('bytes of the head changed', 6, survived, (random) => {
      const bytes = Buffer.from(
        http1Bytes(subject, { operation: 'DescribeLimits', encoding: 'json', body: Buffer.from('{}') }),
      );
      for (let count = random.int(1, 4); count > 0; count--)
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
      return bytes;
    }),
    kind('random bytes', 4, either, (random) =>
      Buffer.from(Array.from({ length: random.int(1, 300) }, () => random.int(0, 255))),
    ),
    kind('sizes of chunks that are none', 8, either, (random) =>
      chunked(random.pick(badSizes), `\r\n`, put, `\r\n0\r\n\r\n`, smuggled),
    ),
    kind('chunks without their line ends', 5, either, (random) =>
      random.pick([
        () => chunked(size, put, '\r\n0\r\n\r\n', smuggled),
        () => chunked(size, '\r\n', put, '0\r\n\r\n', smuggled),
        () => chunked(size, '\n', put, '\n0\n\n', smuggled),
        () => chunked(size, '\r', put, '\r0\r\r', smuggled),
        () => chunked(size, '\r\n', put, 'XX0\r\n\r\n', smuggled),
        () => chunked('1\r\n', put, '\r\n0\r\n\r\n', smuggled),
        () => chunked(size, '\r\n', put, '\r\n', '0\r\nx y: z\r\n\r\n', smuggled),
        () => chunked(size, '\r\n', put, '\r\n', '0\r\n\0\r\n\r\n', smuggled),
      ])(),
    ),
    kind('chunks that do not end', 3, either, (random) =>
      chunked(size, '\r\n', put, random.pick(['', '\r\n', '\r\n0', '\r\n0\r\n', '\r\nff\r\nabc'])),
    ),
    kind('extensions and trailers of megabytes', 1, either, (random) =>
      random.chance(0.5)
        ? chunked(`${size};${'a=b;'.repeat(100_000)}\r\n`, put, '\r\n0\r\n\r\n', smuggled)
        : chunked(size, '\r\n', put, `\r\n0\r\n${'x-trailer: aaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(20_000)}\r\n`),
    ),
    kind('both Content-Length and Transfer-Encoding', 6, either, (random) => {
      const both: Headers = [
        ['content-length', random.pick(['4', '0', String(put.length), '99999'])],
        ['transfer-encoding', 'chunked'],
      ];
      return post(
        [...sound, ...(random.chance(0.5) ? both : both.toReversed())],
        random.pick([`0\r\n\r\n`, `${size}\r\n${textOf(put)}\r\n0\r\n\r\n`]),
        smuggled,
      );
    }),
    kind('Transfer-Encoding in disguise', 6, either, (random) => {
      const [name, value] = random.pick(disguises);
      return post([...sound, [name, value]], `${size}\r\n`, put, '\r\n0\r\n\r\n', smuggled);
    }),
    kind('two lengths', 5, either, (random) => {
      const [first, second] = random.pick([
        ['5', '6'],
        [String(put.length), '0'],
        ['0', String(put.length)],
        [String(put.length), String(put.length)],
      ] as const);
      return post(
        [...sound, ['content-length', first], [random.pick(['content-length', 'Content-Length']), second]],
        put,
        smuggled,
      );
    }),
    kind('lengths that are none', 8, either, (random) =>
      post([...sound, ['content-length', random.pick(badLengths)]], put, smuggled),
    ),
    kind('a length beyond what is allowed', 2, either, (random) =>
      post(
        [
          ...sound,
          [
            'content-length',
            random.pick([
              '16777217',
              '99999999',
              '4294967296',
              '9007199254740992',
              '9223372036854775807',
              '18446744073709551615',
            ]),
          ],
        ],
        put,
      ),
    ),
    kind('a length shorter than the body', 4, either, (random) =>
      post([...sound, ['content-length', String(random.int(1, put.length - 1))]], put),
    ),
    kind('heads in doubt', 8, either, (random) => doubtfulHead(random, sound, put, smuggled)),
    kind('a host that is none, or another', 4, either, (random) => wrongHost(random, sound, put)),
    kind('request lines that are none', 8, either, (random) =>
      Buffer.concat([head(random.pick(badLines), [...sound, ['content-length', String(put.length)]]), put]),
    ),
    kind('a good request, then garbage', 5, { expects: 'good, then refused or closed' }, (random) =>
      Buffer.concat([
        good,
        random.pick([
          Buffer.from('\0\0\0\0\r\n\r\n'),
          Buffer.from('GARBAGE\r\n\r\n'),
          http1Bytes(subject, { operation: 'PutRecord', encoding: 'json', body: Buffer.from('{') }),
          Buffer.alloc(10_000, 'A'),
          Buffer.from('POST / HTTP/9.9\r\n\r\n'),
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        ]),
      ]),
    ),
    kind('very many requests ahead of their answers', 0.3, either, () =>
      Buffer.concat(
        Array<Buffer>(1200).fill(
          http1Bytes(subject, { operation: 'PutRecord', encoding: 'json', body: Buffer.from('{') }),
        ),
      ),
    ),
    kind('expectations that cannot be met', 2, either, (random) =>
      post(
        [
          ...sound,
          ['expect', random.pick(['200-ok', 'x'.repeat(1000), '100-continue, 200-ok'])],
          ['content-length', '1'],
        ],
        '{',
      ),
    ),
    kind('another protocol', 3, either, (random) =>
      post(
        [
          ...sound,
          ['connection', 'upgrade'],
          ['upgrade', random.pick(['websocket', 'h2c', 'TLS/1.0', 'x'])],
          ['http2-settings', 'AAMAAABkAAQAAP__'],
          ['content-length', '1'],
        ],
        '{',
      ),
    ),
  ];
}

const badSizes = [
  'g',
  '-1',
  '+5',
  '0x5',
  ' 5',
  '5 5',
  '',
  ';',
  'FFFFFFFFFFFFFFFFF',
  'fffffffffffffffe',
  '100000000000000000000',
  '5;a=\0',
  '\0',
  '5\t',
  '1e1',
  '٣',
  '0'.repeat(100_000),
];
const badLengths = [
  '-1',
  '-0',
  '+5',
  '5,5',
  '5, 6',
  '0x5',
  '5 5',
  '1e1',
  '5.0',
  '5;',
  'a',
  '\xb2',
  '999999999999999999999999',
  '5\0',
  '\v5',
];
const disguises = [
  ['transfer-encoding', 'xchunked'],
  ['transfer-encoding', 'chunked, identity'],
  ['transfer-encoding', 'identity, chunked, identity'],
  ['transfer-encoding', 'gzip'],
  ['transfer-encoding', '"chunked"'],
  ['transfer-encoding', 'chunked\0'],
  ['transfer-encoding', '\vchunked'],
  ['transfer-encoding', 'chunkedx\r\n y'],
  ['transfer-encoding ', 'chunked'],
  [' transfer-encoding', 'chunked'],
  ['transfer-encoding\0', 'chunked'],
  ['transfer\xadencoding', 'chunked'],
  ['x: y\ntransfer-encoding', 'chunked'],
] as const;
const badLines = [
  'POST /',
  'POST / HTTP/1.10',
  'POST / HTTP/2.0',
  'POST / HTTP/0.9',
  'POST / http/1.1',
  'POST / HTTP/1.1 ',
  'POST\t/\tHTTP/1.1',
  'post / HTTP/1.1',
  'POST /\0 HTTP/1.1',
  'POST /\x7f HTTP/1.1x',
  'POST / FTP/1.1',
  'CONNECT / HTTP/1.1',
  'CONNECT 127.0.0.1:80 HTTP/1.1',
  'POST',
  '',
  ' ',
  'P',
  'PRI * HTTP/1.1',
  `${'A'.repeat(9000)} / HTTP/1.1`,
  'GET / HTTP/1.1\r\nGET / HTTP/1.1',
  'POST / HTTP/1.1\rX: y',
];

/** Of these the end is not in doubt, so nothing may come after them. */
function wrongHost(random: SeededRandom, sound: Headers, put: Uint8Array): Buffer {
  const length: [string, string] = ['content-length', String(put.length)];
  const others = sound.filter(([name]) => name !== 'host');
  const host = random.pick([
    undefined,
    '',
    'example.com',
    'a b',
    '127.0.0.1@example.com',
    '[::1',
    '..',
    '\xe9',
    'localhost.example.com',
  ]);
  const headers: Headers = host === undefined ? [...others, length] : [['host', host], ...others, length];
  return Buffer.concat([head(`POST / HTTP/1.${random.int(0, 1)}`, headers), put]);
}

function doubtfulHead(random: SeededRandom, sound: Headers, put: Uint8Array, smuggled: Buffer): Buffer {
  const length: [string, string] = ['content-length', String(put.length)];
  const [name, value] = random.pick([
    ['x', 'a\0b'],
    ['x', 'a\rb'],
    ['x y', 'a'],
    ['', 'a'],
    ['x\x01', 'a'],
    ['x', 'a\r\ncontent-length : 0'],
    ['\xe9', 'a'],
    ['x', 'a\r\nno colon at all'],
    ['x', 'a\nb'],
  ] as const);
  const variants = [
    head('POST / HTTP/1.1', [...sound, [name, value], length]),
    head('POST / HTTP/1.1', [[' x', 'a'], ...sound, length]),
    Buffer.from(
      head('POST / HTTP/1.1', [...sound, length])
        .toString('latin1')
        .replaceAll('\r\n', random.pick(['\r', '\n\r', '\r\r\n'])),
      'latin1',
    ),
  ];
  return Buffer.concat([random.pick(variants), put, smuggled]);
}
