import { isAscii } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInParts } from './json-parts.ts';

const record = { Data: 'A'.repeat(1336), PartitionKey: 'key-1' };
const records = Array.from({ length: 200 }, (_, i) => ({ ...record, PartitionKey: `key-${i}` }));

/** As Python's `json.dumps` writes it. */
const spaced = (value: unknown): string => JSON.stringify(value).replaceAll(/([,:])(?=["{[])/g, '$1 ');

/** What the body is when it is parsed as a whole; `undefined`: nothing. */
function whole(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return undefined;
  }
}

describe('a large JSON body', () => {
  it.each([
    ['of the JavaScript SDK', JSON.stringify({ Records: records, StreamName: 'orders' })],
    ['with its stream first', JSON.stringify({ StreamName: 'orders', Records: records })],
    ['with an ARN as well', JSON.stringify({ StreamName: 'orders', StreamARN: 'arn:aws:kinesis', Records: records })],
    ['of boto3', spaced({ Records: records, StreamName: 'orders' })],
    ['with nothing but its list', JSON.stringify({ Records: records })],
    ['with other letters', JSON.stringify({ Records: [...records, { ...record, PartitionKey: 'ключ€😀' }] })],
    ['with escapes', JSON.stringify({ Records: [...records, { ...record, PartitionKey: '"\\},{' }], StreamName: 'o' })],
  ])('%s is read in parts', (_, text) => {
    const body = Buffer.from(text);
    expect(readInParts(body, isAscii(body))).toEqual(JSON.parse(text));
  });

  it.each([
    ['is not large', JSON.stringify({ Records: records.slice(0, 2) })],
    ['ends with a comma', `{"Records":[${JSON.stringify(records).slice(1, -1)},]}`],
    ['ends with a comma and nothing', `{"Records":[{"Data":"${'A'.repeat(70_000)}"},${' '.repeat(100_000)}]}`],
    [
      'does not end with its list',
      `${JSON.stringify({ Records: [...records, { PartitionKey: ']}' }] }).slice(0, -2)}xx`,
    ],
    ['has two lists of one name', JSON.stringify({ Records: records, Recordz: 'x' }).replace('Recordz', 'Records')],
    [
      'is cut within a string',
      JSON.stringify({ Records: records.map((each) => ({ ...each, Key: '},'.repeat(700) })) }),
    ],
    ['is cut deeper inside', JSON.stringify({ Records: records.map((each) => [each, each]) })],
    ['has an element as large as two parts', JSON.stringify({ Records: [{ Data: 'A'.repeat(200_000) }, ...records] })],
    ['has a list of nothing', `{"Records":[${' '.repeat(200_000)}]}`],
    ['has anything but plain strings beside its list', JSON.stringify({ DryRun: true, Records: records })],
    ['has a name that is not plain', JSON.stringify({ Records: records, StreamName: 'ö' })],
  ])('is not when it %s', (_, text) => {
    const body = Buffer.from(text);
    expect(readInParts(body, isAscii(body))).toBeUndefined();
  });

  it('means the same in parts, whatever is in it and whatever becomes of it', () => {
    const hostile = ['},', '}, ', '{', '[', ']', ']}', '],"', '"', '\\', ',', '"Records":[', ' ', 'é', '€', '\n', 'a'];
    const text = fc
      .array(fc.constantFrom(...hostile, 'x', '},{"a":"', '"},{"'), { maxLength: 4 })
      .map((all) => all.join(''));
    const oftenPlain = fc.oneof({ weight: 15, arbitrary: fc.constant('orders') }, { weight: 1, arbitrary: text });
    const element = fc.record({ Data: fc.constantFrom('', 'QUJD', 'QUJDREVG'), Key: oftenPlain });
    const nested = fc.constantFrom<unknown[]>({}, { a: { b: [{}, {}] }, c: 1 }, [{}, {}], 1);
    const list = fc.array(fc.oneof({ weight: 40, arbitrary: element }, { weight: 1, arbitrary: nested }), {
      maxLength: 12,
    });
    const name = fc.oneof(
      { weight: 15, arbitrary: fc.constantFrom('StreamName', 'StreamARN') },
      { weight: 1, arbitrary: fc.constantFrom('Records', '__proto__') },
    );
    const beside = fc.dictionary(name, oftenPlain, { maxKeys: 2 });
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 0, max: 2 }),
      insert: fc.constantFrom('', ...hostile),
    });
    const edits = fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(edit, { maxLength: 2 }) },
    );
    let partly = 0;
    let changedPartly = 0;
    fc.assert(
      fc.property(
        beside,
        list,
        beside,
        fc.boolean(),
        edits,
        fc.integer({ min: 1, max: 30 }),
        (first, all, last, isSpaced, changes, partBytes) => {
          const parts = [first, { Records: all }, last].map((each) =>
            (isSpaced ? spaced(each) : JSON.stringify(each)).slice(1, -1),
          );
          let json = `{${parts.filter((each) => each !== '').join(isSpaced ? ', ' : ',')}}`;
          for (const { at, remove, insert } of changes) {
            const place = at % (json.length + 1);
            json = json.slice(0, place) + insert + json.slice(place + remove);
          }
          const body = Buffer.from(json);
          const value = readInParts(body, isAscii(body), partBytes);
          if (value === undefined) return;
          expect(value).toStrictEqual(whole(body));
          partly++;
          if (changes.length > 0) changedPartly++;
        },
      ),
      { numRuns: 20_000 },
    );
    expect(partly).toBeGreaterThan(2000);
    expect(changedPartly).toBeGreaterThan(200);
  });
});
