import type { AttackKind, Subject } from '../attack.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import { framedAttack, type Wish } from '../request.ts';

const serialization: Wish = { expects: 'refused', types: ['SerializationException'] };
const refused: Wish = { expects: 'refused' };
const deep = 100_000;

type Draw = (random: SeededRandom) => { readonly operation: string; readonly body: Uint8Array; readonly wish?: Wish };

/** JSON that is cut, bent, wrongly encoded, too deep, or after an object's prototype. */
export function jsonBodies(subject: Subject): AttackKind[] {
  const kind = (name: string, weight: number, wish: Wish, draw: Draw): AttackKind => ({
    name: `JSON: ${name}`,
    weight,
    make: (random) => {
      const { operation, body, wish: own } = draw(random);
      return framedAttack(subject, { operation, encoding: 'json', body }, random, own ?? wish);
    },
  });
  const { streamName } = subject;
  const put = JSON.stringify({ StreamName: streamName, PartitionKey: 'k', Data: 'YWJ1c2U=' });
  return [
    kind('a body cut off', 8, serialization, (random) => ({
      operation: 'PutRecord',
      body: Buffer.from(put.slice(0, random.int(1, put.length - 1))),
    })),
    kind('bytes changed', 6, { expects: 'survived' }, (random) => ({
      operation: 'DescribeStreamSummary',
      body: changed(Buffer.from(JSON.stringify({ StreamName: streamName, Other: [1, 'a', { b: null }] })), random),
    })),
    kind('no object', 4, serialization, (random) => ({
      operation: 'PutRecord',
      body: Buffer.from(
        random.pick([
          '[]',
          '1',
          '"x"',
          'null',
          'true',
          '-',
          '{}{}',
          '{},',
          "{'a':1}",
          'NaN',
          '\0',
          '{a:1}',
          '{"a":01}',
          '{"a":.5}',
          `[${put}]`,
          `${put}\0`,
          `${put}${put}`,
        ]),
      ),
    })),
    kind('another encoding', 8, serialization, (random) => ({ operation: 'PutRecord', body: encoded(put, random) })),
    kind('nested 100,000 deep', 1, serialization, (random) => ({ operation: 'PutRecord', body: nested(random) })),
    kind('nested 100,000 deep where nothing looks', 0.5, { expects: 'survived' }, (random) => {
      const [open, close] = random.pick([
        ['[', ']'],
        ['{"a":', '}'],
      ] as const);
      const inner = `${open.repeat(deep)}1${close.repeat(deep)}`;
      return {
        operation: 'DescribeStreamSummary',
        body: Buffer.from(`{"StreamName":"${streamName}","Other":${inner}}`),
      };
    }),
    kind('keys of prototypes', 8, refused, (random) => ({ operation: 'PutRecord', ...prototypes(streamName, random) })),
    kind('a member twice, the last one wrong', 2, serialization, () => ({
      operation: 'PutRecord',
      body: Buffer.from(`${put.slice(0, -1)},"Data":1}`),
    })),
    kind('very many values', 0.3, serialization, (random) => ({
      operation: 'PutRecords',
      body: Buffer.from(`{"StreamName":[${random.pick(['[],', '{},', '1.5,', '"",', '{"a":1},']).repeat(200_000)}0]}`),
    })),
    kind('a large body that is nothing', 0.3, serialization, (random) => ({
      operation: 'PutRecords',
      body: Buffer.alloc(random.int(1, 6) << 20, random.pick([' ', '"', '[', '\\', '{"a":'])),
    })),
  ];
}

export function changed(bytes: Buffer, random: SeededRandom): Buffer {
  for (let count = random.int(1, 8); count > 0; count--) bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
  return bytes;
}

function encoded(put: string, random: SeededRandom): Buffer {
  const inKey = (bytes: readonly number[]): Buffer => {
    const at = put.indexOf('"k"') + 1;
    return Buffer.concat([Buffer.from(put.slice(0, at)), Buffer.from(bytes), Buffer.from(put.slice(at))]);
  };
  const utf16 = Buffer.from(put, 'utf16le');
  return random.pick([
    () => utf16,
    () => Buffer.concat([Buffer.of(0xff, 0xfe), utf16]),
    () => Buffer.from(utf16).swap16(),
    () => Buffer.concat([Buffer.of(0xfe, 0xff), Buffer.from(utf16).swap16()]),
    () => Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(put)]),
    () => inKey([0xe9]), // Latin-1.
    () => inKey([0x80]), // A stray continuation.
    () => inKey([0xc0, 0xaf]), // Longer than need be.
    () => inKey([0xe2, 0x82]), // Cut off.
    () => inKey([0xed, 0xa0, 0x80]), // A surrogate.
    () => inKey([0xf4, 0x90, 0x80, 0x80]), // Beyond the last code point.
    () => inKey([0xff, 0xfe]),
    () => inKey([0]),
    () => Buffer.from(put.replaceAll('"', '\u201c')),
  ])();
}

function nested(random: SeededRandom): Buffer {
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['[{"a":', '}]'],
    ['{"__proto__":', '}'],
    ['{"StreamName":', '}'],
  ] as const);
  const text = open.repeat(deep) + (random.chance(0.5) ? `1${close.repeat(deep)}` : '');
  const isWhole = open === '[' && random.chance(0.5);
  return Buffer.from(isWhole ? text : `{"StreamName":${text}}`);
}

/** All that a put needs stands in a prototype, or would, were the keys taken for more than keys. */
function prototypes(StreamName: string, random: SeededRandom): { body: Buffer; wish?: Wish } {
  const name = random.pick(['__proto__', 'constructor', 'prototype', '__defineGetter__', 'toString', 'hasOwnProperty']);
  const all = `{"StreamName":"${StreamName}","PartitionKey":"k","Data":"YWJ1c2U="}`;
  return random.pick([
    () => ({ body: Buffer.from(`{"${name}":${all}}`) }),
    () => ({ body: Buffer.from(`{"${name}":{"prototype":${all}}}`) }),
    () => ({ body: Buffer.from(`{"${name}":{"${name}":${all}},"PartitionKey":"k"}`) }),
    () => ({ body: Buffer.from(`{"StreamName":"${StreamName}","${name}":{"PartitionKey":"k"},"Data":"AAAA"}`) }),
    () => ({ body: Buffer.from(`{"\\u005f_proto__":${all}}`) }),
    () => ({ body: Buffer.from(`{"StreamName":{"${name}":${all}}}`), wish: serialization }),
    () => ({ body: Buffer.from(`{"${name}":1,"StreamName":"${StreamName}"}`) }),
  ])();
}
