import { hash } from 'node:crypto';

/**
 * A hash key is a 128-bit unsigned number. Inside it is text of 32 hexadecimal digits: such text compares as the numbers do,
 * and the MD5 of a partition key comes in that form.
 */
export type HashKey = string;

export const hashKeyMax: bigint = (1n << 128n) - 1n;

/** MD5 of the partition key's UTF-8 bytes, read big-endian. */
export function hashOfPartitionKey(partitionKey: string): HashKey {
  return hash('md5', partitionKey, 'hex');
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
