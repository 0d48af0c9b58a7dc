/** Numbers and switches of a producer, each with a default. Bytes, milliseconds or counts, as the last word of a name says. */
export interface ProducerTuning {
  /** Pack several user records into one Kinesis record, as the KPL does. Default true. */
  readonly isAggregating: boolean;
  /** User records in one aggregate. Default 4,294,967,295. */
  readonly aggregateRecordsMax: number;
  /** Length of an aggregate; a longer user record goes alone. 64 to 10,485,760, default 51,200. */
  readonly aggregateBytesMax: number;
  /** Kinesis records in one PutRecords call. 1 to 500, default 500. */
  readonly callRecordsMax: number;
  /** Data and keys of one PutRecords call. 52,224 to 10,485,760, default 5,242,880. */
  readonly callBytesMax: number;
  /** Longest wait of a record for others to go with. Default 100. */
  readonly lingerMs: number;
  /** A record that has not been put so long after its acceptance fails with the code `Expired`. Default 30,000. */
  readonly recordTtlMs: number;
  /** Data and partition key of one record. Up to 10,485,760, default 1,048,576. */
  readonly recordBytesMax: number;
  /** What records take of memory together, from acceptance to their end; then `put` waits. Default 67,108,864. */
  readonly bufferBytesMax: number;
  /** Calls under way at a time. 1 to 256, default 24. */
  readonly callsMax: number;
  /** A call without an answer by then has failed, with unknown outcome. Default 6,000. */
  readonly requestTimeoutMs: number;
  /**
   * Most of a shard's write limits (1 MiB and 1,000 Kinesis records a second) that is sent to it, in percent; `Infinity` leaves it to what
   * throttling teaches. Default `Infinity`.
   */
  readonly rateLimitPercent: number;
  /** A throttled record fails at once and is not tried again. Default false. */
  readonly failsIfThrottled: boolean;
  /**
   * `perKey`: of one key (and shard) nothing is sent before all that was accepted earlier has been put, so the order of acceptance is that of
   * sequence numbers. `none` is faster over a distance: retried records come behind later ones. Default `none`.
   */
  readonly ordering: 'none' | 'perKey';
  /** Calls that fail as a whole, one after the other, before calls are held back. Default 5. */
  readonly breakerFailures: number;
  /** How long they are held back before one is tried. Default 5,000. */
  readonly breakerOpenMs: number;
}

export const defaults: ProducerTuning = {
  isAggregating: true,
  aggregateRecordsMax: 4_294_967_295,
  aggregateBytesMax: 51_200,
  callRecordsMax: 500,
  callBytesMax: 5_242_880,
  lingerMs: 100,
  recordTtlMs: 30_000,
  recordBytesMax: 1_048_576,
  bufferBytesMax: 64 * 1024 * 1024,
  callsMax: 24,
  requestTimeoutMs: 6000,
  rateLimitPercent: Infinity,
  failsIfThrottled: false,
  ordering: 'none',
  breakerFailures: 5,
  breakerOpenMs: 5000,
};

export const bounds: Readonly<Partial<Record<keyof ProducerTuning, readonly [number, number]>>> = {
  aggregateRecordsMax: [1, 2 ** 53],
  aggregateBytesMax: [64, 10_485_760],
  callRecordsMax: [1, 500],
  callBytesMax: [52_224, 10_485_760],
  lingerMs: [0, 3_600_000],
  recordTtlMs: [1, Infinity],
  recordBytesMax: [1, 10_485_760],
  bufferBytesMax: [1, 2 ** 53],
  callsMax: [1, 256],
  requestTimeoutMs: [1, 3_600_000],
  rateLimitPercent: [1, Infinity],
  breakerFailures: [1, Infinity],
  breakerOpenMs: [1, 3_600_000],
};
