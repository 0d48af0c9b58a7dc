import type { Clock, Timer } from '../../platform/src/kernel/clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly call: () => void;
}

/** A clock that stands still until it is told to go on. Its wall-clock time may be set back; timers follow the time that only grows. */
export class SimClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Pending>();

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, call: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + delayMs, call };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Lets time pass and runs what falls due, in order. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs += due.dueMs - this.#monotonicMs;
      this.#monotonicMs = due.dueMs;
      due.call();
    }
    this.#nowMs += untilMs - this.#monotonicMs;
    this.#monotonicMs = untilMs;
  }

  /** Sets the wall clock, as an operator or a time server may; timers do not notice. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}

/** Resolves after everything that is ready to run has run. */
export function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves when `holds` does; fails after `ticksMax` turns of the event loop. */
export async function until(holds: () => boolean, ticksMax = 20_000): Promise<void> {
  for (let i = 0; i < ticksMax; i++) {
    if (holds()) return;
    await tick();
  }
  throw new Error(`did not come true in ${ticksMax} turns: ${holds.toString()}`);
}
