import type { Clock, Timer } from '../kernel/clock.ts';
import { ResourceInUseException, type SubscribeToShardEventStream, type WireError } from '../model/index.ts';

/** How subscriptions behave in time; milliseconds. */
export interface SubscriptionTimes {
  /** After so long one ends, and its client calls again. */
  readonly lifeMs: number;
  /** A call so long after the one before takes its place; an earlier one is refused. */
  readonly takeoverMs: number;
}

/** One event of a shard, with what it covers. */
export interface ShardEvent {
  readonly nextOffset: number;
  /** Arrival of its first record; Infinity without one. */
  readonly oldestMs: number;
  /** Data and keys. */
  readonly bytes: number;
  readonly isLast: boolean;
  readonly content: SubscribeToShardEventStream;
}

/** One that is under way. */
export interface OpenSubscription {
  /** Names the shard among all streams'. */
  readonly shardKey: string;
  /** Called once, at the end. */
  onEnd: () => void;
  end(error?: WireError): void;
}

/** One with more behind it says how far behind it is, which is soon not true any more. */
const sharedMsMax = 100;

/** An event that is being made, or has been, at one place of a shard for all that read there. */
interface SharedEvent {
  readonly fromOffset: number;
  /** End of the shard when it was begun: with another end it would be another event. */
  readonly endOffset: number;
  readonly madeMs: number;
  readonly event: Promise<ShardEvent>;
}

interface Place {
  readonly startedMs: number;
  /** Undefined after its end, while its time keeps others out. */
  subscription: OpenSubscription | undefined;
}

/** The subscriptions of all consumers: one for each consumer and shard. */
export class Subscriptions {
  readonly times: SubscriptionTimes;
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  /** By shard: its newest event, as long as somebody is subscribed. */
  readonly #events = new Map<string, SharedEvent>();
  readonly #readers = new Map<string, number>();
  readonly #timers = new Set<Timer>();

  constructor(clock: Clock, times: SubscriptionTimes) {
    this.#clock = clock;
    this.times = times;
  }

  /**
   * Refuses a call that comes too early.
   *
   * @param key   consumer and shard
   * @throws ResourceInUseException
   */
  check(key: string, whom: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    const ageMs = this.#clock.monotonic() - place.startedMs;
    if (ageMs >= this.times.takeoverMs) return;
    throw new ResourceInUseException(
      `${whom} was subscribed ${Math.floor(ageMs)} milliseconds ago. Call again ${this.times.takeoverMs} milliseconds after that.`,
    );
  }

  /** Takes the place of one that is under way. To be called in one step with {@link Subscriptions.check}. */
  begin(key: string, subscription: OpenSubscription): void {
    const { shardKey } = subscription;
    const before = this.#places.get(key)?.subscription;
    const place: Place = { startedMs: this.#clock.monotonic(), subscription };
    this.#places.set(key, place);
    this.#readers.set(shardKey, (this.#readers.get(shardKey) ?? 0) + 1);
    subscription.onEnd = () => this.#ended(key, place, shardKey);
    before?.end(new ResourceInUseException('Another call has subscribed the consumer to this shard.'));
  }

  /** Ends all of a consumer's. @param consumer   what their keys begin with */
  endAll(consumer: string): void {
    for (const [key, { subscription }] of this.#places) if (key.startsWith(consumer)) subscription?.end();
  }

  close(): void {
    this.endAll('');
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** The same event for every reader at the same place, so that it is read, and encoded, once. */
  event(
    shardKey: string,
    { fromOffset, endOffset }: { fromOffset: number; endOffset: number },
    make: () => Promise<ShardEvent>,
  ): Promise<ShardEvent> {
    const shared = this.#events.get(shardKey);
    const nowMs = this.#clock.monotonic();
    const isSame = shared?.fromOffset === fromOffset && shared.endOffset === endOffset;
    if (isSame && (fromOffset === endOffset || nowMs - shared.madeMs < sharedMsMax)) return shared.event;
    const event = make();
    if (this.#readers.has(shardKey)) this.#events.set(shardKey, { fromOffset, endOffset, madeMs: nowMs, event });
    return event;
  }

  #ended(key: string, place: Place, shardKey: string): void {
    place.subscription = undefined;
    const readers = (this.#readers.get(shardKey) ?? 1) - 1;
    if (readers > 0) this.#readers.set(shardKey, readers);
    else {
      this.#readers.delete(shardKey);
      this.#events.delete(shardKey);
    }
    const forget = (): void => {
      if (this.#places.get(key) === place) this.#places.delete(key);
    };
    const restMs = place.startedMs + this.times.takeoverMs - this.#clock.monotonic();
    if (restMs <= 0) {
      forget();
      return;
    }
    const timer = this.#clock.after(restMs, () => {
      this.#timers.delete(timer);
      forget();
    });
    this.#timers.add(timer);
  }
}
