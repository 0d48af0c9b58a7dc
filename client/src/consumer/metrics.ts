/** Since the consumer was opened; the names that the KCL has, where it has one. */
export interface ConsumerMetrics {
  /** User records that have been processed, or given up. */
  readonly RecordsProcessed: number;
  /** Their data. */
  readonly DataBytesProcessed: number;
  /** Of the shard that is furthest behind, by its last answer; 0 without a lease. */
  readonly MillisBehindLatest: number;
  /** That this worker has. */
  readonly CurrentLeases: number;
  readonly TakenLeases: number;
  /** That others took while this worker had them. */
  readonly LostLeases: number;
  readonly ShardsEnded: number;
  readonly Checkpoints: number;
  /** Calls of the handler that failed. */
  readonly HandlerFailures: number;
  /** Records that were given up. */
  readonly DeadLetters: number;
  readonly FetchFailures: number;
  /** Times that there was no subscription and records were polled for. */
  readonly FanOutFailures: number;
  readonly LeaseStoreFailures: number;
  /** Aggregates in a shard where not all of their records belong. */
  readonly MisplacedAggregates: number;
}

export type Counts = {
  -readonly [Name in keyof Omit<ConsumerMetrics, 'MillisBehindLatest' | 'CurrentLeases'>]: number;
};

export function noCounts(): Counts {
  return {
    RecordsProcessed: 0,
    DataBytesProcessed: 0,
    TakenLeases: 0,
    LostLeases: 0,
    ShardsEnded: 0,
    Checkpoints: 0,
    HandlerFailures: 0,
    DeadLetters: 0,
    FetchFailures: 0,
    FanOutFailures: 0,
    LeaseStoreFailures: 0,
    MisplacedAggregates: 0,
  };
}
