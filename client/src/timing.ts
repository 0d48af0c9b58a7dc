/** Time and chance, so that both can be played in tests. */
export interface Timing {
  /** Milliseconds from an arbitrary start; never goes back. */
  now(): number;
  /** Of the wall clock, milliseconds since 1970. */
  wallMs(): number;
  /** Calls once after `ms`; returns what forgets the call. Keeps the process alive. */
  after(ms: number, call: () => void): () => void;
  /** The same, of work that is not worth keeping the process alive. */
  later(ms: number, call: () => void): () => void;
  /** From 0 to below 1. */
  random(): number;
}

export const systemTiming: Timing = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, call) {
    const handle = setTimeout(call, ms);
    return () => clearTimeout(handle);
  },
  later(ms, call) {
    const handle = setTimeout(call, ms).unref();
    return () => clearTimeout(handle);
  },
  random: () => Math.random(),
};
