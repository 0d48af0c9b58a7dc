import type { EachHandler, HandlerContext } from './processing/handler.ts';
import type { ConsumerRecord } from './record.ts';

export interface DeduplicatorOptions {
  /** What a producer has given the record so that it is known again: it may have put it twice, in different places. */
  readonly idOf: (record: ConsumerRecord) => string;
  /** Ids that are remembered, at least; up to twice as many are kept. Default 100,000. */
  readonly rememberedMin?: number;
}

/** Leaves out records that have been processed before, by their ids. Remembers in memory, so only as long as it lives. */
export class Deduplicator {
  readonly #idOf: (record: ConsumerRecord) => string;
  readonly #rememberedMin: number;
  #newer = new Set<string>();
  #older = new Set<string>();

  constructor({ idOf, rememberedMin = 100_000 }: DeduplicatorOptions) {
    this.#idOf = idOf;
    this.#rememberedMin = rememberedMin;
  }

  /** A handler that is called for the first record of each id, and again while it fails. */
  each(handler: EachHandler): EachHandler {
    return async (record: ConsumerRecord, context: HandlerContext) => {
      const id = this.#idOf(record);
      if (this.#newer.has(id) || this.#older.has(id)) return;
      await handler(record, context);
      this.#remember(id);
    };
  }

  #remember(id: string): void {
    this.#newer.add(id);
    if (this.#newer.size < this.#rememberedMin) return;
    this.#older = this.#newer;
    this.#newer = new Set();
  }
}
