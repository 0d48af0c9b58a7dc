/** Something that comes true, and that callers wait for. */
export class Condition {
  readonly #isMet: () => boolean;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(isMet: () => boolean) {
    this.#isMet = isMet;
  }

  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  /** Undefined: it is met. */
  wait(): Promise<void> | undefined {
    if (this.#isMet()) return undefined;
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** To be called whenever it may have been met. */
  tell(): void {
    if (this.#waiting === undefined || !this.#isMet()) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
