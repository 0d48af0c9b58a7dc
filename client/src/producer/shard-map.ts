import type { HashKey } from '../aggregation/index.ts';
import { inTime } from '../deadline.ts';
import type { Timing } from '../timing.ts';
import type { KinesisCalls, ShardRange } from './calls.ts';

const retryMsFirst = 1000;
const retryFactor = 1.5;
const retryMsMax = 30_000;

export interface ShardMapOptions {
  readonly timing: Timing;
  /** Ends calls and retries. */
  readonly signal: AbortSignal;
  /** Of a call. */
  readonly timeoutMs: number;
  /** Called after each refresh that has found other shards. */
  readonly onChange: () => void;
}

/** The open shards of the stream, as far as is known. */
export class ShardMap {
  readonly #calls: KinesisCalls;
  readonly #timing: Timing;
  readonly #signal: AbortSignal;
  readonly #onChange: () => void;
  readonly #timeoutMs: number;
  /** By the end of their ranges; empty while nothing is known. */
  #open: readonly ShardRange[] = [];
  #version = 0;
  #refreshing: Promise<void> | undefined;
  #retryMs = retryMsFirst;
  #cancelRetry: (() => void) | undefined;

  constructor(calls: KinesisCalls, options: ShardMapOptions) {
    this.#calls = calls;
    this.#timing = options.timing;
    this.#signal = options.signal;
    this.#onChange = options.onChange;
    this.#timeoutMs = options.timeoutMs;
  }

  get isKnown(): boolean {
    return this.#open.length > 0;
  }

  /** Changes with what is known. */
  get version(): number {
    return this.#version;
  }

  /** With that range: a stream that has been made again has the same shards with others. */
  isOpen({ shardId, start, end }: ShardRange): boolean {
    const found = this.shardOf(start);
    return found?.shardId === shardId && found.start === start && found.end === end;
  }

  /** Undefined while nothing is known. */
  shardOf(hashKey: HashKey): ShardRange | undefined {
    let low = 0;
    let high = this.#open.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#open[middle] as ShardRange).end < hashKey) low = middle + 1;
      else high = middle;
    }
    const found = this.#open[low];
    return found !== undefined && found.start <= hashKey && hashKey <= found.end ? found : undefined;
  }

  /** Asks once, for all who want to know at a time; tries again by itself, later, after a failure. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** The range of any shard, closed ones too; undefined when it cannot be found out. */
  async rangeOf(shardId: string): Promise<ShardRange | undefined> {
    const isIt = (shard: ShardRange): boolean => shard.shardId === shardId;
    const known = this.#open.find(isIt);
    if (known !== undefined) return known;
    return this.#list('all').then(
      (shards) => shards.find(isIt),
      () => undefined,
    );
  }

  /** What was known is wrong. Until the next refresh nothing is known. */
  forget(): void {
    this.#know([]);
    this.#onChange();
    void this.refresh();
  }

  #list(which: 'open' | 'all'): Promise<ShardRange[]> {
    const deadline = { timing: this.#timing, timeoutMs: this.#timeoutMs, signal: this.#signal };
    return inTime(deadline, (signal) => this.#calls.listShards(which, signal));
  }

  async #refresh(): Promise<void> {
    this.#cancelRetry?.();
    let found: ShardRange[];
    try {
      found = await this.#list('open');
    } catch {
      if (this.#signal.aborted) return;
      // Without a map records of one key at most are aggregated, so there is time.
      this.#cancelRetry = this.#timing.later(this.#retryMs, () => void this.refresh());
      this.#retryMs = Math.min(this.#retryMs * retryFactor, retryMsMax);
      return;
    }
    this.#retryMs = retryMsFirst;
    if (found.length === this.#open.length && found.every((shard) => this.isOpen(shard))) return;
    this.#know(found.toSorted((a, b) => (a.end < b.end ? -1 : 1)));
    this.#onChange();
  }

  #know(open: readonly ShardRange[]): void {
    this.#open = open;
    this.#version++;
  }
}
