/** Numbers and switches of a consumer, each with a default. Bytes, milliseconds or counts, as the last word of a name says. */
export interface ConsumerTuning {
  /** `fan-out`: records are pushed, by a consumer registered for it; polled for while that cannot be had. Default `fan-out`. */
  readonly retrieval: 'fan-out' | 'polling';
  /** Kinesis records in one answer. 1 to 10,000, default 10,000. */
  readonly recordsMax: number;
  /** Between polls of a shard that has nothing new. Default 1,000. */
  readonly pollIdleMs: number;
  /** A call without an answer by then has failed. Default 10,000. */
  readonly requestTimeoutMs: number;
  /** A subscription without any event for so long is made anew; the service sends one every 5 s. Default 12,000. */
  readonly fanOutSilenceMs: number;
  /** A lease is given up when nothing could be fetched for so long. Default 60,000. */
  readonly stallMs: number;
  /** What fetched records take of memory together, about; each shard has its part of it, and is not read further while that is full. Default 67,108,864. */
  readonly bufferBytesMax: number;
  /** Partition keys of a shard whose records are processed at the same time, with a handler of single records. Default 1. */
  readonly concurrency: number;
  /** User records in a batch. Default 500. */
  readonly batchRecordsMax: number;
  /** Longest wait for a batch to become full. Default 0: what is there is a batch. */
  readonly batchWindowMs: number;
  /** Between checkpoints of a shard. Default 1,000. */
  readonly checkpointMs: number;
  /**
   * A worker that has given no sign of life for so long has lost its leases. The same for all workers of an application. Default 0: what the lease
   * store has, 2,000 on one machine and 10,000 on DynamoDB.
   */
  readonly failoverMs: number;
  /** Leases of this worker. Default `Infinity`. */
  readonly leasesMax: number;
  /** Leases that another worker is asked for at a time. Default 0: a quarter of what is lacking. */
  readonly movesMax: number;
  /** A worker whose lease another one wants, or that is stopped, ends what it has begun within that. Default 30,000. */
  readonly handOverMs: number;
  /** Between looks for shards without a lease, and for leases that nobody needs any more. Default 60,000. */
  readonly auditMs: number;
  /** Leave out aggregates with records that do not belong to their shard, as the KCL does, and count them. Default false: they are delivered. */
  readonly isStrictKclRange: boolean;
  /** Calls of the handler for the same records, the first among them. Default `Infinity`. */
  readonly attemptsMax: number;
  /** Records that arrived longer ago are not tried again after a failure. Default `Infinity`. */
  readonly recordAgeMsMax: number;
  /** Halve a batch that fails, and try the halves alone, until single records are left; that uses up no attempt. Default false. */
  readonly isBisecting: boolean;
  /** Before the second call for the same records; twice as long before each that follows. Default 100. */
  readonly backoffMs: number;
  /** Longest wait before a further call. Default 10,000. */
  readonly backoffMsMax: number;
}

/** What happens with records whose handler fails: much as with Lambda's event source mappings. */
export type RetrySettings = Pick<
  ConsumerTuning,
  'attemptsMax' | 'recordAgeMsMax' | 'isBisecting' | 'backoffMs' | 'backoffMsMax'
>;

export const defaults: ConsumerTuning = {
  retrieval: 'fan-out',
  recordsMax: 10_000,
  pollIdleMs: 1000,
  requestTimeoutMs: 10_000,
  fanOutSilenceMs: 12_000,
  stallMs: 60_000,
  bufferBytesMax: 64 * 1024 * 1024,
  concurrency: 1,
  batchRecordsMax: 500,
  batchWindowMs: 0,
  checkpointMs: 1000,
  failoverMs: 0,
  leasesMax: Infinity,
  movesMax: 0,
  handOverMs: 30_000,
  auditMs: 60_000,
  isStrictKclRange: false,
  attemptsMax: Infinity,
  recordAgeMsMax: Infinity,
  isBisecting: false,
  backoffMs: 100,
  backoffMsMax: 10_000,
};

const anyTime: readonly [number, number] = [1, 2 ** 31 - 1];

export const bounds: Readonly<Partial<Record<keyof ConsumerTuning, readonly [number, number]>>> = {
  recordsMax: [1, 10_000],
  pollIdleMs: [0, 3_600_000],
  requestTimeoutMs: anyTime,
  fanOutSilenceMs: anyTime,
  stallMs: anyTime,
  bufferBytesMax: [1, 2 ** 53],
  concurrency: [1, 100_000],
  batchRecordsMax: [1, 1_000_000],
  batchWindowMs: [0, 3_600_000],
  checkpointMs: [0, 3_600_000],
  failoverMs: [0, 2 ** 31 - 1],
  leasesMax: [1, Infinity],
  movesMax: [0, Infinity],
  handOverMs: [0, 2 ** 31 - 1],
  auditMs: anyTime,
  attemptsMax: [1, Infinity],
  recordAgeMsMax: [0, Infinity],
  backoffMs: [0, 2 ** 31 - 1],
  backoffMsMax: [0, 2 ** 31 - 1],
};
