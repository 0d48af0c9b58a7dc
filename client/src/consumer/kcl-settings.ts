import type { ConsumerTuning } from './tuning.ts';

/** Settings under the names that the KCL has for them, with its meaning and units. */
export interface KclSettings {
  readonly workerIdentifier?: string;
  readonly initialPositionInStream?: 'LATEST' | 'TRIM_HORIZON' | 'AT_TIMESTAMP';
  /** With `AT_TIMESTAMP`. */
  readonly timestampAtInitialPositionInStream?: Date;
  readonly retrievalMode?: 'FANOUT' | 'POLLING';
  readonly failoverTimeMillis?: number;
  readonly maxLeasesForWorker?: number;
  readonly maxLeasesToStealAtOneTime?: number;
  readonly gracefulLeaseHandoffTimeoutMillis?: number;
  readonly shardSyncIntervalMillis?: number;
  readonly maxRecords?: number;
  readonly idleTimeBetweenReadsInMillis?: number;
  readonly taskBackoffTimeMillis?: number;
}

/** What those are called here that have the same values. */
export const kclNames: Readonly<Partial<Record<keyof KclSettings, keyof ConsumerTuning>>> = {
  failoverTimeMillis: 'failoverMs',
  maxLeasesForWorker: 'leasesMax',
  maxLeasesToStealAtOneTime: 'movesMax',
  gracefulLeaseHandoffTimeoutMillis: 'handOverMs',
  shardSyncIntervalMillis: 'auditMs',
  maxRecords: 'recordsMax',
  idleTimeBetweenReadsInMillis: 'pollIdleMs',
  taskBackoffTimeMillis: 'backoffMs',
};
