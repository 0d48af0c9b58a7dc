import { ClientError } from '../../errors.ts';
import type { Timing } from '../../timing.ts';
import type { ConsumerCalls, Fetched, ReadFrom } from '../calls.ts';
import type { Report } from '../events.ts';

/** What the reading of one shard needs. */
export interface ReadGround {
  readonly calls: ConsumerCalls;
  readonly shardId: string;
  readonly cursor: Cursor;
  readonly timing: Timing;
  /** Ends the reading; nothing is yielded any more. */
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly tuning: ReadTuning;
  /** How many Kinesis records the next answer should have at most. */
  readonly recordsMax: () => number;
}

export interface ReadTuning {
  readonly requestTimeoutMs: number;
  readonly pollIdleMs: number;
  readonly stallMs: number;
  readonly fanOutSilenceMs: number;
}

/** Nothing could be fetched for too long. */
export class StalledError extends ClientError {
  constructor(shardId: string, cause: unknown) {
    super('MR_FETCH_STALLED', `nothing could be fetched from ${shardId} for too long`, { cause, isRetryable: true });
  }
}

/** Where a shard is read, and since when that goes on. */
export class Cursor {
  from: ReadFrom;
  #progressMs: number;
  readonly #timing: Timing;

  constructor(from: ReadFrom, timing: Timing) {
    this.from = from;
    this.#timing = timing;
    this.#progressMs = timing.now();
  }

  /** An answer of GetRecords. Its iterator is good for a while; behind that only a record's number is. */
  polled({ records }: Fetched): void {
    const last = records.at(-1);
    if (last !== undefined) this.from = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: last.sequenceNumber };
    this.#progressMs = this.#timing.now();
  }

  /** An event of a subscription. */
  pushed({ next }: Fetched): void {
    if (next !== undefined) this.from = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: next };
    this.#progressMs = this.#timing.now();
  }

  /** What was fetched has been taken: the time that took does not count. */
  resumed(): void {
    this.#progressMs = this.#timing.now();
  }

  /** @throws StalledError */
  mustNotBeStalled(shardId: string, stallMs: number, cause: unknown): void {
    if (this.#timing.now() - this.#progressMs >= stallMs) throw new StalledError(shardId, cause);
  }
}
