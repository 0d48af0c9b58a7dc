import type {
  DescribeLimitsOutput,
  DescribeStreamInput,
  DescribeStreamOutput,
  DescribeStreamSummaryInput,
  DescribeStreamSummaryOutput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { rateLimits, sizes } from '../limits.ts';
import { countCall, resolveStream } from '../resolve.ts';
import { consumersOf } from '../state/consumers.ts';
import { describeShard } from '../shard/describe.ts';
import { parseShardId } from '../shard/shard-id.ts';
import type { Stream } from '../state/stream.ts';

/** What DescribeStream and DescribeStreamSummary both say. */
function describe(stream: Stream, nowMs: number) {
  const { record } = stream;
  return {
    StreamName: record.name,
    StreamARN: stream.arn,
    StreamStatus: stream.status(nowMs),
    StreamModeDetails: { StreamMode: record.mode },
    RetentionPeriodHours: record.retentionHours,
    StreamCreationTimestamp: record.createdMs,
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    EncryptionType: 'NONE',
  } as const;
}

export async function describeStream(
  context: StreamsContext,
  input: DescribeStreamInput,
  caller: Caller,
): Promise<DescribeStreamOutput> {
  countCall(context, 'describe-stream-calls', caller);
  const stream = resolveStream(context, input, caller);
  const nowMs = context.clock.now();
  const after = input.ExclusiveStartShardId === undefined ? -1 : (parseShardId(input.ExclusiveStartShardId) ?? -1);
  // Shards exist from the moment the stream is ACTIVE.
  const visible = stream.status(nowMs) === 'CREATING' ? [] : stream.record.shards;
  const rest = visible.filter((each) => each.number > after && !stream.isExpired(each, nowMs));
  const limit = Math.min(input.Limit ?? sizes.describeStreamShardsDefault, sizes.describeStreamShardsMax);
  return {
    StreamDescription: {
      ...describe(stream, nowMs),
      Shards: rest.slice(0, limit).map(describeShard),
      HasMoreShards: rest.length > limit,
    },
  };
}

export async function describeStreamSummary(
  context: StreamsContext,
  input: DescribeStreamSummaryInput,
  caller: Caller,
): Promise<DescribeStreamSummaryOutput> {
  countCall(context, 'describe-stream-summary-calls', caller);
  const stream = resolveStream(context, input, caller);
  const nowMs = context.clock.now();
  return {
    StreamDescriptionSummary: {
      ...describe(stream, nowMs),
      StreamId: takesStreamId(caller) ? stream.record.streamId : undefined,
      OpenShardCount: stream.status(nowMs) === 'CREATING' ? 0 : stream.routes.shards.length,
      ConsumerCount: consumersOf(stream, context.clock.now()).length,
      MaxRecordSizeInKiB: stream.record.maxRecordKiB,
      ChannelCount: 0,
      RecordDistributionStrategy: 'USER_PARTITION_KEY',
    },
  };
}

/**
 * The Kinesis Client Library for Java gives the id back in its next call, and the SDK below it then leaves the endpoint that was
 * configured for one of AWS, made of that id: with an id its fan-out would never reach this server.
 */
function takesStreamId({ userAgent = '' }: Caller): boolean {
  return !userAgent.includes('amazon-kinesis-client-library');
}

export async function describeLimits(
  context: StreamsContext,
  _input: object,
  caller: Caller,
): Promise<DescribeLimitsOutput> {
  countCall(context, 'describe-limits-calls', caller);
  const streams = context.domain.in(caller);
  const { limits } = context.throttle;
  const quota = (name: 'account-shards' | 'account-on-demand-streams'): number =>
    limits[name] === Infinity ? rateLimits[name].aws : limits[name];
  return {
    ShardLimit: quota('account-shards'),
    OpenShardCount: streams.reduce((sum, { routes }) => sum + routes.shards.length, 0),
    OnDemandStreamCount: streams.filter(({ record }) => record.mode === 'ON_DEMAND').length,
    OnDemandStreamCountLimit: quota('account-on-demand-streams'),
    ChannelCount: 0,
    ChannelCountLimit: 0,
  };
}
