import { pause } from '../../deadline.ts';
import type { Checkpoint } from '../leases/lease.ts';
import { compareCheckpoints, type ConsumerRecord, formatPosition } from '../record.ts';
import { AbandonedError } from './batch-queue.ts';
import { Condition } from './condition.ts';
import { type BatchHandler, ConsumerBatch, type HandlerContext } from './handler.ts';
import { bytesOf, type Processor, type ProcessorGround } from './processor.ts';
import { afterFailure, positionAfterFailure } from './retries.ts';

export interface BatchOptions {
  readonly handler: BatchHandler;
  readonly context: HandlerContext;
  readonly recordsMax: number;
  /** Longest wait for a batch to become full. */
  readonly windowMs: number;
  /** The record before the first, where it is known. */
  readonly after: Checkpoint | undefined;
}

/** One batch after the other, of what has come. */
export class BatchProcessor implements Processor {
  processed: Checkpoint | undefined;
  readonly #ground: ProcessorGround;
  readonly #options: BatchOptions;
  readonly #stop = new AbortController();
  readonly #stopped: AbortSignal;
  #waiting: ConsumerRecord[] = [];
  #bytes = 0;
  #after: string | undefined;
  #isRunning = false;
  /** Ends the wait for a full batch. */
  #full: AbortController | undefined;
  readonly #room = new Condition(() => this.#hasRoom);
  readonly #idle = new Condition(() => this.#isIdle);
  readonly #quiet = new Condition(() => !this.#isRunning);

  constructor(ground: ProcessorGround, options: BatchOptions) {
    this.#ground = ground;
    this.#options = options;
    this.#after = options.after && formatPosition(options.after);
    this.#stopped = AbortSignal.any([ground.signal, this.#stop.signal]);
    ground.signal.addEventListener('abort', () => this.#tell(), { once: true });
  }

  offer(records: readonly ConsumerRecord[]): Promise<void> | undefined {
    for (const record of records) {
      this.#waiting.push(record);
      this.#bytes += bytesOf(record);
    }
    if (this.#waiting.length >= this.#options.recordsMax) this.#full?.abort();
    if (!this.#isRunning) void this.#run();
    if (!this.#hasRoom) this.#full?.abort(); // It gets no fuller.
    return this.#room.wait();
  }

  async drained(): Promise<void> {
    this.#full?.abort();
    await this.#idle.wait();
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.drained();
  }

  async quiet(): Promise<void> {
    await this.#quiet.wait();
  }

  get #hasRoom(): boolean {
    return this.#stopped.aborted || this.#bytes < this.#ground.bytesMax();
  }

  get #isIdle(): boolean {
    return this.#ground.signal.aborted || !this.#isRunning;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0 && !this.#stopped.aborted) {
      await this.#untilFull();
      if (this.#stopped.aborted) break;
      const records = this.#waiting.splice(0, this.#options.recordsMax);
      if (!(await this.#process(records))) break;
      this.#tell();
    }
    this.#isRunning = false;
    this.#tell();
  }

  async #untilFull(): Promise<void> {
    const { recordsMax, windowMs } = this.#options;
    if (windowMs === 0 || this.#waiting.length >= recordsMax || this.#idle.isAwaited || !this.#hasRoom) return;
    this.#full = new AbortController();
    await pause(this.#ground.timing, windowMs, AbortSignal.any([this.#stopped, this.#full.signal]));
    this.#full = undefined;
  }

  /** Whether all of them have been processed, or given up. */
  async #process(given: ConsumerRecord[]): Promise<boolean> {
    let records = given;
    for (let attempts = 1; ; attempts++) {
      const batch = new ConsumerBatch({
        ...this.#options.context,
        records,
        after: this.#after,
        attempt: attempts,
      });
      try {
        await this.#options.handler(batch);
        return this.#done(records);
      } catch (error) {
        if (this.#ground.signal.aborted) return false;
        const isAbandoned = error instanceof AbandonedError;
        const doneCount = Math.max(batch.acknowledgedCount, isAbandoned ? 0 : await this.#countByPosition(records));
        if (doneCount > 0) {
          this.#done(records.slice(0, doneCount));
          records = records.slice(doneCount);
          attempts = 1; // Of what is left.
          if (records.length === 0) return true;
        }
        if (isAbandoned) return false;
        const oldCount = this.#countOld(records);
        if (oldCount > 0 && oldCount < records.length) {
          const old = records.slice(0, oldCount);
          if ((await afterFailure(this.#ground, { records: old, attempts, error }, this.#stopped)) !== 'givenUp')
            return false;
          this.#givenUp(old);
          records = records.slice(oldCount);
          continue;
        }
        if (oldCount === 0 && this.#isToHalve(records)) {
          this.#reportHalving(records, attempts, error);
          const half = Math.ceil(records.length / 2);
          return (await this.#process(records.slice(0, half))) && (await this.#process(records.slice(half)));
        }
        const outcome = await afterFailure(this.#ground, { records, attempts, error }, this.#stopped);
        if (outcome === 'givenUp') return this.#givenUp(records);
        if (outcome === 'stopped') return false;
      }
    }
  }

  /** That uses up no attempt. */
  #isToHalve(records: readonly ConsumerRecord[]): boolean {
    return this.#ground.retries.isBisecting && records.length > 1 && !this.#stopped.aborted;
  }

  /** How many are too old to be tried again; those that follow are not. */
  #countOld(records: readonly ConsumerRecord[]): number {
    const { retries, timing } = this.#ground;
    const nowMs = timing.wallMs();
    const first = records.findIndex(({ arrivalTime }) => nowMs - arrivalTime.getTime() <= retries.recordAgeMsMax);
    return first < 0 ? records.length : first;
  }

  #reportHalving(records: readonly ConsumerRecord[], attempt: number, error: unknown): void {
    const { shardId, report } = this.#ground;
    const { position } = records[0] as ConsumerRecord;
    report({ type: 'handlerFailed', shardId, position, recordCount: records.length, attempt, error, backoffMs: 0 });
  }

  /** How many the handler's own position reaches; a batch that is given again is told of it. */
  async #countByPosition(records: readonly ConsumerRecord[]): Promise<number> {
    const own = await positionAfterFailure(this.#ground);
    if (own === undefined) return 0;
    this.#after = formatPosition(own);
    const first = records.findIndex((record) => compareCheckpoints(record, own) > 0);
    return first < 0 ? records.length : first;
  }

  #givenUp(records: readonly ConsumerRecord[]): boolean {
    const after = this.#after;
    const isDone = this.#done(records);
    // Its own position is where the handler left it.
    if (this.#ground.ownPosition !== undefined) this.#after = after;
    return isDone;
  }

  #done(records: readonly ConsumerRecord[]): boolean {
    if (this.#ground.signal.aborted) return false;
    const { counts } = this.#ground;
    counts.RecordsProcessed += records.length;
    for (const record of records) {
      counts.DataBytesProcessed += record.data.length;
      this.#bytes -= bytesOf(record);
    }
    const last = records.at(-1) as ConsumerRecord;
    this.processed = last;
    this.#after = last.position;
    this.#ground.onProgress();
    return true;
  }

  #tell(): void {
    this.#room.tell();
    this.#idle.tell();
    this.#quiet.tell();
  }
}
