import type { Timing } from '../timing.ts';

/** Holds calls back when one after the other has failed as a whole, and then lets one through to see. */
export class CircuitBreaker {
  readonly #timing: Timing;
  readonly #failuresMax: number;
  readonly #openMs: number;
  #failures = 0;
  #openUntilMs = 0;
  #isProbing = false;

  constructor(timing: Timing, options: { readonly failures: number; readonly openMs: number }) {
    this.#timing = timing;
    this.#failuresMax = options.failures;
    this.#openMs = options.openMs;
  }

  get isOpen(): boolean {
    return this.#failures >= this.#failuresMax;
  }

  /** Milliseconds until a call may go; 0 is now, `Infinity` is when the one under way has ended. */
  get waitMs(): number {
    if (!this.isOpen) return 0;
    return this.#isProbing ? Infinity : Math.max(0, this.#openUntilMs - this.#timing.now());
  }

  starts(): void {
    this.#isProbing = this.isOpen;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isProbing = false;
  }

  failed(): void {
    this.#failures++;
    this.#isProbing = false;
    if (this.isOpen) this.#openUntilMs = this.#timing.now() + this.#openMs;
  }
}
