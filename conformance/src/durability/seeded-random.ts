/** Random numbers that are the same again for the same seed (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** A whole number whose order of magnitude is evenly spread; both ends included. */
  magnitude(min: number, max: number): number {
    return Math.min(max, Math.floor(min * Math.exp(this.next() * Math.log((max + 1) / min))));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)] as T;
  }

  /** A generator of its own, so that what one worker draws does not depend on the others. */
  fork(): SeededRandom {
    return new SeededRandom(this.int(0, 2 ** 32 - 1));
  }
}
