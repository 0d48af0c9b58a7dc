import { channel } from 'node:diagnostics_channel';
import { hashKeyFromDecimal, type UserRecord } from '../aggregation/index.ts';
import { unlessAborted } from '../deadline.ts';
import { ClientError, InvalidArgumentError } from '../errors.ts';
import { systemTiming, type Timing } from '../timing.ts';
import { type KinesisCalls, sdkCalls } from './calls.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { Dispatcher } from './dispatcher.ts';
import { Lanes } from './lanes.ts';
import { Memory } from './memory.ts';
import { Metrics, type ProducerMetrics, reportOf } from './metrics.ts';
import { type ProducerOptions, type ProducerSettings, tuningOf } from './settings.ts';
import type { ProducerTuning } from './tuning.ts';
import type { FinishedCall } from './settlement.ts';
import { ShardMap } from './shard-map.ts';
import { Spool } from './spool/spool.ts';
import { type KinesisPlace, PendingRecord, PutError, type Ticket } from './ticket.ts';
import { until } from './until.ts';

/** A record to put. Text is taken as UTF-8. */
export interface RecordToPut extends Omit<UserRecord, 'data'> {
  readonly data: Uint8Array | string;
}

/** What a record takes of memory besides its data and its key, at most: when it is put alone. Measured; the conformance suite holds it. */
const recordOverheadBytes = 700;
const partitionKeyCharsMax = 256;
/** In UTF-8. */
const partitionKeyBytesMax = 3 * partitionKeyCharsMax;
/** Then the event loop has a turn. */
const recordsPerTurn = 500;

/** Each finished PutRecords call, as a {@link ProducerCall}. */
const calls = channel('millrace:producer:call');

/** Waits for the records that had been accepted by then. */
interface Flush {
  readonly beforeNumber: number;
  pending: number;
  readonly done: () => void;
}

/** Where a producer runs. @internal */
export interface ProducerGround {
  readonly callsOf: (stream: string) => KinesisCalls;
  readonly timing: Timing;
}

interface ProducerParts {
  readonly stream: string;
  readonly tuning: ProducerTuning;
  readonly calls: KinesisCalls;
  readonly timing: Timing;
  readonly spool: Spool | undefined;
  readonly deadLetters: DeadLetterWriter | undefined;
}

/**
 * Puts records into a stream: accepts them into a memory of bounded size, packs them, gathers them into calls, and tries again what fails.
 *
 * `put` resolves when a record has been accepted; its ticket says when it has been put. Works on AWS and on Millrace.
 */
export class Producer implements AsyncDisposable {
  readonly #tuning: ProducerTuning;
  readonly #timing: Timing;
  readonly #map: ShardMap;
  readonly #dispatcher: Dispatcher;
  readonly #memory: Memory;
  readonly #metrics = new Metrics();
  readonly #abort = new AbortController();
  readonly #flushes: Flush[] = [];
  readonly #deadLetters: DeadLetterWriter | undefined;
  readonly #spool: Spool | undefined;
  /** Until what an earlier process left in the spool has been accepted. */
  #recovering: Promise<void> | undefined;
  /** Puts that are on their way into the spool. */
  readonly #entering = new Set<Promise<unknown>>();
  #nextNumber = 0;
  /** Records put since the event loop went on. */
  #sinceTurn = 0;
  #turnMs = 0;
  #nextTurn: Promise<void> | undefined;
  #endTurn: (() => void) | undefined;
  #isClosed = false;

  private constructor(parts: ProducerParts) {
    const { tuning, calls: kinesis, timing } = parts;
    this.#tuning = tuning;
    this.#timing = timing;
    this.#memory = new Memory(tuning.bufferBytesMax);
    this.#spool = parts.spool;
    this.#deadLetters = parts.deadLetters;
    const onChange = (): void => this.#dispatcher.shardsChanged();
    const timeoutMs = tuning.requestTimeoutMs;
    const map = new ShardMap(kinesis, { timing, signal: this.#abort.signal, timeoutMs, onChange });
    this.#map = map;
    const lanes = new Lanes(map, tuning, timing);
    const outcomes = {
      put: (record: PendingRecord, place: KinesisPlace, subSequenceNumber: number | undefined) =>
        this.#put(record, place, subSequenceNumber),
      failed: (record: PendingRecord, code: string, message: string) => this.#failed(record, code, message),
      called: (call: FinishedCall) => {
        this.#metrics.noteCall(call);
        if (calls.hasSubscribers) calls.publish(reportOf(parts.stream, call));
      },
    };
    this.#dispatcher = new Dispatcher({ calls: kinesis, map, lanes, tuning, timing, outcomes });
  }

  /**
   * Ready to accept records. Has asked for the shards of the stream; when they could not be had (it is tried again), only records of the same key
   * are aggregated. What an earlier process left in the spool is put before all else.
   *
   * @throws InvalidArgumentError
   * @throws ClientError   the spool cannot be opened
   */
  static async open(options: ProducerOptions): Promise<Producer> {
    const callsOf = (stream: string): KinesisCalls => sdkCalls(options.client, stream);
    return Producer.openOn({ callsOf, timing: systemTiming }, options);
  }

  /** The same on other ground, for tests. @internal */
  static async openOn(
    ground: ProducerGround,
    options: ProducerSettings & { readonly stream: string },
  ): Promise<Producer> {
    const { callsOf, timing } = ground;
    const { stream } = options;
    const tuning = tuningOf(options);
    const calls = callsOf(stream);
    const places = { callsOf, timing, timeoutMs: tuning.requestTimeoutMs };
    const deadLetters = options.deadLetters && new DeadLetterWriter(options.deadLetters, places);
    // Last: it is locked from here to the close.
    const spool = options.spool && (await Spool.open(options.spool));
    const producer = new Producer({ stream, tuning, calls, timing, spool, deadLetters });
    await producer.#map.refresh();
    if (spool !== undefined) {
      producer.#recovering = producer.#recover(spool);
      producer.#recovering.catch(() => undefined); // Each put tells, and the close.
    }
    return producer;
  }

  /**
   * Accepts a record; waits while the memory is full, and until it is in the spool where there is one. The data may be changed afterwards.
   *
   * @throws InvalidArgumentError   the record can never be put
   * @throws ClosedError
   * @throws ClientError            the spool cannot take it
   */
  put(record: RecordToPut, options?: { readonly signal?: AbortSignal }): Promise<Ticket> {
    // Nothing in here is kept by a function, and nothing is made but the record and the promise: it is called for each record.
    try {
      options?.signal?.throwIfAborted();
      const pending = this.#check(record);
      // Whoever puts in a loop leaves no turn to what sends.
      const isTurnDue = ++this.#sinceTurn >= recordsPerTurn;
      if (this.#sinceTurn === 1) {
        // The clock is read once a turn: that is near enough, and reading it is dear.
        this.#turnMs = this.#timing.now();
        setImmediate(this.#onTurn);
      }
      if (this.#spool !== undefined) return this.#enter(this.#putSpooled(this.#spool, pending, options?.signal));
      if (!this.#memory.tryTake(pending.bytes)) return this.#putLater(pending, options?.signal);
      this.#accept(pending);
      return isTurnDue ? this.#afterTurn(pending) : Promise.resolve(pending);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Accepts a record if there is room for it now. Not with a spool, which takes time. @throws InvalidArgumentError @throws ClosedError */
  tryPut(record: RecordToPut): Ticket | undefined {
    if (this.#spool !== undefined) throw new InvalidArgumentError('with a spool there is only put, which waits for it');
    const pending = this.#check(record);
    if (!this.#memory.tryTake(pending.bytes)) return undefined;
    this.#accept(pending);
    return pending;
  }

  /**
   * Puts every record of a source, taking no more from it than there is memory for; resolves when all have been put.
   *
   * @throws PutError   of the first record that could not be put; then nothing more is taken from the source
   * @throws the signal's reason, at once: what has been taken from the source is put all the same
   */
  async putAll(
    source: AsyncIterable<RecordToPut> | Iterable<RecordToPut>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    let pending = 0;
    const failed = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    let isAtEnd = false;
    const settled = (): void => {
      if (--pending === 0 && isAtEnd) resolve();
    };
    const stop = options.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, options.signal]);
    for await (const record of until(source, stop)) {
      const { acknowledged } = await this.put(record, options);
      pending++;
      acknowledged.then(settled, (error: unknown) => {
        failed.abort(error);
        settled();
      });
    }
    options.signal?.throwIfAborted();
    isAtEnd = true;
    if (pending > 0) await (options.signal === undefined ? promise : unlessAborted(options.signal, promise));
    failed.signal.throwIfAborted();
  }

  /** A stream that puts what is written to it, for `pipeTo` and the like. It closes when all has been put; the producer stays open. */
  writable(): WritableStream<RecordToPut> {
    let failure: unknown;
    return new WritableStream<RecordToPut>({
      write: async (record, controller) => {
        if (failure !== undefined) throw failure as Error;
        // The published type leaves it out.
        const { signal } = controller as unknown as { readonly signal: AbortSignal };
        const { acknowledged } = await this.put(record, { signal });
        acknowledged.catch((error: unknown) => (failure ??= error));
      },
      close: async () => {
        await this.flush();
        if (failure !== undefined) throw failure as Error;
      },
    });
  }

  /** Sends what has been accepted without waiting for more; resolves when all of it has been put or has failed. */
  async flush(): Promise<void> {
    const { pending } = this.#metrics;
    if (pending === 0) return;
    await new Promise<void>((done) => {
      this.#flushes.push({ beforeNumber: this.#nextNumber, pending, done });
      this.#dispatcher.isFlushing = true;
    });
  }

  /**
   * Accepts nothing more, and puts what has been accepted. When `signal` fires, what has not been put by then fails with the code `Aborted`.
   * Idempotent.
   */
  async close({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#isClosed = true;
    this.#memory.letAllIn();
    this.#dispatcher.isFlushing = true;
    const abort = (): void => {
      this.#abort.abort();
      this.#dispatcher.abort();
      this.#deadLetters?.abort();
      this.#memory.letAllIn();
    };
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#recovering;
    } finally {
      await Promise.allSettled(this.#entering);
      await this.flush();
      signal?.removeEventListener('abort', abort);
      this.#abort.abort();
      await this.#spool?.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  metrics(): ProducerMetrics {
    return { ...this.#metrics.now, BufferedBytes: this.#memory.bytes };
  }

  /** @throws InvalidArgumentError @throws ClosedError */
  #check(record: RecordToPut): PendingRecord {
    if (this.#isClosed) throw new ClosedError();
    const { partitionKey, explicitHashKey } = record;
    if (typeof partitionKey !== 'string' || partitionKey === '' || partitionKey.length > partitionKeyCharsMax) {
      throw new InvalidArgumentError(`a partition key has 1 to ${partitionKeyCharsMax} characters`);
    }
    if (explicitHashKey !== undefined) {
      try {
        hashKeyFromDecimal(explicitHashKey);
      } catch {
        throw new InvalidArgumentError(
          `explicitHashKey is a decimal number from 0 to 2^128 - 1, and not ${explicitHashKey}`,
        );
      }
    }
    const data = typeof record.data === 'string' ? Buffer.from(record.data) : record.data;
    if (!(data instanceof Uint8Array)) throw new InvalidArgumentError('data is bytes (Uint8Array) or text');
    const { recordBytesMax } = this.#tuning;
    // The key is measured where it matters only.
    if (data.length + partitionKeyBytesMax > recordBytesMax) {
      const bytes = data.length + Buffer.byteLength(partitionKey);
      if (bytes > recordBytesMax) {
        throw new InvalidArgumentError(`a record of ${bytes} bytes is longer than recordBytesMax, ${recordBytesMax}`);
      }
    }
    return pendingOf(record, data);
  }

  /** Resolves when the event loop has gone on. */
  async #afterTurn(ticket: Ticket): Promise<Ticket> {
    this.#nextTurn ??= new Promise((resolve) => (this.#endTurn = resolve));
    await this.#nextTurn;
    return ticket;
  }

  readonly #onTurn = (): void => {
    this.#sinceTurn = 0;
    this.#nextTurn = undefined;
    this.#endTurn?.();
  };

  /** Uses memory that has been waited for, unless the producer has been closed meanwhile. */
  #use<Result>(bytes: number, use: () => Result): Result {
    if (!this.#isClosed) return use();
    this.#memory.give(bytes);
    throw new ClosedError();
  }

  #putLater(record: PendingRecord, signal: AbortSignal | undefined): Promise<Ticket> {
    const { bytes } = record;
    const accept = (): PendingRecord => {
      this.#accept(record);
      return record;
    };
    return this.#memory.take(bytes, signal, () => this.#use(bytes, accept));
  }

  /** The close waits for it. */
  #enter(putting: Promise<Ticket>): Promise<Ticket> {
    this.#entering.add(putting);
    const left = (): void => void this.#entering.delete(putting);
    putting.then(left, left);
    return putting;
  }

  async #putSpooled(spool: Spool, record: PendingRecord, signal: AbortSignal | undefined): Promise<Ticket> {
    if (this.#recovering !== undefined) await this.#recovering;
    signal?.throwIfAborted();
    if (this.#isClosed) throw new ClosedError();
    const { bytes, partitionKey, explicitHashKey, data } = record;
    // Accepted as soon as it is appended: in the order of the spool, however long it has waited for memory.
    const append = (): Promise<Ticket> =>
      spool.append({ partitionKey, explicitHashKey, data: data as Uint8Array }).then(
        (number) => {
          this.#accept(record, number);
          return record;
        },
        (error: unknown) => {
          this.#memory.give(bytes);
          throw error;
        },
      );
    return this.#memory.tryTake(bytes) ? append() : this.#memory.take(bytes, signal, () => this.#use(bytes, append));
  }

  async #recover(spool: Spool): Promise<void> {
    for await (const { number, record } of spool.recovered()) {
      const pending = pendingOf(record, record.data);
      const { bytes } = pending;
      if (!this.#memory.tryTake(bytes)) await this.#memory.take(bytes, undefined, () => undefined);
      // What is not accepted stays in the spool.
      if (this.#abort.signal.aborted) return this.#memory.give(bytes);
      this.#accept(pending, number);
    }
    this.#recovering = undefined;
  }

  #accept(record: PendingRecord, spoolNumber?: number): void {
    record.number = this.#nextNumber++;
    // What had to wait is accepted in another turn than it was put in.
    record.acceptedMs = this.#sinceTurn === 0 ? this.#timing.now() : this.#turnMs;
    record.spoolNumber = spoolNumber;
    this.#metrics.received++;
    this.#metrics.pending++;
    this.#dispatcher.add(record);
  }

  #put(record: PendingRecord, place: KinesisPlace, subSequenceNumber: number | undefined): void {
    this.#metrics.put++;
    this.#metrics.dataPut += record.dataBytes;
    record.put(place, subSequenceNumber);
    this.#leave(record);
    if (record.spoolNumber !== undefined) this.#spool?.settle(record.spoolNumber);
  }

  #failed(record: PendingRecord, code: string, message: string): void {
    if (code === 'Expired') this.#metrics.expired++;
    const { partitionKey, explicitHashKey, data = new Uint8Array(), attempts } = record;
    const details = { record: { partitionKey, explicitHashKey, data }, attempts };
    // What was not put because of the close is still in the spool, for the next time.
    if (code === 'Aborted' || this.#deadLetters === undefined) {
      if (code !== 'Aborted' && record.spoolNumber !== undefined) this.#spool?.settle(record.spoolNumber);
      record.fail(new PutError(code, message, details));
      this.#leave(record);
      return;
    }
    this.#deadLetters.add(new PutError(code, message, details), ({ isDeadLettered, cause }) => {
      if (isDeadLettered && record.spoolNumber !== undefined) this.#spool?.settle(record.spoolNumber);
      record.fail(new PutError(code, message, { ...details, isDeadLettered, cause }));
      this.#leave(record);
    });
  }

  #leave({ bytes, number }: PendingRecord): void {
    this.#metrics.pending--;
    this.#memory.give(bytes);
    if (this.#flushes.length > 0) this.#leaveFlushes(number);
  }

  #leaveFlushes(number: number): void {
    for (const flush of this.#flushes.slice()) {
      if (number >= flush.beforeNumber || --flush.pending > 0) continue;
      this.#flushes.splice(this.#flushes.indexOf(flush), 1);
      this.#dispatcher.isFlushing = this.#isClosed || this.#flushes.length > 0;
      flush.done();
    }
  }
}

/** The producer accepts nothing more. */
export class ClosedError extends ClientError {
  constructor() {
    super('MR_PRODUCER_CLOSED', 'the producer has been closed');
  }
}

/** @param data   of the record, as bytes */
function pendingOf({ partitionKey, explicitHashKey }: Omit<UserRecord, 'data'>, data: Uint8Array): PendingRecord {
  const bytes = data.length + partitionKey.length * 2 + recordOverheadBytes;
  return new PendingRecord(partitionKey, explicitHashKey, data, bytes);
}
