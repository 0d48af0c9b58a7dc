import type { Clock } from '../kernel/clock.ts';
import type { RateLimitName, RateLimits } from './limits.ts';

/** A token bucket that holds one second's worth and refills steadily. */
export class TokenBucket {
  readonly #rate: number;
  #tokens: number;
  #atMs: number;

  constructor(rate: number, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate;
    this.#atMs = nowMs;
  }

  /** Whether `amount` could be taken. More than a full bucket can be had when it is full; the debt is then waited for. */
  has(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= Math.min(amount, this.#rate);
  }

  take(amount: number): void {
    this.#tokens -= amount;
  }

  /** Whether nothing was taken for so long that forgetting the bucket changes nothing. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#rate;
  }

  #refill(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    this.#tokens = Math.min(this.#rate, this.#tokens + (elapsedMs / 1000) * this.#rate);
    this.#atMs = nowMs;
  }
}

/** Buckets kept for callers and streams at one time, before the full ones are forgotten. */
const bucketsMax = 50_000;

/** The rates in force, one bucket for each thing that a limit counts by. */
export class Throttle {
  readonly limits: RateLimits;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(limits: RateLimits, clock: Clock) {
    this.limits = limits;
    this.#clock = clock;
  }

  /** Takes `amount` from every bucket, or nothing from any; true when it was had. */
  take(wishes: ReadonlyArray<{ limit: RateLimitName; of: string; amount: number }>): boolean {
    const nowMs = this.#clock.monotonic();
    const limited = wishes.filter(({ limit }) => this.limits[limit] !== Infinity);
    const buckets = limited.map(({ limit, of }) => this.#bucket(limit, of, nowMs));
    if (!limited.every(({ amount }, i) => (buckets[i] as TokenBucket).has(amount, nowMs))) return false;
    limited.forEach(({ amount }, i) => (buckets[i] as TokenBucket).take(amount));
    return true;
  }

  /** Takes what has been used already; what is too much is waited for. */
  spend(limit: RateLimitName, of: string, amount: number): void {
    if (this.isLimited(limit)) this.#bucket(limit, of, this.#clock.monotonic()).take(amount);
  }

  isLimited(limit: RateLimitName): boolean {
    return this.limits[limit] !== Infinity;
  }

  #bucket(limit: RateLimitName, of: string, nowMs: number): TokenBucket {
    const key = `${limit} ${of}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= bucketsMax) this.#forgetFull(nowMs);
      bucket = new TokenBucket(this.limits[limit], nowMs);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  #forgetFull(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(nowMs)) this.#buckets.delete(key);
  }
}
