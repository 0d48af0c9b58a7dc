import { encode } from '../../wire/call.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { Attack, AttackKind, Subject } from '../attack.ts';
import {
  endHeaders,
  endStream,
  fields,
  frame,
  frameTypes,
  headerFrames,
  indexedField,
  opening,
  ping,
  preface,
  reset,
  settings,
  windowUpdate,
} from '../http2-frames.ts';
import { headersOf } from '../request.ts';

/** Of these more could come, and would be waited for. */
const cut = new Set(['half a preface', 'garbage after the preface']);

/** TLS records and HTTP/2 frames that are wrong, or right and far too many. */
export function otherProtocols(subject: Subject): AttackKind[] {
  const kind = (
    speech: Attack['speech'],
    name: string,
    weight: number,
    draw: (random: SeededRandom) => Uint8Array,
    expects: Attack['expects'] = 'refused or closed',
  ): AttackKind => ({
    name: `${speech === 'bytes' ? 'TLS' : 'HTTP/2'}: ${name}`,
    weight,
    make: (random) => ({
      speech,
      bytes: Buffer.from(draw(random)),
      expects,
      isTls: speech === 'HTTP/2' && random.chance(0.2),
      keepsConnection: false,
      isCut: speech === 'bytes' || cut.has(name),
    }),
  });
  const h2 = (
    name: string,
    weight: number,
    draw: (random: SeededRandom) => Uint8Array,
    expects?: Attack['expects'],
  ): AttackKind => kind('HTTP/2', name, weight, draw, expects);
  const put = encode({ StreamName: subject.streamName, PartitionKey: 'k', Data: Uint8Array.of(1) }, 'json');
  const block = blockOf(subject, 'PutRecord');
  const start = (stream: number, flags = endHeaders, payload: Uint8Array = block): Buffer =>
    frame(frameTypes.headers, flags, stream, payload);
  const data = (stream: number, bytes: Uint8Array, flags = endStream): Buffer =>
    frame(frameTypes.data, flags, stream, bytes);
  const all = (...pieces: Uint8Array[]): Buffer => Buffer.concat([opening(), ...pieces]);
  const many = (count: number, make: (index: number) => Uint8Array): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
  const bytes = (random: SeededRandom, max: number): Buffer =>
    Buffer.from(Array.from({ length: random.int(1, max) }, () => random.int(0, 255)));

  return [
    kind('bytes', 'records that are none', 5, (random) => tlsRecord(random)),
    h2('garbage after the preface', 5, (random) => Buffer.concat([preface, bytes(random, 300)])),
    h2('half a preface', 1, (random) => preface.subarray(0, random.int(1, preface.length - 1))),
    h2('frames that are wrong', 6, (random) => all(start(1), random.pick(wrongFrames)(random))),
    h2(
      'random frames',
      5,
      (random) =>
        all(
          many(random.int(1, 20), () =>
            frame(random.int(0, 12), random.int(0, 255), random.int(0, 5), bytes(random, 40)),
          ),
          ping(),
        ),
      'survived',
    ),
    h2(
      'header blocks that are none',
      4,
      (random) => all(start(1, endHeaders | endStream, bytes(random, 60)), ping()),
      'survived',
    ),
    h2('fields that must not be', 5, (random) =>
      all(start(1, endHeaders, Buffer.concat([block, fields(random.pick(wrongFields))])), data(1, put), ping()),
    ),
    h2(
      'fields with line ends in them',
      3,
      (random) => {
        const origin = [['origin', 'http://localhost'], random.pick(leftOutFields)] as const;
        const asked = Buffer.concat([blockOf(subject, 'DescribeLimits'), fields(origin)]);
        return all(start(1, endHeaders, asked), data(1, Buffer.from('{}')), ping());
      },
      'survived',
    ),
    h2('pseudo-fields that must not be', 4, (random) =>
      all(start(1, endHeaders, fields([...random.pick(wrongPseudo)])), data(1, put), ping()),
    ),
    h2('a body of another length than declared', 3, (random) =>
      all(
        start(
          1,
          endHeaders,
          Buffer.concat([
            block,
            fields([['content-length', random.pick(['0', '5', '999', '-1', 'a', '99999999999'])]]),
          ]),
        ),
        data(1, put),
        ping(),
      ),
    ),
    h2('rapid resets', 0.3, () =>
      all(
        many(3000, (index) => Buffer.concat([start(2 * index + 1), reset(2 * index + 1)])),
        ping(),
      ),
    ),
    h2('continuations without end', 0.3, () =>
      all(
        start(1, 0),
        many(5000, () => frame(frameTypes.continuation, 0, 1, fields([['x', 'a']]))),
      ),
    ),
    h2('continuations of nothing without end', 0.3, () =>
      all(
        start(1, 0),
        many(20_000, () => frame(frameTypes.continuation, 0, 1)),
      ),
    ),
    h2('settings without end', 0.3, () =>
      all(
        many(10_000, (index) => settings([[3, index]])),
        ping(),
      ),
    ),
    h2('pings without end', 0.3, () =>
      all(
        many(20_000, () => ping(Buffer.from('aaaaaaaa'))),
        ping(),
      ),
    ),
    h2('empty frames without end', 0.3, () =>
      all(
        start(1),
        many(20_000, () => data(1, Buffer.alloc(0), 0)),
        reset(1),
        ping(),
      ),
    ),
    h2('priorities without end', 0.3, () =>
      all(
        many(20_000, (index) => frame(frameTypes.priority, 0, 2 * index + 1, Buffer.of(0, 0, 0, 0, 1))),
        ping(),
      ),
    ),
    h2('header lists too large', 1, (random) => all(largeHeaders(subject, random), ping())),
    h2('a header repeated out of the table', 1, () => {
      const bomb = Buffer.concat([block, indexedField('x-bomb', 'a'.repeat(3900)), Buffer.alloc(12_000, 0xbe)]);
      return all(
        many(20, (index) => start(2 * index + 1, endHeaders | endStream, bomb)),
        ping(),
      );
    }),
    h2('windows that overflow', 2, (random) =>
      all(
        start(1),
        random.pick([
          windowUpdate(1, 0x7fff_ffff),
          windowUpdate(0, 0x7fff_ffff),
          windowUpdate(0, 0),
          windowUpdate(1, 0),
          windowUpdate(99, 1),
        ]),
        data(1, Buffer.from('{')),
        ping(),
      ),
    ),
    h2('more data than the window has', 1, () =>
      all(
        start(1),
        many(40, () => data(1, Buffer.alloc(16_384), 0)),
        ping(),
      ),
    ),
    h2('more streams than allowed', 0.5, () =>
      all(
        many(400, (index) => start(2 * index + 1)),
        ping(),
      ),
    ),
    h2('streams never ended', 0.5, () =>
      all(
        many(100, (index) => Buffer.concat([start(2 * index + 1), data(2 * index + 1, Buffer.from('{"a'), 0)])),
        ping(),
      ),
    ),
    h2('stream numbers that go back, or are even', 2, (random) =>
      all(start(5), data(5, Buffer.from('{')), start(random.pick([1, 3, 2, 0])), ping()),
    ),
    h2('CONNECT', 1, (random) =>
      all(
        start(
          1,
          random.pick([endHeaders, endHeaders | endStream]),
          fields([
            [':method', 'CONNECT'],
            [':authority', subject.host],
          ]),
        ),
        ping(),
      ),
    ),
  ];
}

function blockOf({ host }: Subject, operation: string): Buffer {
  return fields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', host],
    ...headersOf({ operation, encoding: 'json', body: Buffer.alloc(0) }),
  ]);
}

function tlsRecord(random: SeededRandom): Buffer {
  const garbage = Buffer.from(Array.from({ length: random.int(0, 200) }, () => random.int(0, 255)));
  const hello = Buffer.from('1603010200010001fc0303', 'hex');
  return random.pick([
    () => Buffer.concat([Buffer.of(0x16, 3, 1), garbage]),
    () => Buffer.concat([hello, garbage]),
    () => Buffer.concat([Buffer.of(0x16, 3, 3, 0xff, 0xff), Buffer.alloc(65_535, 1)]),
    () => Buffer.concat([Buffer.of(0x16, 3, 1, 0, 0), garbage]),
    () => Buffer.of(0x16, random.int(0, 255), random.int(0, 255), 0, 1, 1),
    () => Buffer.from('160301000100', 'hex'),
    () => Buffer.from('1603030004010000001503030002022816030300', 'hex'),
    () => Buffer.concat([Buffer.of(0x16), Buffer.from('POST / HTTP/1.1\r\n\r\n')]),
  ])();
}

type Draw = (random: SeededRandom) => Uint8Array;

/** Each is an error of the connection (RFC 9113 §6), after headers on stream 1. */
const wrongFrames: readonly Draw[] = [
  () => frame(frameTypes.data, 0, 0, Buffer.from('a')),
  () => frame(frameTypes.settings, 0, 1, Buffer.alloc(6)),
  () => frame(frameTypes.settings, 0, 0, Buffer.alloc(5)),
  () => frame(frameTypes.settings, 1, 0, Buffer.alloc(6)),
  () => settings([[4, 0xffff_ffff]]),
  () => settings([[5, 1]]),
  () => settings([[2, 7]]),
  () => frame(frameTypes.ping, 0, 0, Buffer.alloc(7)),
  () => frame(frameTypes.ping, 0, 1, Buffer.alloc(8)),
  () => frame(frameTypes.goAway, 0, 1, Buffer.alloc(8)),
  () => frame(frameTypes.windowUpdate, 0, 0, Buffer.alloc(3)),
  () => frame(frameTypes.reset, 0, 0, Buffer.alloc(4)),
  () => frame(frameTypes.reset, 0, 77, Buffer.alloc(4)),
  () => frame(frameTypes.reset, 0, 1, Buffer.alloc(3)),
  () => frame(frameTypes.pushPromise, endHeaders, 1, Buffer.alloc(8)),
  () => frame(frameTypes.continuation, endHeaders, 1, Buffer.alloc(4)),
  () => frame(frameTypes.data, 0x8, 1, Buffer.of(200, 1)),
  () => frame(frameTypes.headers, endHeaders | 0x8, 3, Buffer.of(200, 1)),
  () => frame(frameTypes.data, 0, 0x7fff_ffff, Buffer.from('a')),
  () => Buffer.concat([Buffer.from('ffffff000100000001', 'hex'), Buffer.alloc(70_000)]),
];

const wrongFields: readonly (readonly (readonly [string, string])[])[] = [
  [['connection', 'close']],
  [['transfer-encoding', 'chunked']],
  [['te', 'gzip']],
  [['Upper', 'a']],
  [[':path', '/x']],
  [
    ['content-length', '1'],
    ['content-length', '2'],
  ],
];

/** Node's library leaves these out, and serves the request without them. */
const leftOutFields = [
  ['x', 'a\r\nb: c'],
  ['x', 'a\0'],
  ['x y', 'a'],
  ['', 'a'],
  ['access-control-request-headers', 'a\r\nset-cookie: b'],
] as const;

const wrongPseudo: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [[':method', 'POST']],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
  ],
  [
    [':method', 'POST'],
    [':path', '/'],
    [':scheme', 'http'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', ''],
    [':authority', 'localhost'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '*'],
    [':authority', 'localhost'],
  ],
  [
    [':method', 'POST'],
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'localhost'],
  ],
  [
    [':status', '200'],
    [':path', '/'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'example.com'],
  ],
  [
    [':method', 'P\0'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'localhost'],
  ],
  [
    ['x', 'a'],
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'localhost'],
  ],
  [
    [':protocol', 'websocket'],
    [':method', 'CONNECT'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'localhost'],
  ],
];

function largeHeaders({ host }: Subject, random: SeededRandom): Buffer {
  const pseudo = fields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', host],
  ]);
  const more = random.pick([
    () => fields([['x', 'a'.repeat(200_000)]]),
    () => fields(Array.from({ length: 5000 }, (_, index): [string, string] => [`x${index}`, 'aaaaaaaaaaaaaaaa'])),
    () => fields(Array.from({ length: 500 }, (_, index): [string, string] => [`x${index}`, 'a'])),
  ])();
  return headerFrames(1, Buffer.concat([pseudo, more]), endStream);
}
