import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endingSequenceNumber, formatSequenceNumber, parseSequenceNumber, SequenceWriter } from './sequence-number.ts';

const origins = fc.record({
  shard: fc.integer({ min: 0, max: 0x7fff_ffff }),
  createdSecond: fc.integer({ min: 1, max: 16_025_174_999 }),
});
const offsets = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 2 });

test('a number tells its shard, creation second and offset', () => {
  fc.assert(
    fc.property(origins, offsets, (origin, offset) => {
      const text = formatSequenceNumber(origin, offset);
      expect(text).toMatch(/^[1-9]\d{55}$/);
      expect(parseSequenceNumber(text)).toEqual({ ...origin, offset });
    }),
  );
});

test('numbers rise with the offset, and a later shard begins above every number of an earlier one', () => {
  fc.assert(
    fc.property(origins, offsets, (origin, offset) => {
      const number = BigInt(formatSequenceNumber(origin, offset));
      expect(BigInt(formatSequenceNumber(origin, offset + 1))).toBeGreaterThan(number);
      expect(BigInt(endingSequenceNumber(origin, origin.createdSecond * 1000))).toBeGreaterThan(number);
      const later = { shard: origin.shard, createdSecond: origin.createdSecond + 1 };
      expect(BigInt(formatSequenceNumber(later, -1))).toBeGreaterThan(number);
    }),
  );
});

test('the writer writes the same numbers, in a row and after a jump', () => {
  fc.assert(
    fc.property(
      origins,
      fc.array(fc.tuple(offsets, fc.integer({ min: 1, max: 40 })), { maxLength: 4 }),
      (origin, runs) => {
        const writer = new SequenceWriter(origin);
        for (const [start, count] of runs) {
          for (let offset = start; offset < Math.min(start + count, Number.MAX_SAFE_INTEGER - 2); offset++) {
            expect(writer.at(offset)).toBe(formatSequenceNumber(origin, offset));
          }
        }
      },
    ),
  );
});

test('other numbers are refused', () => {
  const good = BigInt(formatSequenceNumber({ shard: 5, createdSecond: 1_700_000_000 }, 7));
  for (const bad of [0n, 1n, good + 1n, good * 10n, good / 10n, good + (1n << 144n), 10n ** 128n]) {
    expect(parseSequenceNumber(bad.toString())).toBeUndefined();
  }
});
