/** Waits for memory. */
interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/** A number of bytes that is shared, first come, first served. */
export class Memory {
  readonly #bytesMax: number;
  readonly #waiters: Waiter[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes so much if it is there, and nobody has waited for longer. All of it may be had by one who asks for more. */
  tryTake(bytes: number): boolean {
    if (this.#waiters.length > 0 || !this.#fits(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /**
   * Waits until so much can be taken, takes it, and calls `use` at once, before anybody who comes later.
   *
   * @throws the signal's reason, and then nothing has been taken; what `use` throws
   */
  async take<Result>(bytes: number, signal: AbortSignal | undefined, use: () => Result): Promise<Awaited<Result>> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const go = (): void => {
      signal?.removeEventListener('abort', leave);
      try {
        resolve(use());
      } catch (error) {
        reject(error as Error);
      }
    };
    const waiter = { bytes, go };
    const leave = (): void => {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      reject(signal?.reason as Error);
      this.give(0); // There may be room for those behind it.
    };
    this.#waiters.push(waiter);
    signal?.addEventListener('abort', leave, { once: true });
    return await promise;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    for (let first = this.#waiters[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiters[0]) {
      this.#letIn(first);
    }
  }

  /** Nobody waits any longer, whether there is room or not. */
  letAllIn(): void {
    for (let first = this.#waiters[0]; first !== undefined; first = this.#waiters[0]) this.#letIn(first);
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  #letIn({ bytes, go }: Waiter): void {
    this.#waiters.shift();
    this.#bytes += bytes;
    go();
  }
}
