import type { ConsumerTuning } from './tuning.ts';

/** Settings under the names that the KCL has for them, with its meaning and units. */
export interface KclSettings {
  readonly failoverTimeMillis?: number;
  readonly maxLeasesForWorker?: number;
  readonly maxLeasesToStealAtOneTime?: number;
  readonly gracefulLeaseHandoffTimeoutMillis?: number;
  readonly shardSyncIntervalMillis?: number;
  readonly maxRecords?: number;
  readonly idleTimeBetweenReadsInMillis?: number;
  readonly taskBackoffTimeMillis?: number;
}

/** What each is called here. */
export const kclNames: Readonly<Record<keyof KclSettings, keyof ConsumerTuning>> = {
  failoverTimeMillis: 'failoverMs',
  maxLeasesForWorker: 'leasesMax',
  maxLeasesToStealAtOneTime: 'movesMax',
  gracefulLeaseHandoffTimeoutMillis: 'handOverMs',
  shardSyncIntervalMillis: 'auditMs',
  maxRecords: 'recordsMax',
  idleTimeBetweenReadsInMillis: 'pollIdleMs',
  taskBackoffTimeMillis: 'backoffMs',
};
