import type { Clock, Timer } from '../../kernel/clock.ts';

interface Pending {
  readonly at: number;
  readonly call: () => void;
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #time = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  after(delayMs: number, call: () => void): Timer {
    const pending: Pending = { at: this.#time + delayMs, call };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Runs what is due within `ms`, in order of time. */
  advance(ms: number): void {
    const until = this.#time + ms;
    for (;;) {
      const due = [...this.#pending].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#pending.delete(due);
      this.#time = Math.max(this.#time, due.at);
      due.call();
    }
    this.#time = until;
  }
}
