import type { Timing } from './timing.ts';

/** Within what a call must end. */
export interface Deadline {
  readonly timing: Timing;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** There was no answer in time. */
export class TimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`there was no answer within ${timeoutMs} ms`);
    this.name = 'TimeoutError';
  }
}

/**
 * Ends after its time, and with the signal, whatever becomes of the call, whose own signal fires then.
 *
 * @throws TimeoutError, the signal's reason, what the call throws
 */
export async function inTime<Result>(
  { timing, timeoutMs, signal }: Deadline,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const abort = new AbortController();
  const cancel = timing.later(timeoutMs, () => abort.abort(new TimeoutError(timeoutMs)));
  const onAbort = (): void => abort.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await unlessAborted(abort.signal, call(abort.signal));
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

/** What a call that has been made comes to, unless the signal fires before: not all calls listen to theirs at all times. @throws the signal's reason */
export async function unlessAborted<Result>(signal: AbortSignal, call: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([call, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves after `ms`, or with the signal: look at that. */
export function pause(timing: Timing, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = timing.after(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
