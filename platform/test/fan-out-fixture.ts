import type { Consumer, SubscribeToShardEvent } from '../src/model/index.ts';
import { tick } from '../../testing/src/sim-clock.ts';
import {
  caller,
  startStreams,
  type StreamsHarness,
  type StreamsHarnessOptions,
} from '../../testing/src/streams-harness.ts';

export const StreamName = 'orders';
export const StreamARN: string = `arn:aws:kinesis:${caller.region}:${caller.account}:stream/${StreamName}`;
export const shardId = (number: number): string => `shardId-${String(number).padStart(12, '0')}`;
export const middle: string = String(2n ** 127n);

export async function started(shards: number, options: StreamsHarnessOptions = {}): Promise<StreamsHarness> {
  const harness = await startStreams(options);
  await harness.streams.createStream({ StreamName, ShardCount: shards }, caller);
  harness.clock.advance(options.lifecycleDelayMs ?? 0);
  return harness;
}

export async function register({ streams }: StreamsHarness, ConsumerName: string, Tags = {}): Promise<Consumer> {
  return (await streams.registerStreamConsumer({ StreamARN, ConsumerName, Tags }, caller)).Consumer;
}

export function put(
  { streams }: StreamsHarness,
  text: string,
  PartitionKey = 'k',
): Promise<{ ShardId: string; SequenceNumber: string }> {
  return streams.putRecord({ StreamName, PartitionKey, Data: Buffer.from(text) }, caller);
}

export function split({ streams }: StreamsHarness, number: number, NewStartingHashKey: string = middle): Promise<void> {
  return streams.splitShard({ StreamName, ShardToSplit: shardId(number), NewStartingHashKey }, caller);
}

/** A text that tells records apart, long as it may be: what fails to be equal is printed. */
export const brief = (text: string): string =>
  text.length <= 100 ? text : `${text.slice(0, 50).trim()}, ${text.length} long`;

export const textsOf = ({ Records }: SubscribeToShardEvent): string[] =>
  Records.map(({ Data }) => brief(Buffer.from(Data).toString()));

/** More than any test here reads of one subscription: one that gives events without end would keep even the time-out from firing. */
const eventsMax = 2000;

/** One subscription, read event by event. */
export class Reader {
  #count = 0;
  readonly #events: AsyncIterator<{ readonly SubscribeToShardEvent: SubscribeToShardEvent }>;

  constructor(stream: AsyncIterable<{ readonly SubscribeToShardEvent: SubscribeToShardEvent }>) {
    this.#events = stream[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async next(): Promise<SubscribeToShardEvent | undefined> {
    if (++this.#count > eventsMax) throw new Error(`more than ${eventsMax} events`);
    const { done, value } = await this.#events.next();
    return done === true
      ? undefined
      : (value as { SubscribeToShardEvent: SubscribeToShardEvent }).SubscribeToShardEvent;
  }

  /** The events up to the one with the `count`-th record; more when that one has more. */
  async take(count: number): Promise<SubscribeToShardEvent[]> {
    const events: SubscribeToShardEvent[] = [];
    for (let taken = 0; taken < count;) {
      const event = await this.next();
      if (event === undefined) throw new Error(`the end came after ${taken} of ${count} records`);
      events.push(event);
      taken += event.Records.length;
    }
    return events;
  }

  async texts(count: number): Promise<string[]> {
    return (await this.take(count)).flatMap(textsOf);
  }

  /** As a client that goes away. */
  async cancel(): Promise<void> {
    await this.#events.return?.();
  }
}

export interface Position {
  readonly Type: 'TRIM_HORIZON' | 'LATEST' | 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER' | 'AT_TIMESTAMP';
  readonly SequenceNumber?: string | undefined;
  readonly Timestamp?: number;
}

export const trimHorizon: Position = { Type: 'TRIM_HORIZON' };
export const latest: Position = { Type: 'LATEST' };
export const after = (SequenceNumber: string | undefined): Position => ({
  Type: 'AFTER_SEQUENCE_NUMBER',
  SequenceNumber,
});

export async function subscribe(
  { streams }: StreamsHarness,
  { ConsumerARN }: { readonly ConsumerARN: string },
  StartingPosition: Position = trimHorizon,
  ShardId: string = shardId(0),
): Promise<Reader> {
  return new Reader((await streams.subscribeToShard({ ConsumerARN, ShardId, StartingPosition }, caller)).EventStream);
}

/** Whether it settles without time going on. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  for (let i = 0; i < 50 && !settled; i++) await tick();
  return settled;
}

/** Expectation of a wire error. */
export const code = (name: string): { code: string } => ({ code: name });

export const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `record ${from + i}`);

export async function putAll(harness: StreamsHarness, texts: readonly string[]): Promise<string[]> {
  const numbers: string[] = [];
  for (const text of texts) numbers.push((await put(harness, text)).SequenceNumber);
  return numbers;
}

/** The next event, for which as much time passes as one may take. */
export async function nextEvent({ clock }: StreamsHarness, reader: Reader): Promise<SubscribeToShardEvent> {
  const pending = reader.next();
  if (!(await isSettled(pending))) clock.advance(5000);
  const event = await pending;
  if (event === undefined) throw new Error('the end came');
  return event;
}
