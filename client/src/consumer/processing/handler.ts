import type { ConsumerRecord } from '../record.ts';

/** What a handler is told besides its records. */
export interface HandlerContext {
  readonly shardId: string;
  /** Fires when the lease has been lost, or the time of a stop is up: the records are somebody else's, and what is done counts no more. */
  readonly signal: AbortSignal;
  /** Grows when the shard changes hands: a store that remembers the highest it has seen can refuse a worker that was replaced. */
  readonly fence: number;
}

/** Processes one record. What it returns is awaited; when it throws, it is called again for that record. */
export type EachHandler = (record: ConsumerRecord, context: HandlerContext) => unknown;

/** Processes records of one shard. What it returns is awaited; when it throws, it is called again for those it has not acknowledged. */
export type BatchHandler = (batch: ConsumerBatch) => unknown;

interface BatchParts extends HandlerContext {
  readonly records: readonly ConsumerRecord[];
  readonly after: string | undefined;
  readonly attempt: number;
}

/** Records of one shard that follow one another. */
export class ConsumerBatch implements HandlerContext {
  readonly shardId: string;
  readonly signal: AbortSignal;
  readonly fence: number;
  /** At least one, in their order. */
  readonly records: readonly ConsumerRecord[];
  /**
   * Position of the record before them, up to which all has been processed; undefined when there is none that is known. With the setting `positions`
   * it is the newest that was kept there: who keeps it in the transaction of the records' effects, changes it from `after` to `position`
   * only, and throws where that cannot be done, has each effect exactly once.
   */
  readonly after: string | undefined;
  /** How many times the handler has been called for these, from 1. */
  readonly attempt: number;
  #acknowledgedCount = 0;

  /** @internal */
  constructor({ shardId, signal, fence, records, after, attempt }: BatchParts) {
    this.shardId = shardId;
    this.signal = signal;
    this.fence = fence;
    this.records = records;
    this.after = after;
    this.attempt = attempt;
  }

  /** Of the last record. */
  get position(): string {
    return (this.records.at(-1) as ConsumerRecord).position;
  }

  /** This record and those before it need not be given again, even if the handler throws. Without a record: all. */
  acknowledge(record: ConsumerRecord | undefined = this.records.at(-1)): void {
    const count = this.records.indexOf(record as ConsumerRecord) + 1;
    if (count === 0) throw new RangeError('the record is not in this batch');
    this.#acknowledgedCount = Math.max(this.#acknowledgedCount, count);
  }

  /** From the beginning of the batch. */
  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }
}
