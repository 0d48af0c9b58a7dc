/** Sizes the service enforces always; what the model does not bound. Source: API reference, "Quotas". */
export const sizes = {
  /** Open shards of an account and region where no quota is set: more than that one process can hold is nobody's wish. */
  accountShardsMax: 20_000,
  /** Records of one PutRecords, keys and data. */
  putRecordsBytesMax: 10_485_760,
  /** Data and keys of one GetRecords answer. */
  getRecordsBytesMax: 10_485_760,
  getRecordsCountMax: 10_000,
  retentionHoursMin: 24,
  retentionHoursMax: 8760,
  /** Registered consumers of a stream where no quota is set. */
  consumersMax: 1000,
  listConsumersDefault: 100,
  /** Data and keys of one event of a subscription, but for a record that is larger: what a reader that stops reading keeps in memory. */
  eventBytesMax: 262_144,
  tagsMax: 50,
  describeStreamShardsDefault: 100,
  /** Assumed: the service cuts larger wishes to its default page. */
  describeStreamShardsMax: 10_000,
  listShardsDefault: 1000,
  listStreamsDefault: 100,
  listTagsDefault: 50,
  iteratorLifeMs: 300_000,
  pageTokenLifeMs: 300_000,
  updateShardCountMax: 10_000,
  onDemandShards: 4,
  recordKiBDefault: 1024,
} as const;

/** Each has a setting of its own. */
export type RateLimitName =
  | 'shard-write-records'
  | 'shard-write-bytes'
  | 'shard-read-calls'
  | 'shard-read-bytes'
  | 'get-shard-iterator-calls'
  | 'create-stream-calls'
  | 'delete-stream-calls'
  | 'describe-stream-calls'
  | 'describe-stream-summary-calls'
  | 'list-streams-calls'
  | 'list-shards-calls'
  | 'describe-limits-calls'
  | 'increase-stream-retention-period-calls'
  | 'decrease-stream-retention-period-calls'
  | 'add-tags-to-stream-calls'
  | 'remove-tags-from-stream-calls'
  | 'list-tags-for-stream-calls'
  | 'tag-resource-calls'
  | 'untag-resource-calls'
  | 'list-tags-for-resource-calls'
  | 'split-shard-calls'
  | 'merge-shards-calls'
  | 'update-shard-count-calls'
  | 'register-stream-consumer-calls'
  | 'deregister-stream-consumer-calls'
  | 'describe-stream-consumer-calls'
  | 'list-stream-consumers-calls'
  | 'subscribe-to-shard-calls'
  | 'subscription-bytes'
  | 'stream-consumers'
  | 'stream-creating-consumers'
  | 'stream-daily-shard-updates'
  | 'account-shards'
  | 'account-on-demand-streams'
  | 'account-creating-streams';

interface RateLimit {
  /** What AWS grants. */
  readonly aws: number;
  readonly help: string;
}

/**
 * Rates and account quotas: enforced only when asked for (`--limits aws`, or one by one as `--limit-NAME N`).
 * Source: API reference and quotas page; rates per second.
 */
export const rateLimits: Readonly<Record<RateLimitName, RateLimit>> = {
  'shard-write-records': { aws: 1000, help: 'records a second into a shard' },
  'shard-write-bytes': { aws: 1_048_576, help: 'bytes (data and keys) a second into a shard' },
  'shard-read-calls': { aws: 5, help: 'GetRecords calls a second on a shard' },
  'shard-read-bytes': { aws: 2_097_152, help: 'bytes a second out of a shard' },
  'get-shard-iterator-calls': { aws: 5, help: 'GetShardIterator calls a second on a shard' },
  'create-stream-calls': { aws: 5, help: 'CreateStream calls a second in an account' },
  'delete-stream-calls': { aws: 5, help: 'DeleteStream calls a second in an account' },
  'describe-stream-calls': { aws: 10, help: 'DescribeStream calls a second in an account' },
  'describe-stream-summary-calls': { aws: 20, help: 'DescribeStreamSummary calls a second in an account' },
  'list-streams-calls': { aws: 5, help: 'ListStreams calls a second in an account' },
  'list-shards-calls': { aws: 1000, help: 'ListShards calls a second on a stream' },
  'describe-limits-calls': { aws: 1, help: 'DescribeLimits calls a second in an account' },
  'increase-stream-retention-period-calls': { aws: 5, help: 'calls a second on a stream' },
  'decrease-stream-retention-period-calls': { aws: 5, help: 'calls a second on a stream' },
  'add-tags-to-stream-calls': { aws: 5, help: 'calls a second in an account' },
  'remove-tags-from-stream-calls': { aws: 5, help: 'calls a second on a stream' },
  'list-tags-for-stream-calls': { aws: 5, help: 'calls a second on a stream' },
  'tag-resource-calls': { aws: 5, help: 'calls a second on a stream' },
  'untag-resource-calls': { aws: 5, help: 'calls a second on a stream' },
  'list-tags-for-resource-calls': { aws: 5, help: 'calls a second on a stream' },
  'split-shard-calls': { aws: 5, help: 'calls a second on a stream' },
  'merge-shards-calls': { aws: 5, help: 'calls a second on a stream' },
  'update-shard-count-calls': { aws: 10, help: 'calls a second on a stream' },
  'register-stream-consumer-calls': { aws: 5, help: 'calls a second on a stream' },
  'deregister-stream-consumer-calls': { aws: 5, help: 'calls a second on a stream' },
  'describe-stream-consumer-calls': { aws: 20, help: 'calls a second on a stream' },
  'list-stream-consumers-calls': { aws: 5, help: 'calls a second on a stream' },
  'subscribe-to-shard-calls': { aws: 1, help: 'calls a second for a consumer and a shard' },
  'subscription-bytes': { aws: 2_097_152, help: 'bytes a second to a consumer out of a shard, by pacing' },
  'stream-consumers': { aws: 20, help: 'registered consumers of a stream' },
  'stream-creating-consumers': { aws: 5, help: 'consumers in state CREATING of a stream' },
  'stream-daily-shard-updates': { aws: 10, help: 'UpdateShardCount calls on a stream in 24 hours' },
  'account-shards': { aws: 20_000, help: 'open shards in an account and region' },
  'account-on-demand-streams': { aws: 50, help: 'on-demand streams in an account and region' },
  'account-creating-streams': { aws: 5, help: 'streams in state CREATING in an account and region' },
};

/** The limits in force; Infinity is off. */
export type RateLimits = Readonly<Record<RateLimitName, number>>;

/** All off, or all as AWS has them. */
export function rateLimitProfile(profile: 'off' | 'aws'): Record<RateLimitName, number> {
  const entries = Object.entries(rateLimits).map(([name, { aws }]) => [name, profile === 'aws' ? aws : Infinity]);
  return Object.fromEntries(entries) as Record<RateLimitName, number>;
}
