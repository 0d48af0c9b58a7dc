import { InvalidArgumentException, ResourceNotFoundException } from '../model/index.ts';
import type { Caller, StreamsContext } from './context.ts';
import { parseStreamArn, resolveStream } from './resolve.ts';
import { type ConsumerKey, consumersOf, findConsumer } from './state/consumers.ts';
import type { Consumer, Stream } from './state/stream.ts';
import { consumerNotFound } from './wire-errors.ts';

/** How a request names a consumer: by its ARN, or by its name in a stream. */
export interface ConsumerReference {
  readonly StreamARN?: string | undefined;
  readonly ConsumerName?: string | undefined;
  readonly ConsumerARN?: string | undefined;
  readonly StreamId?: string | undefined;
}

interface ConsumerArn extends ConsumerKey {
  readonly streamArn: string;
}

/** @throws InvalidArgumentException */
export function parseConsumerArn(arn: string): ConsumerArn {
  const parsed = partsOf(arn);
  if (parsed === undefined) throw new InvalidArgumentException(`ConsumerARN ${arn} is not the ARN of a consumer.`);
  return parsed;
}

function partsOf(arn: string): ConsumerArn | undefined {
  const match = /^(.*:stream\/[^/\s]+)\/consumer\/([^/:\s]+):(\d+)$/.exec(arn);
  if (match === null || parseStreamArn(arn) === undefined) return undefined;
  const [, streamArn, name, second] = match as unknown as [string, string, string, string];
  return { streamArn, name, createdSecond: Number(second) };
}

/** @throws ResourceNotFoundException, and what finding the stream throws */
export function resolveConsumer(
  context: StreamsContext,
  { streamArn, name, createdSecond }: ConsumerArn,
  StreamId: string | undefined,
  caller: Caller,
): { stream: Stream; consumer: Consumer } {
  const stream = resolveStream(context, { StreamARN: streamArn, StreamId }, caller);
  const consumer = findConsumer(stream, { name, createdSecond }, context.clock.now());
  if (consumer === undefined) throw consumerNotFound(name, stream.record);
  return { stream, consumer };
}

/**
 * Finds a consumer that is named in either way; what is given together must agree.
 *
 * @throws InvalidArgumentException, ResourceNotFoundException
 */
export function findReferred(
  context: StreamsContext,
  { StreamARN, ConsumerName, ConsumerARN, StreamId }: ConsumerReference,
  caller: Caller,
): { stream: Stream; consumer: Consumer } {
  if (ConsumerARN !== undefined) {
    const arn = parseConsumerArn(ConsumerARN);
    const doesAgree =
      (StreamARN === undefined || StreamARN === arn.streamArn) &&
      (ConsumerName === undefined || ConsumerName === arn.name);
    if (!doesAgree) {
      throw new InvalidArgumentException(
        `ConsumerARN ${ConsumerARN} does not match the StreamARN or the ConsumerName.`,
      );
    }
    return resolveConsumer(context, arn, StreamId, caller);
  }
  if (ConsumerName === undefined || (StreamARN === undefined && StreamId === undefined)) {
    throw new InvalidArgumentException('Either ConsumerARN, or both StreamARN and ConsumerName, must be provided.');
  }
  const stream = resolveStream(context, { StreamARN, StreamId }, caller);
  const consumer = consumersOf(stream, context.clock.now()).find(({ name }) => name === ConsumerName);
  if (consumer === undefined) throw consumerNotFound(ConsumerName, stream.record);
  return { stream, consumer };
}

/** A resource that tags can be put on. @throws InvalidArgumentException, ResourceNotFoundException */
export function resolveResource(
  context: StreamsContext,
  arn: string,
  StreamId: string | undefined,
  caller: Caller,
): { stream: Stream; consumer: Consumer | undefined } {
  if (parseStreamArn(arn) === undefined)
    throw new InvalidArgumentException(`ResourceARN ${arn} is not the ARN of a stream or of a consumer.`);
  if (!/:stream\/[^/]+\//.test(arn)) {
    return { stream: resolveStream(context, { StreamARN: arn, StreamId }, caller), consumer: undefined };
  }
  const consumer = partsOf(arn);
  if (consumer === undefined) throw new ResourceNotFoundException(`Resource ${arn} not found.`);
  return resolveConsumer(context, consumer, StreamId, caller);
}

/** What the keys of all subscriptions of a consumer begin with. */
export function consumerPrefix(stream: Stream, { name, createdSecond }: ConsumerKey): string {
  return `${stream.record.incarnation}/${name}:${createdSecond}/`;
}
