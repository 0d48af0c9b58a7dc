import type { ConsumerBatch } from './handler.ts';

/** Nobody processes the batch: that is no failure of a handler. */
export class AbandonedError extends Error {
  constructor() {
    super('the loop over the batches has ended, or the lease has');
    this.name = 'AbandonedError';
  }
}

interface Offered {
  readonly batch: ConsumerBatch;
  readonly done: () => void;
  readonly leave: () => void;
}

/** Hands batches of several shards to one loop. */
export class BatchQueue {
  readonly #offered: Offered[] = [];
  #arrival: PromiseWithResolvers<void> | undefined;
  #isEnded = false;
  #error: unknown;

  /** Resolves when the batch has been processed; rejects when that can no longer happen. */
  offer(batch: ConsumerBatch): Promise<void> {
    if (this.#isEnded) return Promise.reject(new AbandonedError());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal } = batch;
    // The shard's signal outlives the batch by far.
    const forget = (): void => signal.removeEventListener('abort', onAbort);
    const done = (): void => {
      forget();
      resolve();
    };
    const leave = (): void => {
      forget();
      reject(new AbandonedError());
    };
    const offered = { batch, done, leave };
    const onAbort = (): void => {
      const at = this.#offered.indexOf(offered);
      if (at >= 0) this.#offered.splice(at, 1);
      leave();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#offered.push(offered);
    this.#arrival?.resolve();
    return promise;
  }

  /** Nothing more comes. @param error   for the loop */
  end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#arrival?.resolve();
    for (const { leave } of this.#offered.splice(0)) leave();
  }

  /** A batch counts as processed when the next is asked for. */
  async *batches(): AsyncGenerator<ConsumerBatch, void, void> {
    for (;;) {
      const next = this.#offered.shift();
      if (next !== undefined) {
        let isDone = false;
        try {
          yield next.batch;
          isDone = true;
        } finally {
          if (isDone || next.batch.acknowledgedCount === next.batch.records.length) next.done();
          else next.leave();
        }
        continue;
      }
      if (this.#isEnded) {
        if (this.#error !== undefined) throw this.#error as Error;
        return;
      }
      this.#arrival = Promise.withResolvers();
      await this.#arrival.promise;
    }
  }
}
