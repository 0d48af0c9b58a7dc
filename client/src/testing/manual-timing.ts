import type { Timing } from '../timing.ts';

interface Pending {
  readonly atMs: number;
  readonly call: () => void;
}

/** Time that goes on only when it is told to. */
export class ManualTiming implements Timing {
  #nowMs = 1000;
  readonly #random: () => number;
  readonly #pending = new Set<Pending>();

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowMs;
  }

  random(): number {
    return this.#random();
  }

  after(ms: number, call: () => void): () => void {
    const pending = { atMs: this.#nowMs + ms, call };
    this.#pending.add(pending);
    return () => this.#pending.delete(pending);
  }

  later(ms: number, call: () => void): () => void {
    return this.after(ms, call);
  }

  /** Lets time pass, and everything happen that happens in it. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const [next] = [...this.#pending].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.call();
    }
    this.#nowMs = endMs;
  }
}

/** Everything that waits for nothing but its turn has had it. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
