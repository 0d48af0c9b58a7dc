import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualTiming } from '../testing/manual-timing.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { Consumer } from './consumer.ts';
import type { ConsumerEvent } from './events.ts';
import type { LeaseStore } from './leases/lease.ts';
import { MemoryLeaseStore } from './leases/memory.ts';
import { FakeStream, named } from './testing/fake-stream.ts';

/** What may happen to a group of workers, one after the other. */
type Step =
  | { readonly type: 'put'; readonly count: number }
  | { readonly type: 'split' | 'merge'; readonly at: number }
  | { readonly type: 'start' }
  | { readonly type: 'close' | 'die'; readonly at: number }
  | { readonly type: 'handlerFails' | 'fetchFails' | 'storeFails'; readonly ms: number; readonly at: number }
  | { readonly type: 'pass'; readonly ms: number };

const at = fc.nat(10);
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('put' as const), count: fc.integer({ min: 1, max: 30 }) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('split' as const, 'merge' as const), at }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('start' as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('close' as const, 'die' as const), at }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constantFrom('handlerFails' as const, 'fetchFails' as const, 'storeFails' as const),
        ms: fc.integer({ min: 1, max: 3500 }),
        at,
      }),
    },
    { weight: 6, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
  ),
  { minLength: 5, maxLength: 60 },
);

/** All records are put when the application has begun, so both are the same to it. */
const starts = fc.constantFrom('TRIM_HORIZON' as const, 'LATEST' as const);
const keys = Array.from({ length: 12 }, (_, i) => `key-${i}`);
const workersMax = 4;

interface Member {
  readonly consumer: Consumer;
  readonly running: Promise<void>;
  readonly store: MortalStore;
}

/** A worker's way to the leases; when it is dead, nothing of it gets there, and nothing comes back. */
class MortalStore implements LeaseStore {
  isDead = false;
  failsUntilMs = 0;
  readonly failoverMs: number;
  readonly #store: LeaseStore;
  readonly #timing: ManualTiming;

  constructor(store: LeaseStore, timing: ManualTiming) {
    this.#store = store;
    this.#timing = timing;
    this.failoverMs = store.failoverMs;
  }

  open: LeaseStore['open'] = (...args) => this.#store.open(...args);
  list: LeaseStore['list'] = () => this.#through(() => this.#store.list());
  create: LeaseStore['create'] = (...args) => this.#through(() => this.#store.create(...args));
  renew: LeaseStore['renew'] = (...args) => this.#through(() => this.#store.renew(...args));
  take: LeaseStore['take'] = (...args) => this.#through(() => this.#store.take(...args));
  ask: LeaseStore['ask'] = (...args) => this.#through(() => this.#store.ask(...args));
  checkpoint: LeaseStore['checkpoint'] = (...args) => this.#through(() => this.#store.checkpoint(...args));
  release: LeaseStore['release'] = (...args) => this.#through(() => this.#store.release(...args));
  delete: LeaseStore['delete'] = (...args) => this.#through(() => this.#store.delete(...args));
  close: LeaseStore['close'] = () => Promise.resolve();

  async #through<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.isDead) await new Promise(() => undefined);
    if (this.#timing.now() < this.failsUntilMs) throw named('the store fails');
    return call();
  }
}

interface GroupOptions {
  readonly retrieval: 'polling' | 'fan-out';
  readonly concurrency: number;
  readonly startAt: 'TRIM_HORIZON' | 'LATEST';
  readonly seed: number;
}

class Group {
  readonly timing: ManualTiming;
  readonly stream: FakeStream;
  readonly leases = new MemoryLeaseStore();
  readonly members: Member[] = [];
  /** By key: what was processed, in order, repeated records included. */
  readonly processed = new Map<string, number[]>();
  /** Times that a worker could not save what it had done. */
  interruptions = 0;
  handlerFailsUntilMs = 0;
  fetchFailsUntilMs = 0;
  #started = 0;
  readonly violations: string[] = [];
  readonly #acting = new Map<string, { readonly store: MortalStore; readonly signal: AbortSignal }>();
  readonly #numbers = new Map<string, number>();
  readonly #retrieval: 'polling' | 'fan-out';
  readonly #startAt: 'TRIM_HORIZON' | 'LATEST';
  readonly #concurrency: number;

  constructor({ retrieval, concurrency, startAt, seed }: GroupOptions) {
    this.timing = new ManualTiming(seededRandom(seed));
    this.stream = new FakeStream(this.timing, 2);
    this.#retrieval = retrieval;
    this.#startAt = startAt;
    this.#concurrency = concurrency;
    this.stream.fateOf = () => (this.timing.now() < this.fetchFailsUntilMs ? named('InternalFailure') : 'good');
  }

  async start(): Promise<void> {
    if (this.members.length >= workersMax) return;
    const store = new MortalStore(this.leases, this.timing);
    const options = {
      stream: 's',
      application: 'a',
      leases: store,
      worker: `worker-${++this.#started}`,
      startAt: this.#startAt,
      retrieval: this.#retrieval,
      concurrency: this.#concurrency,
      auditMs: 4000,
      onEvent: ({ type }: ConsumerEvent) => {
        // A stop does not wait for a handler that fails; what was done behind its record is done again.
        if (type === 'leaseLost' || (type === 'handlerFailed' && this.#concurrency > 1)) this.interruptions++;
      },
    };
    const ground = {
      calls: this.stream,
      callsOf: () => ({ putRecords: () => Promise.resolve([]) }),
      timing: this.timing,
    };
    const opening = Consumer.openOn(ground, options as never).catch(() => undefined);
    await this.timing.pass(1);
    const consumer = await opening;
    if (consumer === undefined) return;
    const running = consumer.run({
      each: async (record, { shardId, signal }) => {
        this.#mustBeAlone(shardId, store, signal);
        const random = (): number => this.timing.random();
        const tookMs = random() < 0.03 ? random() * 3000 : random() * 40;
        await new Promise<void>((resolve) => void this.timing.after(tookMs, resolve));
        if (store.isDead) await new Promise(() => undefined);
        if (this.timing.now() < this.handlerFailsUntilMs) throw new Error('the handler fails');
        const numbers = this.processed.get(record.partitionKey) ?? [];
        this.processed.set(record.partitionKey, [...numbers, Number(record.text())]);
      },
    });
    this.members.push({ consumer, running, store });
  }

  /** @throws when another worker, alive and not told that it has lost the lease, processes the shard */
  #mustBeAlone(shardId: string, store: MortalStore, signal: AbortSignal): void {
    const other = this.#acting.get(shardId);
    if (other !== undefined && other.store !== store && !other.store.isDead && !other.signal.aborted) {
      this.violations.push(`two workers process ${shardId}`);
    }
    this.#acting.set(shardId, { store, signal });
  }

  async #untilEnded(ending: Promise<unknown>): Promise<void> {
    let isEnded = false;
    void ending.then(() => (isEnded = true));
    for (let i = 0; i < 100 && !isEnded; i++) await this.timing.pass(1000);
    expect(isEnded, 'the close ends').toBe(true);
  }

  put(count: number): void {
    for (let i = 0; i < count; i++) {
      const key = keys[Math.floor(this.timing.random() * keys.length)] as string;
      const number = this.#numbers.get(key) ?? 0;
      this.#numbers.set(key, number + 1);
      this.stream.put(key, String(number));
    }
  }

  async take(step: Step): Promise<void> {
    const { stream, timing } = this;
    const open = stream.openShards;
    if (step.type === 'put') this.put(step.count);
    else if (step.type === 'pass') await timing.pass(step.ms);
    else if (step.type === 'start') await this.start();
    else if (step.type === 'split' && open.length < 8) stream.split(open[step.at % open.length] as (typeof open)[0]);
    else if (step.type === 'merge' && open.length > 1) {
      const left = step.at % (open.length - 1);
      stream.merge(open[left] as (typeof open)[0], open[left + 1] as (typeof open)[0]);
    } else if (step.type === 'storeFails') {
      const member = this.members[step.at % this.members.length];
      if (member !== undefined) member.store.failsUntilMs = timing.now() + step.ms;
    } else if (step.type === 'handlerFails') this.handlerFailsUntilMs = timing.now() + step.ms;
    else if (step.type === 'fetchFails') this.fetchFailsUntilMs = timing.now() + step.ms;
    else if ((step.type === 'close' || step.type === 'die') && this.members.length > 0) {
      const [member] = this.members.splice(step.at % this.members.length, 1) as [Member];
      if (step.type === 'die') {
        member.store.isDead = true;
        this.interruptions++;
      } else {
        await this.#untilEnded(member.consumer.close());
        await member.running;
      }
    }
  }

  /** Everything put has been processed by somebody, within some minutes. */
  async drain(): Promise<void> {
    if (this.members.length === 0) await this.start();
    for (let i = 0; i < 300 && !this.isDrained; i++) await this.timing.pass(1000);
  }

  get isDrained(): boolean {
    return [...this.#numbers].every(([key, count]) => (this.processed.get(key) ?? []).includes(count - 1));
  }

  async end(): Promise<void> {
    await this.#untilEnded(Promise.all(this.members.map(({ consumer }) => consumer.close())));
  }

  check(): void {
    expect(this.violations).toEqual([]);
    for (const [key, count] of this.#numbers) {
      const numbers = this.processed.get(key) ?? [];
      const firsts = [...new Set(numbers)];
      expect(firsts, `${key}: each once for the first time, in order`).toEqual(
        Array.from({ length: count }, (_, i) => i),
      );
      if (this.interruptions === 0) expect(numbers.length, `${key}: none twice`).toBe(count);
    }
  }
}

describe('a group of workers', () => {
  for (const retrieval of ['polling', 'fan-out'] as const) {
    test(`${retrieval}: loses nothing, keeps the order of keys, and repeats only what a worker that died had not saved`, async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.constantFrom(1, 4), starts, fc.nat(), async (given, concurrency, startAt, seed) => {
          const group = new Group({ retrieval, concurrency, startAt, seed });
          await group.start();
          for (const step of given) await group.take(step);
          await group.drain();
          group.check();
          await group.end();
        }),
        { numRuns: 200 },
      );
    }, 120_000);
  }
});
