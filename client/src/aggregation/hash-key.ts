import { hash } from 'node:crypto';

/**
 * A 128-bit hash key as 32 lower-case hexadecimal digits, so that the order of texts is the order of numbers. On the wire it is decimal:
 * see {@link hashKeyFromDecimal} and {@link hashKeyToDecimal}.
 */
export type HashKey = string;

const hexDigits = 32;

/** MD5 of a partition key in UTF-8, which decides the shard of a record without an explicit hash key. */
export function hashKeyOf(partitionKey: string): HashKey {
  return hash('md5', partitionKey, 'hex');
}

/** @throws RangeError when the text is not a decimal number from 0 to 2^128 - 1 */
export function hashKeyFromDecimal(decimal: string): HashKey {
  const hex = /^\d{1,39}$/.test(decimal) ? BigInt(decimal).toString(16) : '';
  if (hex === '' || hex.length > hexDigits)
    throw new RangeError(`${decimal} is not a hash key (0 to 2^128 - 1, decimal)`);
  return hex.padStart(hexDigits, '0');
}

/** As `ExplicitHashKey` and the ranges of shards have it. */
export function hashKeyToDecimal(hashKey: HashKey): string {
  return BigInt(`0x${hashKey}`).toString();
}
