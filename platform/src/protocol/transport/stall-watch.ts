import type { Clock, Timer } from '../../kernel/clock.ts';

/** Something that must move on: a body coming in, an answer going out. */
export interface Watched {
  /** Grows with every step forward; any number that changes will do. */
  progress: number;
  /** Longest time without a change of `progress`. */
  readonly stallMs: number;
  /** Longest time in all; `Infinity` for none. */
  readonly totalMs: number;
  /** Called once, then the watch forgets it. */
  cut(): void;
}

interface Seen {
  progress: number;
  changedAt: number;
  readonly since: number;
}

const SWEEP_MS = 1000;

/**
 * One timer for all transfers under way, instead of one each: steps forward cost an addition, and what has stalled is found within a
 * second of its time. Without transfers there is no timer.
 */
export class StallWatch {
  readonly #clock: Clock;
  readonly #watched = new Map<Watched, Seen>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watched: Watched): void {
    const now = this.#clock.monotonic();
    this.#watched.set(watched, { progress: watched.progress, changedAt: now, since: now });
    this.#timer ??= this.#clock.after(SWEEP_MS, this.#sweep);
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#watched.clear();
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [watched, seen] of this.#watched) {
      if (watched.progress !== seen.progress) {
        seen.progress = watched.progress;
        seen.changedAt = now;
      }
      if (now - seen.changedAt >= watched.stallMs || now - seen.since >= watched.totalMs) {
        this.#watched.delete(watched);
        watched.cut();
      }
    }
    if (this.#watched.size > 0) this.#timer ??= this.#clock.after(SWEEP_MS, this.#sweep);
  };
}
