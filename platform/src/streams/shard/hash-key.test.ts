import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShardRoutes, type Shard } from '../state/stream.ts';
import {
  evenRanges,
  hashKeyMax,
  hashKeyOf,
  hashPartitionKey,
  newHashWords,
  parseHashKey,
  writeHashWords,
} from './hash-key.ts';

function md5(text: string): string {
  const words = newHashWords();
  hashPartitionKey(text, words);
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');
}

const native = (text: string): string => createHash('md5').update(text).digest('hex');

describe('the hash of a partition key', () => {
  it.each([
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['a', '0cc175b9c0f1b6a831c399e269772661'],
    ['abc', '900150983cd24fb0d6963f7d28e17f72'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      '57edf4a22be3c955ac49da2e2107b67a',
    ],
  ])('of %j is the one of RFC 1321', (text, digest) => {
    expect(md5(text)).toBe(digest);
  });

  it('is MD5 for every length around the block', () => {
    for (let length = 0; length <= 260; length++) {
      for (const char of ['k', 'é', '語']) expect(md5(char.repeat(length))).toBe(native(char.repeat(length)));
    }
  });

  it('is MD5 of any text', () => {
    const text = fc.oneof(fc.string({ maxLength: 70 }), fc.string({ unit: 'binary', maxLength: 70 }));
    fc.assert(
      fc.property(text, (key) => {
        expect(md5(key)).toBe(native(key));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('routing', () => {
  const shardsOf = (count: number): Shard[] =>
    evenRanges(count).map((range, number) => ({ number, ...range, createdSecond: 1 }));
  const indexOf = (routes: ShardRoutes, value: bigint): number => {
    const words = newHashWords();
    writeHashWords(hashKeyOf(value), words);
    return routes.indexOf(words);
  };

  it('finds the range that holds the key, at its edges, too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.bigInt({ min: 0n, max: hashKeyMax }), (count, value) => {
        const routes = new ShardRoutes(shardsOf(count));
        const edges = routes.shards.flatMap(({ startHash, endHash }) => [
          BigInt(`0x${startHash}`),
          BigInt(`0x${endHash}`),
        ]);
        for (const key of [value, ...edges]) {
          const { startHash, endHash } = routes.shards[indexOf(routes, key)] as Shard;
          expect(BigInt(`0x${startHash}`) <= key && key <= BigInt(`0x${endHash}`)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('tells ranges apart that differ in their last bit', () => {
    const edge = (1n << 96n) + 5n;
    const ranges = [
      [0n, edge - 1n],
      [edge, edge],
      [edge + 1n, hashKeyMax],
    ] as const;
    const routes = new ShardRoutes(
      ranges.map(([start, end], number) => ({
        number,
        startHash: hashKeyOf(start),
        endHash: hashKeyOf(end),
        createdSecond: 1,
      })),
    );
    expect([edge - 1n, edge, edge + 1n, 0n, hashKeyMax].map((key) => indexOf(routes, key))).toEqual([0, 1, 2, 0, 2]);
  });

  it('takes explicit keys up to 2^128 - 1 and none above', () => {
    expect(parseHashKey(String(hashKeyMax))).toBe('f'.repeat(32));
    expect(parseHashKey(String(hashKeyMax + 1n))).toBeUndefined();
  });
});
