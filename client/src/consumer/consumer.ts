import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ClientError, InvalidArgumentError } from '../errors.ts';
import { type KinesisCalls, sdkCalls } from '../producer/calls.ts';
import { systemTiming, type Timing } from '../timing.ts';
import { type ConsumerCalls, sdkConsumerCalls } from './calls.ts';
import type { StartAt } from './coordination/lineage.ts';
import { Worker } from './coordination/worker.ts';
import { letterWriter } from './dead-letters.ts';
import { BatchQueue } from './processing/batch-queue.ts';
import { BatchProcessor } from './processing/batch.ts';
import { EachProcessor } from './processing/each.ts';
import type { BatchHandler, ConsumerBatch, EachHandler, HandlerContext } from './processing/handler.ts';
import type { Processor, ProcessorGround } from './processing/processor.ts';
import type { Checkpoint } from './leases/lease.ts';
import type { ConsumerMetrics } from './metrics.ts';
import { Reporter } from './reporter.ts';
import { type ConsumerOptions, startAtOf, tuningOf } from './settings.ts';
import { FanOutConsumer } from './sources/fan-out.ts';
import type { ConsumerTuning } from './tuning.ts';

/** One of them. */
export type Handler = { readonly each: EachHandler } | { readonly batch: BatchHandler };

/** Where a consumer runs. @internal */
export interface ConsumerGround {
  readonly calls: ConsumerCalls;
  readonly callsOf: (stream: string) => Pick<KinesisCalls, 'putRecords'>;
  readonly timing: Timing;
}

/**
 * Processes the records of a stream, together with the other workers of its application: each has some of the shards, by leases, and saves how far it
 * has come. A worker that dies is followed by others, from its checkpoints on; one that is closed hands over without a record given twice.
 *
 * Records of a partition key come in their order, through reshards too. Works on AWS and on Millrace.
 */
export class Consumer implements AsyncDisposable, AsyncIterable<ConsumerBatch> {
  /** What this worker is called in the lease store. */
  readonly worker: string;
  readonly #options: ConsumerOptions;
  readonly #ground: ConsumerGround;
  readonly #tuning: ConsumerTuning;
  readonly #startAt: StartAt;
  readonly #reporter: Reporter;
  readonly #abort = new AbortController();
  #worker: Worker | undefined;
  #handler: Handler = { batch: () => undefined };
  #isRunning = false;
  #closing: Promise<void> | undefined;
  readonly #closed = Promise.withResolvers<void>();

  private constructor(ground: ConsumerGround, options: ConsumerOptions) {
    this.#ground = ground;
    this.#options = options;
    this.#tuning = tuningOf(options);
    this.#startAt = startAtOf(options);
    this.#reporter = new Reporter(options.onEvent, ground.timing);
    this.worker = options.worker ?? options.workerIdentifier ?? `${hostname()}-${process.pid}-${randomUUID()}`;
  }

  /**
   * Ready to {@link run}: the lease store is open, and has the leases that the application starts with.
   *
   * @throws InvalidArgumentError
   * @throws ClientError   the lease store cannot be opened
   * @throws what the SDK says of a stream that cannot be read
   */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    const { client, stream } = options;
    const calls = sdkConsumerCalls(client, stream);
    return Consumer.openOn({ calls, callsOf: (other) => sdkCalls(client, other), timing: systemTiming }, options);
  }

  /** The same on other ground, for tests. @internal */
  static async openOn(ground: ConsumerGround, options: ConsumerOptions): Promise<Consumer> {
    const consumer = new Consumer(ground, options);
    const { application, leases } = options;
    if (typeof application !== 'string' || application === '') throw new InvalidArgumentError('application is a name');
    await leases.open(application, consumer.#failoverMs);
    try {
      consumer.#worker = consumer.#makeWorker();
      await consumer.#worker.open();
    } catch (error) {
      await leases.close();
      throw error;
    }
    return consumer;
  }

  /**
   * Calls the handler with what comes, until the signal fires or the consumer is closed; then ends what has been begun, gives the leases back, and
   * resolves. What fails on the way is tried again, and told to `onEvent`.
   *
   * @throws ClosedConsumerError
   * @throws InvalidArgumentError   it is running already
   */
  async run(handler: Handler, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#mustBeFree();
    this.#isRunning = true;
    this.#handler = handler;
    const close = (): void => void this.close().catch(() => undefined); // Told below.
    signal?.addEventListener('abort', close, { once: true });
    try {
      if (signal?.aborted !== true) this.#worker?.start();
      else close();
      await this.#closed.promise;
      await this.#closing;
    } finally {
      signal?.removeEventListener('abort', close);
    }
  }

  /**
   * Batches of all shards that this worker has, one after the other. A batch counts as processed when the next one is asked for, or
   * when it has been acknowledged; with the end of the loop the consumer is closed.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumerBatch, void, void> {
    this.#mustBeFree();
    const queue = new BatchQueue();
    const running = this.run({ batch: (batch) => queue.offer(batch) });
    running.then(
      () => queue.end(),
      (error: unknown) => queue.end(error),
    );
    try {
      yield* queue.batches();
    } finally {
      queue.end();
      await this.close();
    }
  }

  /** Ends what has been begun, within `handOverMs`, gives the leases back, and closes the lease store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Of the leases that this worker has now. */
  get shardIds(): readonly string[] {
    return this.#worker?.shardIds ?? [];
  }

  metrics(): ConsumerMetrics {
    return {
      ...this.#reporter.counts,
      MillisBehindLatest: this.#worker?.millisBehindLatest ?? 0,
      CurrentLeases: this.shardIds.length,
    };
  }

  #mustBeFree(): void {
    if (this.#closing !== undefined) throw new ClosedConsumerError();
    if (this.#isRunning)
      throw new InvalidArgumentError('the consumer is running: open another one for another handler');
  }

  async #close(): Promise<void> {
    try {
      if (this.#isRunning) await this.#worker?.stop();
      this.#abort.abort();
      await this.#options.leases.close();
    } finally {
      this.#closed.resolve();
    }
  }

  get #failoverMs(): number {
    return this.#tuning.failoverMs === 0 ? this.#options.leases.failoverMs : this.#tuning.failoverMs;
  }

  #makeWorker(): Worker {
    const { leases, application, stream, positions, consumerName = application } = this.#options;
    const { calls, callsOf, timing } = this.#ground;
    const tuning = this.#tuning;
    const { signal } = this.#abort;
    const deadline = { timing, timeoutMs: tuning.requestTimeoutMs, signal };
    const now = (): string => new Date(timing.wallMs()).toISOString();
    return new Worker({
      calls,
      store: leases,
      worker: this.worker,
      timing,
      tuning,
      startAt: this.#startAt,
      positions,
      failoverMs: this.#failoverMs,
      report: this.#reporter.report,
      counts: this.#reporter.counts,
      fanOutConsumer: tuning.retrieval === 'polling' ? undefined : new FanOutConsumer(consumerName, calls, deadline),
      giveUp: letterWriter(this.#options.deadLetters, { application, stream, now, callsOf }, deadline),
      processorOf: (ground, context, after) => this.#processorOf(ground, context, after),
    });
  }

  #processorOf(ground: ProcessorGround, context: HandlerContext, after: Checkpoint | undefined): Processor {
    const { concurrency, batchRecordsMax: recordsMax, batchWindowMs: windowMs } = this.#tuning;
    const handler = this.#handler;
    if ('each' in handler) return new EachProcessor(ground, { handler: handler.each, context, concurrency });
    return new BatchProcessor(ground, { handler: handler.batch, context, recordsMax, windowMs, after });
  }
}

/** A consumer runs once. */
export class ClosedConsumerError extends ClientError {
  constructor() {
    super('MR_CONSUMER_CLOSED', 'the consumer has been closed');
  }
}
