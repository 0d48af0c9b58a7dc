import {
  type Consumer as WireConsumer,
  type DeregisterStreamConsumerInput,
  type DescribeStreamConsumerInput,
  type DescribeStreamConsumerOutput,
  InvalidArgumentException,
  type ListStreamConsumersInput,
  type ListStreamConsumersOutput,
  type RegisterStreamConsumerInput,
  type RegisterStreamConsumerOutput,
  ResourceInUseException,
} from '../../model/index.ts';
import { consumerPrefix, findReferred } from '../consumer-reference.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { openPageToken, sealPageToken } from '../page-token.ts';
import { countCall, resolveStream } from '../resolve.ts';
import { consumerArn, consumersOf, consumerStatus } from '../state/consumers.ts';
import type { Consumer, Stream } from '../state/stream.ts';
import { checkTags } from '../tags.ts';
import { propose, streamNotActive } from '../wire-errors.ts';

export async function registerStreamConsumer(
  context: StreamsContext,
  input: RegisterStreamConsumerInput,
  caller: Caller,
): Promise<RegisterStreamConsumerOutput> {
  const stream = resolveStream(context, input, caller);
  countCall(context, 'register-stream-consumer-calls', stream);
  const { record } = stream;
  const { ConsumerName: name, Tags: tags = {} } = input;
  checkTags(tags, record);
  const quotas = context.throttle.limits;
  const creatingMax = quotas['stream-creating-consumers'];
  await propose(
    context,
    {
      kind: 'register-consumer',
      incarnation: record.incarnation,
      name,
      tags,
      delayMs: context.lifecycleDelayMs,
      consumersMax: Math.min(quotas['stream-consumers'], sizes.consumersMax),
      creatingMax: creatingMax === Infinity ? undefined : creatingMax,
    },
    record,
  );
  return { Consumer: describe(context, ...justRegistered(context, stream, name)) };
}

export async function deregisterStreamConsumer(
  context: StreamsContext,
  input: DeregisterStreamConsumerInput,
  caller: Caller,
): Promise<void> {
  const { stream, consumer } = findReferred(context, input, caller);
  countCall(context, 'deregister-stream-consumer-calls', stream);
  const { name, createdSecond } = consumer;
  const { incarnation } = stream.record;
  const delayMs = context.lifecycleDelayMs;
  await propose(context, { kind: 'deregister-consumer', incarnation, name, createdSecond, delayMs }, stream.record);
  context.subscriptions.endAll(consumerPrefix(stream, consumer));
}

export async function describeStreamConsumer(
  context: StreamsContext,
  input: DescribeStreamConsumerInput,
  caller: Caller,
): Promise<DescribeStreamConsumerOutput> {
  const { stream, consumer } = findReferred(context, input, caller);
  countCall(context, 'describe-stream-consumer-calls', stream);
  return { ConsumerDescription: { ...describe(context, stream, consumer), StreamARN: stream.arn } };
}

interface ListToken {
  readonly incarnation: number;
  /** The name of the last consumer of the page before. */
  readonly after: string;
}

export async function listStreamConsumers(
  context: StreamsContext,
  input: ListStreamConsumersInput,
  caller: Caller,
): Promise<ListStreamConsumersOutput> {
  const stream = resolveStream(context, input, caller);
  countCall(context, 'list-stream-consumers-calls', stream);
  const { record } = stream;
  const nowMs = context.clock.now();
  if (stream.status(nowMs) === 'CREATING') throw streamNotActive(stream, nowMs);
  if (input.NextToken !== undefined && input.StreamCreationTimestamp !== undefined) {
    throw new InvalidArgumentException('NextToken and StreamCreationTimestamp cannot be provided together.');
  }
  const created = input.StreamCreationTimestamp;
  if (created !== undefined && Math.floor(created / 1000) !== Math.floor(record.createdMs / 1000)) {
    throw new InvalidArgumentException(`Stream ${record.name} was not created at ${new Date(created).toISOString()}.`);
  }
  const token =
    input.NextToken === undefined
      ? undefined
      : openPageToken<ListToken>(context, 'list-stream-consumers', input.NextToken);
  if (token !== undefined && token.incarnation !== record.incarnation) {
    throw new InvalidArgumentException('NextToken is of another stream.');
  }
  const rest = consumersOf(stream, nowMs)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .filter(({ name }) => token === undefined || name > token.after);
  const page = rest.slice(0, input.MaxResults ?? sizes.listConsumersDefault);
  const last = page.at(-1);
  const hasMore = last !== undefined && rest.length > page.length;
  const { incarnation } = record;
  return {
    Consumers: page.map((consumer) => describe(context, stream, consumer)),
    ...(hasMore && {
      NextToken: sealPageToken(context, 'list-stream-consumers', { incarnation, after: last.name } satisfies ListToken),
    }),
  };
}

/** @throws ResourceInUseException when it has been deregistered at once by another call */
function justRegistered(context: StreamsContext, stream: Stream, wanted: string): [Stream, Consumer] {
  const consumer = consumersOf(stream, context.clock.now()).find(({ name }) => name === wanted);
  if (consumer === undefined) throw new ResourceInUseException(`Consumer ${wanted} has been deregistered meanwhile.`);
  return [stream, consumer];
}

function describe(context: StreamsContext, stream: Stream, consumer: Consumer): WireConsumer {
  return {
    ConsumerName: consumer.name,
    ConsumerARN: consumerArn(stream, consumer),
    ConsumerStatus: consumerStatus(consumer, context.clock.now()),
    ConsumerCreationTimestamp: consumer.createdMs,
  };
}
