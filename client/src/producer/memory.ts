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

  /** Resolves when so much has been taken. @throws the signal's reason, and then nothing has been taken */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { bytes, go: resolve };
    const leave = (): void => {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      reject(signal?.reason as Error);
    };
    this.#waiters.push(waiter);
    signal?.addEventListener('abort', leave, { once: true });
    await promise;
    signal?.removeEventListener('abort', leave);
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    for (let first = this.#waiters[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiters[0]) {
      this.#letIn(first);
    }
  }

  /** Nobody waits any longer, whether there is room or not. */
  letAllIn(): void {
    for (const waiter of this.#waiters.slice()) this.#letIn(waiter);
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
