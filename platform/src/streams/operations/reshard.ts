import {
  InvalidArgumentException,
  LimitExceededException,
  ResourceNotFoundException,
  type MergeShardsInput,
  type SplitShardInput,
  type UpdateShardCountInput,
  type UpdateShardCountOutput,
  ValidationException,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { checkShardQuota } from '../quotas.ts';
import { countCall, resolveActive, type StreamReference } from '../resolve.ts';
import { decimalHashKey, parseHashKey } from '../shard/hash-key.ts';
import { formatShardId, parseShardId } from '../shard/shard-id.ts';
import { isAdjacent, isSplittable } from '../state/reshard.ts';
import type { Shard, Stream } from '../state/stream.ts';
import { propose } from '../wire-errors.ts';

export async function splitShard(context: StreamsContext, input: SplitShardInput, caller: Caller): Promise<void> {
  const stream = resolveProvisioned(context, input, caller);
  countCall(context, 'split-shard-calls', stream);
  const shard = openShard(stream, input.ShardToSplit);
  checkShardQuota(context, caller, 1);
  const at = parseHashKey(input.NewStartingHashKey);
  const { name, account, incarnation } = stream.record;
  if (at === undefined || !isSplittable(shard, at)) {
    throw new InvalidArgumentException(
      `NewStartingHashKey ${input.NewStartingHashKey} used in SplitShard() on shard ${formatShardId(shard.number)} in stream ${name} under account ${account} ` +
        `is not both greater than one plus the shard's StartingHashKey ${decimalHashKey(shard.startHash)} ` +
        `and less than the shard's EndingHashKey ${decimalHashKey(shard.endHash)}.`,
    );
  }
  const delayMs = context.lifecycleDelayMs;
  await propose(context, { kind: 'split', incarnation, shard: shard.number, at, delayMs }, stream.record);
}

export async function mergeShards(context: StreamsContext, input: MergeShardsInput, caller: Caller): Promise<void> {
  const stream = resolveProvisioned(context, input, caller);
  countCall(context, 'merge-shards-calls', stream);
  const lower = openShard(stream, input.ShardToMerge);
  const upper = openShard(stream, input.AdjacentShardToMerge);
  const { name, account, incarnation } = stream.record;
  if (!isAdjacent(lower, upper)) {
    throw new InvalidArgumentException(
      `Shards ${formatShardId(lower.number)} and ${formatShardId(upper.number)} in stream ${name} under account ${account} ` +
        'are not an adjacent pair of shards eligible for merging',
    );
  }
  const delayMs = context.lifecycleDelayMs;
  await propose(
    context,
    { kind: 'merge', incarnation, shard: lower.number, adjacent: upper.number, delayMs },
    stream.record,
  );
}

export async function updateShardCount(
  context: StreamsContext,
  input: UpdateShardCountInput,
  caller: Caller,
): Promise<UpdateShardCountOutput> {
  const stream = resolveProvisioned(context, input, caller);
  countCall(context, 'update-shard-count-calls', stream);
  const { TargetShardCount: count } = input;
  const current = stream.routes.shards.length;
  checkScaling(current, count);
  checkShardQuota(context, caller, count - current);
  const { name, incarnation } = stream.record;
  const limit = context.throttle.limits['stream-daily-shard-updates'];
  const perDayMax = limit === Infinity ? undefined : limit;
  const delayMs = context.lifecycleDelayMs;
  await propose(context, { kind: 'scale', incarnation, count, perDayMax, delayMs }, stream.record);
  return { StreamName: name, StreamARN: stream.arn, CurrentShardCount: current, TargetShardCount: count };
}

/** @throws ValidationException for a stream whose shards are the service's own affair */
function resolveProvisioned(context: StreamsContext, reference: StreamReference, caller: Caller): Stream {
  const stream = resolveActive(context, reference, caller);
  const { mode, name, account } = stream.record;
  if (mode === 'PROVISIONED') return stream;
  throw new ValidationException(`Request is invalid. Stream ${name} under account ${account} is in On-Demand mode.`);
}

/** @throws ResourceNotFoundException, InvalidArgumentException */
function openShard(stream: Stream, shardId: string): Shard {
  const { name, account } = stream.record;
  const number = parseShardId(shardId);
  const shard = number === undefined ? undefined : stream.shard(number);
  if (shard === undefined) {
    const id = number === undefined ? shardId : formatShardId(number);
    throw new ResourceNotFoundException(`Could not find shard ${id} in stream ${name} under account ${account}.`);
  }
  if (shard.closed === undefined) return shard;
  throw new InvalidArgumentException(
    `Shard ${formatShardId(shard.number)} in stream ${name} under account ${account} ` +
      'has already been merged or split, and thus is not eligible for merging or splitting.',
  );
}

/** These rules are the operation's own, not a quota. Assumed: the texts; a target that is the present count makes ranges even. Source: API reference, UpdateShardCount. */
function checkScaling(current: number, target: number): void {
  const counts = `Current open shard count: ${current} Target shard count: ${target}`;
  if (target > current * 2) {
    throw new LimitExceededException(
      `UpdateShardCount cannot scale up over double your current open shard count. ${counts}`,
    );
  }
  if (target * 2 < current) {
    throw new LimitExceededException(
      `UpdateShardCount cannot scale down below half your current open shard count. ${counts}`,
    );
  }
  if (target > sizes.updateShardCountMax) {
    throw new LimitExceededException(
      `UpdateShardCount cannot scale to more than ${sizes.updateShardCountMax} shards. ${counts}`,
    );
  }
}
