/** A pending call of {@link Clock.after}. */
export interface Timer {
  /** Forgets the call; does nothing when it has already run. */
  cancel(): void;
}

/** Time comes in through this port, so that everything above the kernel runs under a simulated clock. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch; may jump both ways. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  /** Runs `call` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, call: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, call) {
    const handle = setTimeout(call, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
