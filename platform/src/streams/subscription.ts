import type { Timer } from '../kernel/clock.ts';
import type { SubscribeToShardEvent, SubscribeToShardEventStream, WireError } from '../model/index.ts';
import type { StreamsContext } from './context.ts';
import { sizes } from './limits.ts';
import { isReadToItsEnd, readShard } from './read-shard.ts';
import { describeChild, originOf } from './shard/describe.ts';
import { formatSequenceNumber } from './shard/sequence-number.ts';
import type { Shard, Stream } from './state/stream.ts';
import type { OpenSubscription, ShardEvent } from './subscriptions.ts';

/** An event comes at least so often, with or without records. Source: API reference, SubscribeToShard. */
const quietMsMax = 5000;
/** Quiet events of all subscriptions are due at common times, so that a thousand of them do not wake the process a thousand times. */
const quietGridMs = 250;
/** Between looks at whether the rate has room again. */
const paceMs = 20;

/** What a subscription reads. */
export interface SubscriptionFacts {
  readonly incarnation: number;
  readonly shard: number;
  readonly fromOffset: number;
  /** Consumer and shard: what the rate counts by. */
  readonly key: string;
  /** Whether the consumer is still registered. */
  readonly isValid: () => boolean;
}

/**
 * One reader of one shard: gives the next event when it is asked for it, and reads nothing ahead, so a slow client keeps one event and no
 * more. Told by the log when there is something to read; without that it does nothing but say every few seconds that it is there.
 */
export class Subscription implements AsyncIterableIterator<SubscribeToShardEventStream>, OpenSubscription {
  readonly shardKey: string;
  onEnd: () => void = () => undefined;
  readonly #context: StreamsContext;
  readonly #facts: SubscriptionFacts;
  readonly #endsAtMs: number;
  readonly #unwatch: () => void;
  readonly #lifeTimer: Timer;
  #offset: number;
  #isFirst = true;
  #quietUntilMs = 0;
  #isOver = false;
  #error: WireError | undefined;
  #wake: (() => void) | undefined;

  constructor(context: StreamsContext, facts: SubscriptionFacts) {
    const { clock, log, subscriptions } = context;
    this.#context = context;
    this.#facts = facts;
    this.shardKey = `${facts.incarnation}/${facts.shard}`;
    this.#offset = facts.fromOffset;
    this.#endsAtMs = clock.monotonic() + subscriptions.times.lifeMs;
    this.#unwatch = log.watch({ group: facts.incarnation, shard: facts.shard }, () => this.#wake?.());
    // Also of one whose client asks for nothing.
    this.#lifeTimer = clock.after(subscriptions.times.lifeMs, () => this.end());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** To be called when the call before has settled. @throws the error that has ended it */
  async next(): Promise<IteratorResult<SubscribeToShardEventStream>> {
    let event: ShardEvent | undefined;
    try {
      event = await this.#nextEvent();
    } catch (error) {
      this.end();
      throw error;
    }
    if (event === undefined) {
      this.end();
      const error = this.#error;
      this.#error = undefined;
      if (error !== undefined) throw error;
      return { done: true, value: undefined };
    }
    this.#offset = event.nextOffset;
    this.#isFirst = false;
    const quietAtMs = this.#context.clock.monotonic() + quietMsMax;
    this.#quietUntilMs = quietAtMs - (quietAtMs % quietGridMs);
    this.#context.throttle.spend('subscription-bytes', this.#facts.key, event.bytes);
    if (event.isLast) this.end();
    return { done: false, value: event.content };
  }

  return(): Promise<IteratorResult<SubscribeToShardEventStream>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends it, for its client as the end of the stream or as an error. */
  end(error?: WireError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#unwatch();
    this.#lifeTimer.cancel();
    this.onEnd();
    this.#wake?.();
  }

  /** Undefined at the end. */
  async #nextEvent(): Promise<ShardEvent | undefined> {
    const { clock } = this.#context;
    for (;;) {
      const shard = this.#shard();
      const nowMs = clock.monotonic();
      if (shard === undefined || nowMs >= this.#endsAtMs) return undefined;
      const endOffset = this.#endOffset(shard);
      if (this.#offset < endOffset || isReadToItsEnd(shard, this.#offset)) {
        if (this.#isWithinRate()) return await this.#read(shard, endOffset);
        await this.#wait(paceMs);
      } else if (this.#isFirst || nowMs >= this.#quietUntilMs) {
        return await this.#quietEvent(shard, endOffset);
      } else await this.#wait(this.#quietUntilMs - nowMs);
    }
  }

  /** Undefined when there is nothing to be read any more. */
  #shard(): Shard | undefined {
    if (this.#isOver || !this.#facts.isValid()) return undefined;
    return this.#context.domain.findByIncarnation(this.#facts.incarnation)?.shard(this.#facts.shard);
  }

  #endOffset(shard: Shard): number {
    return this.#context.log.endOffset({ group: this.#facts.incarnation, shard: shard.number }) ?? 0;
  }

  /** What an event has taken too much is waited for before the next. */
  #isWithinRate(): boolean {
    return this.#context.throttle.take([{ limit: 'subscription-bytes', of: this.#facts.key, amount: 1 }]);
  }

  async #read(shard: Shard, endOffset: number): Promise<ShardEvent | undefined> {
    const { subscriptions, domain, clock } = this.#context;
    const stream = domain.findByIncarnation(this.#facts.incarnation);
    if (stream === undefined) return undefined;
    const fromOffset = this.#offset;
    const make = (): Promise<ShardEvent> => makeEvent(this.#context, stream, shard, fromOffset);
    const event = await subscriptions.event(this.shardKey, { fromOffset, endOffset }, make);
    // What was made for another may have passed its retention, or its shard have been closed, meanwhile.
    const isGood =
      event.oldestMs >= stream.horizonMs(clock.now()) && event.isLast === isReadToItsEnd(shard, event.nextOffset);
    return isGood ? event : make();
  }

  #quietEvent(shard: Shard, endOffset: number): Promise<ShardEvent> {
    const make = (): Promise<ShardEvent> => Promise.resolve(emptyEvent(shard, this.#offset));
    return this.#context.subscriptions.event(this.shardKey, { fromOffset: this.#offset, endOffset }, make);
  }

  /** Until the log has more, the time is over, or the end. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#wake = undefined;
        timer.cancel();
        resolve();
      };
      const timer = this.#context.clock.after(ms, go);
      this.#wake = go;
    });
  }
}

async function makeEvent(
  context: StreamsContext,
  stream: Stream,
  shard: Shard,
  fromOffset: number,
): Promise<ShardEvent> {
  const from = { fromOffset, recordsMax: sizes.getRecordsCountMax, bytesMax: sizes.eventBytesMax };
  const taken = await readShard(context, stream, shard, { ...from, nowMs: context.clock.now() });
  const isLast = isReadToItsEnd(shard, taken.nextOffset);
  const content: Omit<SubscribeToShardEvent, 'ContinuationSequenceNumber'> = {
    Records: taken.records,
    MillisBehindLatest: taken.millisBehind,
    ...(isLast && { ChildShards: stream.childrenOf(shard).map(describeChild) }),
    ...(!isLast && { ContinuationSequenceNumber: continuation(shard, taken.nextOffset) }),
  };
  return {
    nextOffset: taken.nextOffset,
    oldestMs: taken.records[0]?.ApproximateArrivalTimestamp ?? Infinity,
    bytes: taken.bytes,
    isLast,
    // The model has the number required; at the end of a shard there is none. Source: what the KCL insists on.
    content: { SubscribeToShardEvent: content as SubscribeToShardEvent },
  };
}

function emptyEvent(shard: Shard, offset: number): ShardEvent {
  const ContinuationSequenceNumber = continuation(shard, offset);
  const content = { SubscribeToShardEvent: { Records: [], MillisBehindLatest: 0, ContinuationSequenceNumber } };
  return { nextOffset: offset, oldestMs: Infinity, bytes: 0, isLast: false, content };
}

/** What a reader gives as AFTER_SEQUENCE_NUMBER to go on at `offset`. */
function continuation(shard: Shard, offset: number): string {
  return formatSequenceNumber(originOf(shard), offset - 1);
}
