import {
  InvalidArgumentException,
  ResourceInUseException,
  type ListShardsInput,
  type ListShardsOutput,
  type ShardFilter,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { openPageToken, sealPageToken } from '../page-token.ts';
import { countCall, resolveStream } from '../resolve.ts';
import { describeShard } from '../shard/describe.ts';
import { parseShardId } from '../shard/shard-id.ts';
import type { Shard, Stream } from '../state/stream.ts';
import { streamNotFound } from '../wire-errors.ts';

interface PageToken {
  readonly incarnation: number;
  readonly name: string;
  readonly after: number;
  readonly filter: ShardFilter | undefined;
}

export async function listShards(
  context: StreamsContext,
  input: ListShardsInput,
  caller: Caller,
): Promise<ListShardsOutput> {
  const { stream, after, filter } = startOf(context, input, caller);
  countCall(context, 'list-shards-calls', stream);
  const nowMs = context.clock.now();
  const { record } = stream;
  if (stream.status(nowMs) === 'CREATING') {
    throw new ResourceInUseException(
      `Stream ${record.name} under account ${record.account} not ACTIVE, instead in state CREATING`,
    );
  }
  const isListed = shardFilter(filter, stream, nowMs);
  const rest = record.shards.filter((each) => each.number > after && isListed(each));
  const page = rest.slice(0, Math.min(input.MaxResults ?? sizes.listShardsDefault, sizes.listShardsDefault));
  const last = page.at(-1);
  const token: PageToken | undefined =
    last !== undefined && rest.length > page.length
      ? { incarnation: record.incarnation, name: record.name, after: last.number, filter }
      : undefined;
  return {
    Shards: page.map(describeShard),
    ...(token && { NextToken: sealPageToken(context, 'list-shards', token) }),
  };
}

function startOf(
  context: StreamsContext,
  input: ListShardsInput,
  caller: Caller,
): { stream: Stream; after: number; filter: ShardFilter | undefined } {
  if (input.NextToken === undefined) {
    if (input.StreamName === undefined && input.StreamARN === undefined && input.StreamId === undefined) {
      throw new InvalidArgumentException('Either NextToken or StreamName should be provided.');
    }
    const stream = resolveStream(context, input, caller);
    checkIncarnation(input.StreamCreationTimestamp, stream);
    return { stream, after: startAfter(input.ExclusiveStartShardId), filter: input.ShardFilter };
  }
  if (input.StreamName !== undefined || input.StreamARN !== undefined || input.StreamId !== undefined) {
    throw new InvalidArgumentException('NextToken and StreamName cannot be provided together.');
  }
  for (const name of ['ExclusiveStartShardId', 'StreamCreationTimestamp', 'ShardFilter'] as const) {
    if (input[name] !== undefined)
      throw new InvalidArgumentException(`NextToken and ${name} cannot be provided together.`);
  }
  const token = openPageToken<PageToken>(context, 'list-shards', input.NextToken);
  const stream = context.domain.findByIncarnation(token.incarnation);
  const isOwn = stream?.record.account === caller.account && stream.record.region === caller.region;
  if (stream === undefined || !isOwn) throw streamNotFound({ name: token.name, account: caller.account });
  return { stream, after: token.after, filter: token.filter };
}

function startAfter(shardId: string | undefined): number {
  if (shardId === undefined) return -1;
  const shard = parseShardId(shardId);
  if (shard === undefined) throw new InvalidArgumentException(`ExclusiveStartShardId ${shardId} is no shard id.`);
  return shard;
}

/** Two streams of one name are told apart by their creation time, given in whole seconds. */
function checkIncarnation(createdMs: number | undefined, stream: Stream): void {
  if (createdMs === undefined) return;
  if (Math.floor(createdMs / 1000) !== Math.floor(stream.record.createdMs / 1000)) throw streamNotFound(stream.record);
}

/** Source: API reference, ShardFilter. A closed shard is listed until all its records are past retention. */
function shardFilter(filter: ShardFilter | undefined, stream: Stream, nowMs: number): (shard: Shard) => boolean {
  const horizonMs = stream.horizonMs(nowMs);
  const oldestMs = Math.max(horizonMs, stream.record.createdMs);
  // Assumed: a child starts behind the millisecond of its reshard, in which its parents may have taken records. So the shards of any one moment
  // cover each hash key once, which the KCL insists on.
  const startMs = ({ openedMs }: Shard): number => (openedMs === undefined ? stream.record.createdMs : openedMs + 1);
  const endMs = (shard: Shard): number => shard.closed?.timeMs ?? Infinity;
  const isKept = (shard: Shard): boolean => !stream.isExpired(shard, nowMs);
  if (filter === undefined) return isKept;
  switch (filter.Type) {
    case 'AFTER_SHARD_ID': {
      if (filter.ShardId === undefined)
        throw new InvalidArgumentException('ShardId must be provided for the filter type AFTER_SHARD_ID.');
      const after = startAfter(filter.ShardId);
      return (shard) => isKept(shard) && shard.number > after;
    }
    case 'AT_TRIM_HORIZON':
      return (shard) => isKept(shard) && startMs(shard) <= oldestMs;
    case 'FROM_TRIM_HORIZON':
      return isKept;
    case 'AT_LATEST':
      return (shard) => shard.closed === undefined;
    case 'AT_TIMESTAMP': {
      // Assumed: an earlier time is that of the oldest record, as it is for an iterator. The KCL fails on a list that is empty or has holes.
      const timeMs = Math.max(timestampOf(filter), oldestMs);
      return (shard) => isKept(shard) && startMs(shard) <= timeMs && endMs(shard) >= timeMs;
    }
    case 'FROM_TIMESTAMP': {
      const timeMs = Math.max(timestampOf(filter), horizonMs);
      return (shard) => endMs(shard) >= timeMs;
    }
  }
}

function timestampOf(filter: ShardFilter): number {
  if (filter.Timestamp !== undefined) return filter.Timestamp;
  throw new InvalidArgumentException(`Timestamp must be provided for the filter type ${filter.Type}.`);
}
