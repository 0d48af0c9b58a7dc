import { md5Words } from './md5.ts';

/**
 * A hash key is a 128-bit unsigned number. In the catalog it is text of 32 hexadecimal digits: such text compares as the numbers do.
 */
export type HashKey = string;

/** The same number as four 32-bit words, the highest first: what records are routed by. */
export type HashWords = Uint32Array;

export const hashKeyMax: bigint = (1n << 128n) - 1n;

export const newHashWords = (): HashWords => new Uint32Array(4);

/** MD5 of the partition key's UTF-8 bytes, read big-endian. */
export const hashPartitionKey: (partitionKey: string, into: HashWords) => void = md5Words;

export function writeHashWords(key: HashKey, into: HashWords): void {
  for (let i = 0; i < 4; i++) into[i] = Number.parseInt(key.slice(i * 8, i * 8 + 8), 16);
}

/** Undefined when the decimal number lies outside 0 to 2^128 − 1. */
export function parseHashKey(decimal: string): HashKey | undefined {
  const value = BigInt(decimal);
  return value > hashKeyMax ? undefined : hashKeyOf(value);
}

export function hashKeyOf(value: bigint): HashKey {
  return value.toString(16).padStart(32, '0');
}

/** As the API writes it. */
export function decimalHashKey(key: HashKey): string {
  return BigInt(`0x${key}`).toString();
}

/** Even ranges for a new stream: shard i begins at i·⌊2^128 / count⌋, the last ends at 2^128 − 1. */
export function evenRanges(count: number): Array<{ startHash: HashKey; endHash: HashKey }> {
  const width = (hashKeyMax + 1n) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    startHash: hashKeyOf(BigInt(i) * width),
    endHash: hashKeyOf(i === count - 1 ? hashKeyMax : BigInt(i + 1) * width - 1n),
  }));
}
