import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AggregateBuilder,
  deaggregate,
  hashKeyFromDecimal,
  hashKeyOf,
  hashKeyToDecimal,
  readAggregate,
  type UserRecord,
} from './index.ts';

/** Amazon's own library for JavaScript. */
function awsKinesisAgg(input: object): unknown {
  const program = fileURLToPath(new URL('testing/aws-kinesis-agg.cjs', import.meta.url));
  const env = { ...process.env, NODE_OPTIONS: '' };
  return JSON.parse(execFileSync(process.execPath, [program], { input: JSON.stringify(input), env, encoding: 'utf8' }));
}

const magic = Buffer.from('f3899ac2', 'hex');
const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();
/** Any message with the frame of an aggregate. */
const framed = (message: Uint8Array): Buffer => Buffer.concat([magic, message, md5(message)]);

const hashKeys = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(String);
const records = fc.array(
  fc.record({
    partitionKey: fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: 'binary', minLength: 1, maxLength: 256 })),
    explicitHashKey: fc.option(fc.oneof(fc.constantFrom('0', '1'), hashKeys), { nil: undefined }),
    data: fc.uint8Array({ maxLength: 300 }),
  }),
  { minLength: 2, maxLength: 200 },
);

const plain = (list: readonly UserRecord[] | undefined): object[] | undefined =>
  list?.map(({ partitionKey, explicitHashKey, data }) => ({
    partitionKey,
    explicitHashKey,
    data: Buffer.from(data).toString('hex'),
  }));

function build(list: readonly UserRecord[]): AggregateBuilder {
  const builder = new AggregateBuilder();
  for (const record of list) builder.add(record);
  return builder;
}

describe('an aggregate', () => {
  it('has the bytes of the layout', () => {
    const { data, partitionKey, explicitHashKey } = build([
      { partitionKey: 'p', data: Buffer.from('one') },
      { partitionKey: 'q', explicitHashKey: '7', data: Buffer.from('two') },
      { partitionKey: 'p', data: Buffer.from('') },
    ]).finish();
    const message = Buffer.from(
      '0a0170' +
        '0a0171' +
        '120137' + // the tables
        '1a07' +
        '0800' +
        '1a036f6e65' + // "one" with key 0
        '1a09' +
        '0801' +
        '1000' +
        '1a0374776f' + // "two" with key 1 and hash key 0
        '1a04' +
        '0800' +
        '1a00',
      'hex',
    );
    expect(Buffer.from(data).toString('hex')).toBe(framed(message).toString('hex'));
    expect(partitionKey).toBe('a');
    expect(explicitHashKey).toBe(BigInt(`0x${md5(Buffer.from('p')).toString('hex')}`).toString());
  });

  it('goes to the shard of its first record, explicit hash key first', () => {
    const data = Buffer.from('x');
    const entry = build([
      { partitionKey: 'p', explicitHashKey: '0042', data },
      { partitionKey: 'q', data },
    ]).finish();
    expect(entry.explicitHashKey).toBe('42');
  });

  it('is not made of a single record', () => {
    const record = { partitionKey: 'p', explicitHashKey: '5', data: Buffer.from('alone') };
    const entry = build([record]).finish();
    expect(entry).toEqual(record);
    expect(entry.data).not.toBe(record.data);
    expect(() => new AggregateBuilder().finish()).toThrow(RangeError);
  });

  it('comes back as it was, and is as long as the builder said', () => {
    fc.assert(
      fc.property(records, (list) => {
        const builder = build(list);
        expect(builder.count).toBe(list.length);
        const { bytes } = builder;
        const { data } = builder.finish();
        expect(data.length).toBe(bytes);
        expect(plain(deaggregate(data))).toEqual(plain(list));
        expect(builder.count).toBe(0);
      }),
    );
  });

  it('takes a record that just fits, and none that does not', () => {
    fc.assert(
      fc.property(records, (list) => {
        const last = list.at(-1) as UserRecord;
        const whole = build(list).bytes;
        for (const [bytesMax, fits] of [
          [whole - 1, false],
          [whole, true],
          [whole + 1, true],
        ] as const) {
          const builder = build(list.slice(0, -1));
          const before = builder.bytes;
          expect(builder.add(last, bytesMax)).toBe(fits);
          expect(builder.bytes).toBe(fits ? whole : before);
          const kept = fits ? list : list.slice(0, -1);
          if (kept.length > 1) expect(plain(deaggregate(builder.finish().data))).toEqual(plain(kept));
        }
      }),
    );
  });

  it('takes its first record whatever its size', () => {
    expect(new AggregateBuilder().add({ partitionKey: 'p', data: Buffer.alloc(100) }, 64)).toBe(true);
  });
});

describe('de-aggregation', () => {
  const whole = build([
    { partitionKey: 'p', data: Buffer.from('one') },
    { partitionKey: 'q', data: Buffer.from('two') },
  ]).finish().data as Buffer;

  it('takes everything else as an ordinary record', () => {
    const broken = Buffer.from(whole);
    broken[10] = (broken[10] as number) ^ 1;
    for (const data of [
      Buffer.alloc(0),
      magic,
      whole.subarray(0, 20),
      whole.subarray(0, -1),
      whole.subarray(1),
      broken,
    ]) {
      expect(deaggregate(data)).toBeUndefined();
    }
  });

  it('reads fields in any order, with others between them', () => {
    // A record before its table; tags in it; unknown fields of every wire type, groups in groups.
    const record = '0800' + '1a0178' + '22030a0174';
    const unknown = '2801' + '310000000000000000' + '3a0178' + '45' + '00000000' + '4b' + '53' + '5801' + '54' + '4c';
    const message = Buffer.from(`1a0a${record}${unknown}0a0170`, 'hex');
    expect(plain(deaggregate(framed(message)))).toEqual([
      { partitionKey: 'p', explicitHashKey: undefined, data: '78' },
    ]);
  });

  it.each([
    ['a record without a key', '1a031a0178' + '0a0170'],
    ['a record without data', '1a020800' + '0a0170'],
    ['a key that is not in the table', '1a0508011a0178' + '0a0170'],
    ['a hash key that is not in the table', '1a07080010001a0178' + '0a0170'],
    ['a length beyond the end', '0a0570'],
    ['a record longer than its data says', '0a0170' + '1a0508001a0978'],
    ['a number that never ends', '08ffffffffffffffffffff01'],
    ['a group that does not end', '0b0801'],
    ['an end of a group that has not begun', '0c'],
    ['a field numbered 0', '0001'],
    ['groups deeper than anybody makes', '0b'.repeat(200) + '0c'.repeat(200)],
  ])('takes %s as an ordinary record', (_name, hex) => {
    expect(deaggregate(framed(Buffer.from(hex, 'hex')))).toBeUndefined();
  });

  it('finds nothing in an aggregate of nothing', () => {
    expect(deaggregate(framed(Buffer.from('0a0170', 'hex')))).toEqual([]);
  });

  it('never throws, and gives no bytes but those of the record', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom(0x08, 0x0a, 0x0b, 0x0c, 0x10, 0x12, 0x1a, 0x00, 0x01, 0x7f, 0x80, 0xff),
        fc.integer({ min: 0, max: 255 }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(pieces, (bytes) => {
        const data = framed(Uint8Array.from(bytes));
        for (const record of deaggregate(data) ?? []) {
          expect(record.data.byteOffset).toBeGreaterThanOrEqual(data.byteOffset + 4);
          expect(record.data.byteOffset + record.data.length).toBeLessThanOrEqual(data.byteOffset + data.length - 16);
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('survives a whole one that is cut or changed anywhere', () => {
    const message = whole.subarray(4, -16);
    for (let at = 0; at < message.length; at++) {
      deaggregate(framed(message.subarray(0, at)));
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(message);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        deaggregate(framed(changed));
      }
    }
  });
});

describe('the mark that an aggregate is put again whole', () => {
  it('is read, counted in its length, and skipped by others', () => {
    const marked = new AggregateBuilder({ isPutAgainWhole: true });
    const list = [
      { partitionKey: 'p', explicitHashKey: '7', data: Buffer.from('one') },
      { partitionKey: 'q', explicitHashKey: undefined, data: Buffer.from('two') },
    ];
    for (const record of list) marked.add(record);
    const { bytes } = marked;
    const { data } = marked.finish();
    expect(data).toHaveLength(bytes);
    expect(bytes - build(list).bytes).toBe(2);
    expect(readAggregate(data)?.isPutAgainWhole).toBe(true);
    expect(readAggregate(build(list).finish().data)?.isPutAgainWhole).toBe(false);
    expect(plain(deaggregate(data))).toEqual(plain(list));
    const theirs = awsKinesisAgg({ deaggregate: Buffer.from(data).toString('base64') }) as Array<{
      partitionKey: string;
    }>;
    expect(theirs.map(({ partitionKey }) => partitionKey)).toEqual(['p', 'q']);
  });
});

describe('with aws-kinesis-agg', () => {
  // No key that looks like an array index: it puts those in another order than their indexes have.
  const list: UserRecord[] = Array.from({ length: 300 }, (_, i) => ({
    partitionKey: `key-${i % 7}`,
    explicitHashKey: i % 3 === 0 ? String(2n ** BigInt(40 + (i % 80))) : undefined,
    data: Buffer.alloc(1 + (i % 90), i),
  }));

  const inBase64 = list.map((record) => ({ ...record, data: Buffer.from(record.data).toString('base64') }));

  it('an aggregate has the same bytes', () => {
    const made = Buffer.from(awsKinesisAgg({ aggregate: inBase64 }) as string, 'base64');
    expect(made.toString('hex')).toBe(Buffer.from(build(list).finish().data).toString('hex'));
    expect(plain(deaggregate(made))).toEqual(plain(list));
  });

  // It gives the first of the table to a record that has no explicit hash key.
  it.each([
    ['with explicit hash keys', inBase64.filter(({ explicitHashKey }) => explicitHashKey !== undefined)],
    ['without', inBase64.filter(({ explicitHashKey }) => explicitHashKey === undefined)],
  ])('it reads ours, %s', (_name, part) => {
    const { data } = build(part.map((record) => ({ ...record, data: Buffer.from(record.data, 'base64') }))).finish();
    expect(awsKinesisAgg({ deaggregate: Buffer.from(data).toString('base64') })).toEqual(part);
  });
});

describe('a hash key', () => {
  it('is ordered as its number', () => {
    fc.assert(
      fc.property(hashKeys, hashKeys, (a, b) => {
        expect(hashKeyFromDecimal(a) < hashKeyFromDecimal(b)).toBe(BigInt(a) < BigInt(b));
        expect(hashKeyToDecimal(hashKeyFromDecimal(a))).toBe(a);
      }),
    );
  });

  it('of a partition key is its MD5 in UTF-8', () => {
    expect(hashKeyOf('pärtition')).toBe(md5(Buffer.from('pärtition')).toString('hex'));
  });

  it.each(['', '-1', '1.5', '0x1', 'one', String(2n ** 128n)])('is not %j', (text) => {
    expect(() => hashKeyFromDecimal(text)).toThrow(RangeError);
  });

  it('goes up to 2^128 - 1', () => {
    expect(hashKeyFromDecimal(String(2n ** 128n - 1n))).toBe('f'.repeat(32));
  });
});
