import { ResourceInUseException, type SubscribeToShardInput, type SubscribeToShardOutput } from '../../model/index.ts';
import { consumerPrefix, parseConsumerArn, resolveConsumer } from '../consumer-reference.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { refuseDryRun } from '../dry-run.ts';
import { checkCombination, findShard, offsetOfStart } from '../start-position.ts';
import { consumerStatus, findConsumer } from '../state/consumers.ts';
import { Subscription } from '../subscription.ts';
import { controlRateExceeded } from '../wire-errors.ts';

export async function subscribeToShard(
  context: StreamsContext,
  input: SubscribeToShardInput,
  caller: Caller,
): Promise<SubscribeToShardOutput> {
  const { clock, subscriptions } = context;
  const { stream, consumer } = resolveConsumer(context, parseConsumerArn(input.ConsumerARN), input.StreamId, caller);
  const shard = findShard(stream, input.ShardId, clock.now());
  const { incarnation } = stream.record;
  const key = `${consumerPrefix(stream, consumer)}${shard.number}`;
  const whom = `Consumer ${consumer.name} on shard ${input.ShardId} of stream ${stream.record.name} under account ${stream.record.account}`;
  if (!context.throttle.take([{ limit: 'subscribe-to-shard-calls', of: key, amount: 1 }]))
    throw controlRateExceeded(whom);
  const status = consumerStatus(consumer, clock.now());
  if (status !== 'ACTIVE') throw new ResourceInUseException(`${whom} is not ACTIVE, instead in state ${status}.`);
  const { Type: type, SequenceNumber: sequenceNumber, Timestamp: timestamp } = input.StartingPosition;
  const position = { type, sequenceNumber, timestamp, operation: caller.operation };
  checkCombination(position);
  const start = offsetOfStart(context, stream, shard, position);
  subscriptions.check(key, whom);
  refuseDryRun(input.DryRun);
  const fromOffset = await start();
  // Another call may have come first meanwhile.
  subscriptions.check(key, whom);
  const isValid = (): boolean => {
    const found = findConsumer(stream, consumer, clock.now());
    return found !== undefined && found.deleteMs === undefined;
  };
  const subscription = new Subscription(context, {
    incarnation,
    shard: shard.number,
    fromOffset,
    key,
    isValid,
  });
  subscriptions.begin(key, subscription);
  return { EventStream: subscription };
}
