import type { Timing } from '../timing.ts';

/** What one shard takes a second. Source: quotas of Data Streams. */
const shardBytesPerSecond = 1024 * 1024;
const shardRecordsPerSecond = 1000;
/** After a throttled call: this much of what went through before. */
const decrease = 0.7;
const rateMin = 0.02;
/** Added in each second without a throttled call; once that has gone well for long, growth is by a factor. */
const increasePerSecond = 0.05;
const growthPerSecond = 1.15;
const growthAfterMs = 10_000;
/** At a rate like this there is nothing to hold back. */
const rateUnbounded = 1000;
/** Time over which what went through is averaged. */
const windowMs = 1000;

/**
 * How fast one shard is written to: as fast as records come until it throttles, then a little slower than it took, and slowly faster again
 * (additive increase, multiplicative decrease). Rates are in shares of what a shard takes by its quotas.
 */
export class Pacer {
  readonly #timing: Timing;
  readonly #rateMax: number;
  #rate: number;
  #tokens = 0;
  #refilledMs: number;
  #throttledMs = -Infinity;
  /** What has been put lately, decaying. */
  #putShare = 0;
  #putMs: number;

  /** @param rateMax   1 is the quota; `Infinity` is no bound but what is learnt */
  constructor(timing: Timing, rateMax: number) {
    this.#timing = timing;
    this.#rateMax = rateMax;
    this.#rate = rateMax;
    this.#refilledMs = timing.now();
    this.#putMs = this.#refilledMs;
  }

  /** Milliseconds until the next record may go; 0 is now. */
  get waitMs(): number {
    if (this.#rate === Infinity) return 0;
    this.#refill();
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#rate) * 1000);
  }

  /** Something goes, whatever its size; what it takes too much is waited for afterwards. */
  spend(bytes: number): void {
    if (this.#rate < Infinity) this.#tokens -= shareOf(bytes);
  }

  put(bytes: number): void {
    this.#decayPut();
    this.#putShare += shareOf(bytes);
  }

  throttled(): void {
    const nowMs = this.#timing.now();
    this.#decayPut();
    // Of calls that were under way together only one counts.
    if (nowMs - this.#throttledMs < windowMs / 2) return;
    this.#throttledMs = nowMs;
    const wentThrough = this.#putShare / (windowMs / 1000);
    this.#refill();
    this.#rate = Math.max(rateMin, Math.min(this.#rate, wentThrough) * decrease);
    this.#tokens = Math.min(this.#tokens, 0);
  }

  #refill(): void {
    const nowMs = this.#timing.now();
    const seconds = (nowMs - this.#refilledMs) / 1000;
    this.#refilledMs = nowMs;
    if (this.#rate === Infinity) return;
    // No more than a tenth of a second is saved up.
    this.#tokens = Math.min(this.#rate / 10, this.#tokens + this.#rate * seconds);
    if (this.#throttledMs === -Infinity) return;
    const isLongAgo = nowMs - this.#throttledMs > growthAfterMs;
    const grown = isLongAgo ? this.#rate * growthPerSecond ** seconds : this.#rate + increasePerSecond * seconds;
    this.#rate = grown > rateUnbounded ? this.#rateMax : Math.min(grown, this.#rateMax);
  }

  #decayPut(): void {
    const nowMs = this.#timing.now();
    this.#putShare *= Math.exp((this.#putMs - nowMs) / windowMs);
    this.#putMs = nowMs;
  }
}

function shareOf(bytes: number): number {
  return Math.max(bytes / shardBytesPerSecond, 1 / shardRecordsPerSecond);
}
