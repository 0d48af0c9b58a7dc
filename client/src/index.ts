export { AggregateBuilder, type AggregatedEntry } from './aggregation/builder.ts';
export { deaggregate } from './aggregation/deaggregate.ts';
export type { UserRecord } from './aggregation/format.ts';
export { hashKeyFromDecimal, hashKeyOf, hashKeyToDecimal, type HashKey } from './aggregation/hash-key.ts';
