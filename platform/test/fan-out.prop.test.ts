import { expect, test } from 'vitest';
import type { SubscribeToShardEvent } from '../src/model/index.ts';
import { SeededRandom } from '../../testing/src/seeded-random.ts';
import { type StreamsHarness } from '../../testing/src/streams-harness.ts';
import {
  after,
  brief,
  isSettled,
  latest,
  type Position,
  put,
  type Reader,
  register,
  split,
  started,
  subscribe,
  textsOf,
  trimHorizon,
} from './fan-out-fixture.ts';

/** Many subscribers of one shard, each at a pace of its own, against the plain list of what was put. */
interface Stored {
  readonly text: string;
  readonly SequenceNumber: string;
  readonly atMs: number;
}

/** One consumer, which calls again where it was when its subscription ends, as clients do. */
class Subscriber {
  readonly read: string[] = [];
  isAtEnd = false;
  readonly #harness: StreamsHarness;
  readonly #consumer: { readonly ConsumerARN: string };
  #position: Position;
  #reader: Reader | undefined;
  #pending: Promise<SubscribeToShardEvent | undefined> | undefined;
  #calledMs = -Infinity;

  constructor(harness: StreamsHarness, consumer: { readonly ConsumerARN: string }, position: Position) {
    this.#harness = harness;
    this.#consumer = consumer;
    this.#position = position;
  }

  /** Calls, for the first time or to take its own place over; what it was given and has not looked at is lost. */
  async call(): Promise<void> {
    const { clock } = this.#harness;
    clock.advance(Math.max(0, this.#calledMs + 5000 - clock.monotonic()));
    this.#reader = await subscribe(this.#harness, this.#consumer, this.#position);
    this.#calledMs = clock.monotonic();
    const former = this.#pending;
    this.#pending = undefined;
    await former?.catch(() => undefined);
  }

  /** Asks for an event, and takes it when it is there. */
  async step(): Promise<void> {
    if (this.isAtEnd) return;
    this.#pending ??= (this.#reader as Reader).next();
    if (!(await isSettled(this.#pending))) return;
    const event = await this.#pending;
    this.#pending = undefined;
    if (event === undefined) {
      // Of LATEST with nothing read yet there is no place to go on.
      expect(this.#position.Type).not.toBe('LATEST');
      return this.call();
    }
    this.read.push(...textsOf(event));
    this.isAtEnd = event.ContinuationSequenceNumber === undefined;
    this.#position = after(event.ContinuationSequenceNumber);
  }
}

/** A place to begin, and how many of the records are before it. */
function anyPosition(random: SeededRandom, stored: readonly Stored[]): [Position, number] {
  const kind = random.below(5);
  const index = random.below(Math.max(1, stored.length));
  const one = stored[index];
  if (kind === 1) return [latest, stored.length];
  if (kind === 0 || one === undefined) return [trimHorizon, 0];
  const { SequenceNumber, atMs } = one;
  if (kind === 2) return [after(SequenceNumber), index + 1];
  if (kind === 3) return [{ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber }, index];
  return [{ Type: 'AT_TIMESTAMP', Timestamp: atMs }, stored.findIndex((each) => each.atMs >= atMs)];
}

test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  'each of many subscribers of a shard gets everything once and in order, seed %i',
  async (seed) => {
    const random = new SeededRandom(seed);
    const engine = { fileBytes: 256 * 1024, firstFileBytes: 256 * 1024, flushBytes: 64 * 1024, reserveBytes: 0 };
    const harness = await started(1, { durability: 'fsync', engine });
    const { clock } = harness;
    const stored: Stored[] = [];
    const subscribers: Array<{ subscriber: Subscriber; skipped: number }> = [];
    for (let stepsLeft = 250; stepsLeft > 0; stepsLeft--) {
      const kind = random.below(10);
      if (kind < 3) {
        for (let i = random.between(1, 6); i > 0; i--) {
          const text = `${stored.length} `.padEnd(random.chance(0.2) ? 90_000 : 20);
          const atMs = clock.now();
          stored.push({ text, atMs, SequenceNumber: (await put(harness, text)).SequenceNumber });
        }
      } else if (kind < 4 && subscribers.length < 12) {
        const [position, skipped] = anyPosition(random, stored);
        const consumer = await register(harness, `c${subscribers.length}`);
        const subscriber = new Subscriber(harness, consumer, position);
        subscribers.push({ subscriber, skipped });
        await subscriber.call();
        await subscriber.step();
      } else if (kind < 5) {
        clock.advance(random.below(random.chance(0.1) ? 400_000 : 8000));
      } else if (subscribers.length > 0) {
        const { subscriber } = random.pick(subscribers);
        if (random.chance(0.1)) await subscriber.call();
        else await subscriber.step();
      }
    }
    await split(harness, 0);
    expect(subscribers.length).toBeGreaterThan(5);
    for (const { subscriber, skipped } of subscribers) {
      for (let steps = 0; !subscriber.isAtEnd; steps++) {
        expect(steps).toBeLessThan(1000);
        await subscriber.step();
      }
      expect(subscriber.read).toEqual(stored.slice(skipped).map(({ text }) => brief(text)));
    }
    await harness.close();
  },
);
