export { AggregateBuilder, type AggregatedEntry } from './builder.ts';
export { type Aggregate, deaggregate, readAggregate } from './deaggregate.ts';
export type { UserRecord } from './format.ts';
export { hashKeyFromDecimal, hashKeyOf, hashKeyToDecimal, type HashKey } from './hash-key.ts';
