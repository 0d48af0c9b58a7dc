import { assert } from './assert.ts';

/** Gives back what {@link ByteBudget.take} granted; calling it again does nothing. */
export type Release = () => void;

interface Waiter {
  bytes: number;
  grant: (release: Release) => void;
}

/**
 * A bound on bytes held at one time, shared first come, first served.
 * A request larger than the whole budget is granted when it is alone, so nothing waits for ever.
 */
export class ByteBudget {
  readonly bytesMax: number;
  #used = 0;
  readonly #waiting: Waiter[] = [];

  constructor(bytesMax: number) {
    assert(bytesMax > 0, 'a byte budget is positive');
    this.bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Grants at once or not at all; never overtakes a waiter. */
  tryTake(bytes: number): Release | undefined {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return undefined;
    return this.#grant(bytes);
  }

  /** Resolves when `bytes` are granted; `signal` gives up the place in the queue and rejects with its reason. */
  take(bytes: number, signal?: AbortSignal): Promise<Release> {
    const now = this.tryTake(bytes);
    if (now !== undefined) return Promise.resolve(now);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        grant: (release) => {
          signal?.removeEventListener('abort', abort);
          resolve(release);
        },
      };
      const abort = (): void => {
        const at = this.#waiting.indexOf(waiter);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        reject(signal?.reason as Error);
        this.#wake();
      };
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.bytesMax;
  }

  #grant(bytes: number): Release {
    this.#used += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#used -= bytes;
      this.#wake();
    };
  }

  #wake(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift();
      first.grant(this.#grant(first.bytes));
    }
  }
}
