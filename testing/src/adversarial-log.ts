import type { Clock } from '../../platform/src/kernel/clock.ts';
import type {
  AppendEntry,
  AppendOutcome,
  Durability,
  EngineStatus,
  LogControl,
  LogEngine,
  ReadOptions,
  ReadPage,
  ShardLogId,
  StateMachine,
  StoredBatch,
} from '../../platform/src/log/engine.ts';
import { LogReadOnlyError, OutcomeUnknownError, ShardLogAbsentError } from '../../platform/src/log/errors.ts';
import { stampBatch } from '../../platform/src/log/record-batch.ts';
import type { SeededRandom } from './seeded-random.ts';
import { tick } from './sim-clock.ts';

export interface AdversarialOptions {
  readonly random: SeededRandom;
  readonly clock: Clock;
  readonly machine: StateMachine;
  /** How often an outcome is unknown; half of these are stored all the same, some after they were answered. */
  readonly unknownRate: number;
  /** How often an append is rejected for no reason that its caller could see. */
  readonly rejectRate: number;
}

interface Shard {
  batches: StoredBatch[];
  end: number;
  lastTimeMs: number;
  isClosed: boolean;
  readonly watchers: Set<() => void>;
}

interface Group {
  readonly shards: Map<number, Shard>;
  trimMs: number;
}

/**
 * A log in memory that is as unpleasant as its contract allows: answers come late and long after the effect, outcomes are unknown,
 * appends are rejected out of the blue, and the time inside it jumps. One seed, one behaviour.
 */
export class AdversarialLog implements LogEngine {
  readonly durability: Durability = 'memory';
  readonly #options: AdversarialOptions;
  readonly #groups = new Map<number, Group>();
  #last: Promise<void> = Promise.resolve();
  #gate: Promise<void> = Promise.resolve();
  #commits = 0;
  #isClosed = false;

  constructor(options: AdversarialOptions) {
    this.#options = options;
  }

  /** Nothing takes effect until the returned function is called. */
  hold(): () => void {
    let open = (): void => undefined;
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  append(entries: readonly AppendEntry[]): Promise<AppendOutcome[]> {
    const { random, rejectRate } = this.#options;
    if (this.#isClosed) return Promise.resolve(entries.map(() => ({ kind: 'rejected', reason: 'read-only' })));
    if (random.chance(rejectRate)) return this.#late(entries.map(() => ({ kind: 'rejected', reason: 'overloaded' })));
    // Borrowed until the answer, and what is unknown may be stored after it.
    const copies = entries.map((entry) => ({ ...entry, batch: Buffer.from(entry.batch) }));
    return this.#inOrder(
      () => copies.map((entry) => this.#store(entry)),
      () => copies.map((entry) => this.#storeOrNot(entry)),
    );
  }

  async propose(command: Uint8Array): Promise<unknown> {
    if (this.#isClosed) throw new LogReadOnlyError('it has been closed');
    const bytes = Buffer.from(command);
    const apply = (): unknown => this.#options.machine.apply(bytes, this.#control);
    return this.#inOrder(apply, () => {
      if (this.#options.random.chance(0.5)) apply();
      throw new OutcomeUnknownError(new Error('no answer'));
    });
  }

  async read(id: ShardLogId, fromOffset: number, options: ReadOptions): Promise<ReadPage> {
    await this.#while();
    const shard = this.#existing(id);
    const notBeforeMs = Math.max(options.notBeforeMs, this.#groups.get(id.group)?.trimMs ?? 0);
    const batches: StoredBatch[] = [];
    let bytes = 0;
    let records = 0;
    for (const batch of shard.batches) {
      const end = batch.baseOffset + batch.recordCount;
      if (end <= fromOffset || batch.timeMs < notBeforeMs) continue;
      if (bytes >= options.bytesMax || records >= options.recordsMax) break;
      batches.push(batch);
      bytes += batch.bytes.length;
      records += end - Math.max(fromOffset, batch.baseOffset);
    }
    const first = batches[0]?.baseOffset ?? shard.end;
    return this.#late({ batches, startOffset: Math.max(fromOffset, first), endOffset: shard.end });
  }

  async offsetAt(id: ShardLogId, timeMs: number): Promise<number> {
    await this.#while();
    const shard = this.#existing(id);
    const fromMs = Math.max(timeMs, this.#groups.get(id.group)?.trimMs ?? 0);
    return this.#late(shard.batches.find((batch) => batch.timeMs >= fromMs)?.baseOffset ?? shard.end);
  }

  endOffset(id: ShardLogId): number | undefined {
    return this.#groups.get(id.group)?.shards.get(id.shard)?.end;
  }

  watch(id: ShardLogId, listener: () => void): () => void {
    const { watchers } = this.#groups.get(id.group)?.shards.get(id.shard) ?? { watchers: new Set() };
    watchers.add(listener);
    return () => watchers.delete(listener);
  }

  oldestMs(group: number): number | undefined {
    const times = [...(this.#groups.get(group)?.shards.values() ?? [])].flatMap(
      ({ batches }) => batches[0]?.timeMs ?? [],
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  status(): EngineStatus {
    return { state: 'ok', reason: undefined, commits: this.#commits, damage: [] };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  readonly #control: LogControl = {
    provision: ({ group, shard }) => {
      const found = this.#groups.get(group) ?? { shards: new Map<number, Shard>(), trimMs: 0 };
      this.#groups.set(group, found);
      found.shards.set(shard, { batches: [], end: 0, lastTimeMs: 0, isClosed: false, watchers: new Set() });
    },
    closeShard: (id) => {
      const shard = this.#existing(id);
      shard.isClosed = true;
      notify(shard);
      return shard.end;
    },
    drop: (group) => {
      const shards = this.#groups.get(group)?.shards.values() ?? [];
      this.#groups.delete(group);
      for (const shard of shards) notify(shard);
    },
    trim: (group, timeMs) => {
      const found = this.#groups.get(group);
      if (found !== undefined) found.trimMs = Math.max(found.trimMs, timeMs);
    },
  };

  /** Takes effect in the order of the calls; answers some time after, or says that it does not know. */
  async #inOrder<T>(effect: () => T, unknownEffect: () => T): Promise<T> {
    const { random, unknownRate } = this.#options;
    const isUnknown = random.chance(unknownRate);
    const isEarly = random.chance(0.5);
    const work = this.#last.then(async () => {
      await this.#while();
      await this.#gate;
      this.#commits++;
      return isUnknown ? unknownEffect() : effect();
    });
    this.#last = work.then(
      () => undefined,
      () => undefined,
    );
    if (!isEarly) await this.#settle(work);
    return work;
  }

  #storeOrNot(entry: AppendEntry): AppendOutcome {
    if (this.#options.random.chance(0.5)) this.#store(entry);
    return { kind: 'unknown', cause: new Error('no answer') };
  }

  #store({ group, shard: number, batch, recordCount }: AppendEntry): AppendOutcome {
    const shard = this.#groups.get(group)?.shards.get(number);
    if (shard === undefined) return { kind: 'rejected', reason: 'absent' };
    if (shard.isClosed) return { kind: 'rejected', reason: 'closed' };
    const appendedMs =
      this.#options.clock.now() - (this.#options.random.chance(0.2) ? this.#options.random.below(5000) : 0);
    const timeMs = (shard.lastTimeMs = Math.max(shard.lastTimeMs, appendedMs));
    stampBatch(batch, shard.end, timeMs);
    shard.batches.push({ bytes: batch, baseOffset: shard.end, recordCount, timeMs });
    shard.end += recordCount;
    notify(shard);
    return { kind: 'stored', baseOffset: shard.end - recordCount, timeMs };
  }

  #existing(id: ShardLogId): Shard {
    const shard = this.#groups.get(id.group)?.shards.get(id.shard);
    if (shard === undefined) throw new ShardLogAbsentError(id.group, id.shard);
    return shard;
  }

  /** Waits for an effect, and then some time. */
  async #settle(work: Promise<unknown>): Promise<void> {
    await work.catch(() => undefined);
    await this.#while();
  }

  async #late<T>(value: T): Promise<T> {
    await this.#while();
    return value;
  }

  async #while(): Promise<void> {
    const turns = this.#options.random.pick([0, 0, 0, 1, 2, 4]);
    for (let i = 0; i < turns; i++) await tick();
  }
}

function notify({ watchers }: Shard): void {
  for (const listener of watchers) listener();
}
