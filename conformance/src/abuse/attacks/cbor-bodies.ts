import { encode } from '../../wire/call.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { AttackKind, Subject } from '../attack.ts';
import { framedAttack, type Wish } from '../request.ts';
import { changed } from './json-bodies.ts';

const serialization: Wish = { expects: 'refused', types: ['SerializationException'] };
const deep = 100_000;

/** CBOR that is cut, bent, too deep, or promises more than it holds. Layouts: RFC 8949 §3. */
export function cborBodies(subject: Subject): AttackKind[] {
  const kind = (name: string, weight: number, wish: Wish, draw: (random: SeededRandom) => Uint8Array): AttackKind => ({
    name: `CBOR: ${name}`,
    weight,
    make: (random) => {
      const operation = wish.expects === 'survived' ? 'DescribeStreamSummary' : 'PutRecord';
      return framedAttack(subject, { operation, encoding: 'cbor', body: draw(random) }, random, wish);
    },
  });
  const { streamName } = subject;
  const put = encode({ StreamName: streamName, PartitionKey: 'k', Data: Uint8Array.of(1, 2, 3) }, 'cbor');
  const survived: Wish = { expects: 'survived' };
  return [
    kind('a body cut off', 6, serialization, (random) => put.subarray(0, random.int(1, put.length - 1))),
    kind('bytes changed', 5, survived, (random) =>
      changed(Buffer.from(encode({ StreamName: streamName, Other: [1, 'a'] }, 'cbor')), random),
    ),
    kind('random bytes', 4, survived, (random) =>
      Buffer.from(Array.from({ length: random.int(1, 200) }, () => random.int(0, 255))),
    ),
    kind('no map', 2, serialization, (random) =>
      Buffer.from(random.pick(['80', '01', 'f6', '6161', '4161', 'c101', 'fb3ff0000000000000', '9fff', 'f5']), 'hex'),
    ),
    kind('lengths beyond the end', 8, serialization, hugeLength),
    kind('reserved bytes', 6, serialization, (random) => inMember(Buffer.of(random.pick(reserved)), random)),
    kind('tags', 5, serialization, (random) => inMember(tagged(random), random)),
    kind('indefinite lengths that do not end or hold what they must not', 6, serialization, (random) =>
      inMember(Buffer.from(random.pick(badIndefinite), 'hex'), random),
    ),
    kind('keys that are not text', 3, serialization, (random) =>
      Buffer.from(random.pick(['a10101', 'a1416101', 'a1f601', 'a1800a', 'a1a000', 'a1fb3ff000000000000001']), 'hex'),
    ),
    kind('text that is not UTF-8', 4, serialization, (random) =>
      inMember(
        Buffer.from(random.pick(['61ff', '62c0af', '63eda080', '61e9', '7f61c361a9ff', '64f4908080']), 'hex'),
        random,
      ),
    ),
    kind('nested 100,000 deep', 1, serialization, nested),
    kind('keys of prototypes', 6, { expects: 'refused' }, (random) => {
      const name = random.pick(['__proto__', 'constructor', 'prototype', 'toString']);
      const [first = 0, ...others] = put;
      const key = Buffer.from(name);
      const all = Buffer.of(first, ...others);
      const entry = Buffer.concat([Buffer.of(0x60 + key.length), key, all]);
      return Buffer.concat([
        Buffer.of(0xa1),
        random.chance(0.5) ? entry : Buffer.concat([Buffer.of(0x60 + key.length), key, Buffer.of(0xa1), entry]),
      ]);
    }),
    kind('bytes after the end', 2, serialization, (random) => Buffer.concat([put, Buffer.of(random.int(0, 255))])),
    kind('very many values', 0.2, serialization, (random) => manyValues(random, 1 << 20)),
  ];
}

const reserved = [
  0x1c, 0x1d, 0x1e, 0x1f, 0x3c, 0x3f, 0x5c, 0x5e, 0x7d, 0x9c, 0x9e, 0xbd, 0xdc, 0xdf, 0xe0, 0xf3, 0xf8, 0xfc, 0xff,
];
const badIndefinite = [
  '5f',
  '7f',
  '9f',
  'bf',
  '5f6161ff',
  '7f4161ff',
  '5f5f4161ffff',
  '7f7f6161ffff',
  'bf6161ff',
  'bf01ff',
  '5f41ff',
  '9f9f9fff',
  '7f01ff',
  '5fa0ff',
  '1f',
  '3f',
  'df01',
];

/** After the key `StreamName` of a map of one. */
function inMember(value: Uint8Array, random: SeededRandom): Buffer {
  const key = Buffer.from('StreamName');
  const start = random.chance(0.5) ? Buffer.of(0xa1) : Buffer.of(0xbf);
  const end = start[0] === 0xbf && random.chance(0.5) ? Buffer.of(0xff) : Buffer.alloc(0);
  return Buffer.concat([start, Buffer.of(0x60 + key.length), key, value, end]);
}

function hugeLength(random: SeededRandom): Buffer {
  const major = random.pick([0x40, 0x60, 0x80, 0xa0]);
  const length = random.pick([
    '1903e8',
    '19ffff',
    '1a00ffffff',
    '1affffffff',
    '1b0000000100000000',
    '1b001fffffffffffff',
    '1b7fffffffffffffff',
    '1bffffffffffffffff',
  ]);
  const bytes = Buffer.from(length, 'hex');
  bytes[0] = (bytes[0] as number) | major;
  const filling = Buffer.alloc(random.pick([0, 1, 100]), 0x61);
  return random.chance(0.3) ? Buffer.concat([bytes, filling]) : inMember(Buffer.concat([bytes, filling]), random);
}

/** No member of a put is tagged; of tag 1 there are times that are none, too. */
function tagged(random: SeededRandom): Buffer {
  const tag = random.pick([
    'c0',
    'c1',
    'c2',
    'c3',
    'c4',
    'c5',
    'd7',
    'd818',
    'd9d9f7',
    'daffffffff',
    'dbffffffffffffffff',
  ]);
  const value = random.pick([
    '01',
    '6161',
    '4101',
    '80',
    'a0',
    'fb7ff8000000000000',
    'fb7ff0000000000000',
    'f97e00',
    'c101',
    '1bffffffffffffffff',
    '5fff',
    `59ffff${'ff'.repeat(65_535)}`,
  ]);
  return Buffer.from(tag + value, 'hex');
}

function nested(random: SeededRandom): Buffer {
  const open = Buffer.from(
    random.pick(['81', '9f', 'a16161', 'bf6161', 'c1', 'c6', '81a16161', '5f', '7f', 'd9ffff']),
    'hex',
  );
  const all = Buffer.concat(Array<Buffer>(deep).fill(open));
  return random.chance(0.5) ? all : inMember(all, random);
}

/** So many bytes of values of one byte each, where a name is expected. */
export function manyValues(random: SeededRandom, count: number): Buffer {
  const value = random.pick([0x40, 0x60, 0x80, 0xa0, 0x00, 0xf6]);
  const [open, close] = random.pick([
    [0x9f, 0xff],
    [0x5f, 0xff],
    [0x7f, 0xff],
  ] as const);
  const unit = open === 0x5f ? 0x40 : open === 0x7f ? 0x60 : value;
  const list = Buffer.concat([Buffer.of(open), Buffer.alloc(count, unit), Buffer.of(close)]);
  const key = Buffer.from('StreamName');
  // Text of nothing is a string after all, and one that breaks a constraint; so it stands where a list is expected.
  const name = open === 0x7f ? Buffer.from('Data') : key;
  return Buffer.concat([Buffer.of(0xa1, 0x60 + name.length), name, list]);
}
