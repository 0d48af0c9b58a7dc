export { AggregateBuilder, type AggregatedEntry } from './builder.ts';
export { deaggregate } from './deaggregate.ts';
export type { UserRecord } from './format.ts';
export { hashKeyFromDecimal, hashKeyOf, hashKeyToDecimal, type HashKey } from './hash-key.ts';
