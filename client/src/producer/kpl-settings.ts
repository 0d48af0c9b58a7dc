import type { ProducerTuning } from './tuning.ts';

/** Settings under the names that the KPL has for them, with its meaning and units. */
export interface KplSettings {
  readonly AggregationEnabled?: boolean;
  readonly AggregationMaxCount?: number;
  readonly AggregationMaxSize?: number;
  readonly CollectionMaxCount?: number;
  readonly CollectionMaxSize?: number;
  readonly RecordMaxBufferedTime?: number;
  readonly RecordTtl?: number;
  readonly MaxUserRecordSize?: number;
  readonly MaxConnections?: number;
  readonly RequestTimeout?: number;
  readonly RateLimit?: number;
  readonly FailIfThrottled?: boolean;
}

/** What each is called here, where the meaning is the same. */
export const kplNames: Readonly<Record<keyof KplSettings, keyof ProducerTuning>> = {
  AggregationEnabled: 'isAggregating',
  AggregationMaxCount: 'aggregateRecordsMax',
  AggregationMaxSize: 'aggregateBytesMax',
  CollectionMaxCount: 'callRecordsMax',
  CollectionMaxSize: 'callBytesMax',
  RecordMaxBufferedTime: 'lingerMs',
  RecordTtl: 'recordTtlMs',
  MaxUserRecordSize: 'recordBytesMax',
  MaxConnections: 'callsMax',
  RequestTimeout: 'requestTimeoutMs',
  RateLimit: 'rateLimitPercent',
  FailIfThrottled: 'failsIfThrottled',
};
