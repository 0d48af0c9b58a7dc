import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kinesis, type Shape } from '../../model/index.ts';
import { ByteWriter } from './byte-writer.ts';
import { CborError, readCbor } from './cbor-reader.ts';
import { compileCborWriter } from './cbor-writer.ts';
import { readJson } from './json-reader.ts';
import { compileJsonWriter } from './json-writer.ts';

const out = new ByteWriter();

function encode(kind: 'json' | 'cbor', shape: Shape, value: unknown): Buffer {
  out.reset();
  (kind === 'json' ? compileJsonWriter : compileCborWriter)(shape)(out, value);
  const { chunks, bytes } = out.finish();
  const all = Buffer.concat(chunks);
  expect(all.length).toBe(bytes);
  return all;
}

const facts = { name: 'Any', min: undefined, max: undefined };
const text: Shape = { kind: 'string', ...facts, pattern: undefined, values: undefined };
const record: Shape = {
  kind: 'structure',
  name: 'Any',
  members: [
    { name: 'Text', shape: text, required: false },
    { name: 'Blob', shape: { kind: 'blob', ...facts }, required: false },
    { name: 'Count', shape: { kind: 'long', ...facts }, required: false },
    { name: 'At', shape: { kind: 'timestamp', name: 'At' }, required: false },
    { name: 'Is', shape: { kind: 'boolean', name: 'Is' }, required: false },
    { name: 'List', shape: { kind: 'list', ...facts, element: text }, required: false },
    { name: 'Map', shape: { kind: 'map', ...facts, key: text, value: text }, required: false },
  ],
  isError: false,
  isEventStream: false,
  assemble: () => ({}),
};
const someText = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 100 }));
const someRecord = fc.record(
  {
    Text: someText,
    Blob: fc.uint8Array({ maxLength: 300 }),
    Count: fc.maxSafeInteger(),
    At: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    Is: fc.boolean(),
    List: fc.array(someText, { maxLength: 4 }),
    Map: fc.dictionary(fc.oneof(fc.constant('__proto__'), fc.string({ maxLength: 40 })), someText, { maxKeys: 4 }),
  },
  { requiredKeys: [] },
);
type SomeRecord = typeof someRecord extends fc.Arbitrary<infer T> ? T : never;

describe('answers', () => {
  it('in JSON are read back by JSON.parse, blobs as base64 and times as seconds', () => {
    fc.assert(
      fc.property(someRecord, (value: SomeRecord) => {
        const back = readJson(encode('json', record, value)) as Record<string, unknown>;
        const { Blob: blob, At: at, ...rest } = value;
        const expected = {
          ...rest,
          ...(blob === undefined ? {} : { Blob: Buffer.from(blob).toString('base64') }),
          ...(at === undefined ? {} : { At: at / 1000 }),
        };
        expect(back).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
    );
  });

  it('in CBOR are read back, blobs as bytes and times as dates', () => {
    fc.assert(
      fc.property(someRecord, (value: SomeRecord) => {
        const back = readCbor(encode('cbor', record, value)) as Record<string, unknown>;
        const { Blob: blob, At: at, ...rest } = value;
        const { Blob: blobBack, At: atBack, ...restBack } = back;
        expect(restBack).toEqual({ ...rest });
        expect(blobBack === undefined ? undefined : new Uint8Array(blobBack as Buffer)).toEqual(blob);
        expect((atBack as Date | undefined)?.getTime()).toBe(at);
      }),
    );
  });

  it('leave out absent members and write times with up to three decimals', () => {
    const write = (at: number) => encode('json', record, { Text: undefined, At: at }).toString();
    expect(write(1441215410867)).toBe('{"At":1441215410.867}');
    expect(write(1441215410860)).toBe('{"At":1441215410.86}');
    expect(write(1441215410800)).toBe('{"At":1441215410.8}');
    expect(write(1441215410007)).toBe('{"At":1441215410.007}');
    expect(write(1441215410000)).toBe('{"At":1441215410}');
    expect(write(-1500)).toBe('{"At":-1.5}');
    expect(encode('json', record, {}).toString()).toBe('{}');
  });

  it('write times in CBOR as tag 1 over integer milliseconds', () => {
    expect(encode('cbor', record, { At: 1441215410867 }).toString('hex')).toBe('a1624174c11b0000014f8f21f2b3');
  });

  it('larger than a chunk are complete, whatever the sizes of their parts', () => {
    const shape = kinesis.operations.get('GetRecords')?.output as Shape;
    for (const size of [0, 1, 47, 48, 49, 50, 1000, 65_535, 262_144]) {
      const data = Buffer.alloc(size, 'ab\u0000\u00ff', 'latin1');
      const count = Math.max(2, Math.floor(300_000 / (size + 100)));
      const one = { SequenceNumber: '1', Data: data, PartitionKey: 'k"é', ApproximateArrivalTimestamp: 1 };
      const value = {
        Records: Array.from({ length: count }, () => one),
        NextShardIterator: 'x',
        MillisBehindLatest: 0,
      };
      const json = JSON.parse(encode('json', shape, value).toString()) as { Records: Record<string, string>[] };
      const cbor = readCbor(encode('cbor', shape, value)) as { Records: Record<string, Buffer>[] };
      for (const records of [json.Records, cbor.Records]) expect(records).toHaveLength(count);
      expect(json.Records.every((item) => item['Data'] === data.toString('base64'))).toBe(true);
      expect(cbor.Records.every((item) => item['Data']?.equals(data) === true)).toBe(true);
      expect(json.Records.at(-1)?.['PartitionKey']).toBe('k"é');
    }
  });

  it('escape long text, and copy very long plain text in pieces', () => {
    for (const value of ['x'.repeat(200_000), `${'x'.repeat(100)}"\\\n\u0000\ud800é漢😀`, 'é'.repeat(100)]) {
      expect(JSON.parse(encode('json', text, value).toString())).toBe(value);
    }
  });
});

describe('the CBOR reader', () => {
  const read = (hex: string): unknown => readCbor(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

  it.each([
    ['00', 0],
    ['1818', 24],
    ['190100', 256],
    ['1a00010000', 65_536],
    ['1b0000000100000000', 4_294_967_296],
    ['3903e7', -1000],
    ['1bffffffffffffffff', 2 ** 64],
    ['c249010000000000000000', 2 ** 64],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['f7', null],
    ['f93c00', 1],
    ['fa47c35000', 100_000],
    ['fb3ff199999999999a', 1.1],
    ['6161', 'a'],
    ['62c3a9', 'é'],
    ['7f6161 6162 ff', 'ab'],
    ['9f01ff', [1]],
    ['bf6161 01ff', { a: 1 }],
    ['a2 616101 616102', { a: 2 }],
    ['c11b0000014f8f21f2b3', new Date(1441215410867)],
    ['c100', new Date(0)],
    ['c1fb4274f8f21f2b3000', new Date(1441215410867)],
  ])('reads %s', (hex, expected) => {
    expect(read(hex)).toEqual(expected);
  });

  it('gives byte strings as views, and joins indefinite ones', () => {
    const bytes = Buffer.from('43010203', 'hex');
    const view = readCbor(bytes) as Buffer;
    expect(view.buffer).toBe(bytes.buffer);
    expect([...view]).toEqual([1, 2, 3]);
    expect([...(read('5f 4101 420203 ff') as Buffer)]).toEqual([1, 2, 3]);
  });

  it('keeps a key __proto__ as data', () => {
    const map = read(`a1 69${Buffer.from('__proto__').toString('hex')} a1616101`) as object;
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect(Object.keys(map)).toEqual(['__proto__']);
  });

  it.each([
    ['nothing', ''],
    ['bytes left over', 'a000'],
    ['a stray break', 'ff'],
    ['a reserved length', '1c'],
    ['a truncated integer', '19'],
    ['a truncated text', '6261'],
    ['invalid UTF-8', '62fffe'],
    ['a list longer than the body', '9affffffff'],
    ['a list of 2^64 elements', '9bffffffffffffffff'],
    ['a map longer than the body', 'baffffffff'],
    ['a byte string longer than the body', '5affffffff'],
    ['a text longer than the body', '7bffffffffffffffff'],
    ['a key that is not text', 'a10102'],
    ['a map with a break in the middle of an entry', 'bf6161ff'],
    ['a piece of another kind', '5f6161ff'],
    ['nested indefinite strings', '5f5f4101ffff'],
    ['a record definition', 'd869828161616101'],
    ['a class instance', 'd81b82654572726f726161'],
    ['a regular expression', 'd81b8266526567457870625b61'],
    ['a shared reference', 'd81c81d81d00'],
    ['a set', 'd901028101'],
    ['a date as text', 'c06161'],
    ['a timestamp of text', 'c16161'],
    ['a timestamp out of range', 'c11bffffffffffffffff'],
    ['a simple value', 'f863'],
    ['more than 250,000 items', `9a0003d090${'00'.repeat(250_000)}`],
    ['more than 250,000 pieces of a byte string', `5f${'40'.repeat(250_000)}ff`],
    ['more than 250,000 pieces of a text', `7f${'60'.repeat(250_000)}ff`],
    ['128 nested lists and one more', `${'81'.repeat(129)}00`],
    ['a million nested lists', `${'81'.repeat(1_000_000)}00`],
    ['a million nested tags', `${'c6'.repeat(1_000_000)}00`],
    ['a million nested timestamps', `${'c1'.repeat(1_000_000)}00`],
  ])('refuses %s', (_what, hex) => {
    expect(() => read(hex)).toThrow(CborError);
  });

  it('accepts 249,999 and 250,000 items, the list among them', () => {
    for (const count of [249_998, 249_999]) {
      const head = Buffer.of(0x9a, 0, 0, 0, 0);
      head.writeUInt32BE(count, 1);
      expect(readCbor(Buffer.concat([head, Buffer.alloc(count)]))).toHaveLength(count);
    }
  });

  it('accepts 128 nested lists', () => {
    expect(() => read(`${'81'.repeat(128)}00`)).not.toThrow();
  });

  it('answers any bytes with a value or a CborError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readCbor(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(CborError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('answers any cut of a body with a CborError', () => {
    const body = encode('cbor', record, {
      Text: 'abc',
      Blob: Buffer.alloc(30),
      Count: 70_000,
      At: 5,
      List: ['a'],
      Map: { a: 'b' },
    });
    for (let length = 0; length < body.length; length++)
      expect(() => readCbor(body.subarray(0, length))).toThrow(CborError);
  });
});

describe('the JSON reader', () => {
  it('bounds the values of a large body: commas and opening brackets, just below, at and above', () => {
    const listOf = (count: number): Buffer => Buffer.from(`[${'0,'.repeat(count - 1)}0]`);
    for (const count of [249_999, 250_000]) expect(readJson(listOf(count))).toHaveLength(count);
    expect(() => readJson(listOf(250_001))).toThrow(SyntaxError);
    expect(() => readJson(Buffer.from(`[${'[],'.repeat(125_000)}0]`))).toThrow(SyntaxError);
    expect(() => readJson(Buffer.from(`[${'{},'.repeat(125_000)}0]`))).toThrow(SyntaxError);
    expect(() => readJson(Buffer.from(`{"a":"${'A'.repeat(16 << 20)}"}`))).not.toThrow();
  });

  it('survives 100,000 nested lists and objects', () => {
    expect(() => readJson(Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`))).not.toThrow();
    expect(() => readJson(Buffer.from(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`))).not.toThrow();
    expect(() => readJson(Buffer.from('['.repeat(100_000)))).toThrow(SyntaxError);
  });

  it('refuses invalid UTF-8, also inside a string', () => {
    expect(() => readJson(Buffer.from('{"a":"\xff"}', 'latin1'))).toThrow(SyntaxError);
    expect(readJson(Buffer.from('{"a":"é"}'))).toEqual({ a: 'é' });
  });
});
