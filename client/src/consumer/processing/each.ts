import type { Checkpoint } from '../leases/lease.ts';
import { compareCheckpoints, type ConsumerRecord } from '../record.ts';
import type { EachHandler, HandlerContext } from './handler.ts';
import { Condition } from './condition.ts';
import { bytesOf, type Processor, type ProcessorGround } from './processor.ts';
import { afterFailure, positionAfterFailure } from './retries.ts';

/** A record on its way. */
class Entry {
  readonly record: ConsumerRecord;
  /** Counts up in the shard. */
  readonly number: number;
  isDone = false;

  constructor(record: ConsumerRecord, number: number) {
    this.record = record;
    this.number = number;
  }
}

/** Entries that have been done are dropped from the front when there are so many. */
const dropCount = 1024;

/**
 * One record at a time of each partition key, in order, and those of up to `concurrency` keys at the same time. What is `processed` ends before
 * the first record that is not done, whatever has been done behind it.
 */
export class EachProcessor implements Processor {
  processed: Checkpoint | undefined;
  readonly #ground: ProcessorGround;
  readonly #handler: EachHandler;
  readonly #context: HandlerContext;
  readonly #concurrency: number;
  /** Fires when nothing new is to be started. */
  readonly #stop = new AbortController();
  // Looked at for each record, which is slow with signals.
  #isStopped = false;
  #isLost = false;
  #entries: Entry[] = [];
  /** The first in `#entries` that `processed` does not reach. */
  #head = 0;
  /** The next in `#entries` to be looked at. */
  #next = 0;
  #lastNumber = 0;
  /** The highest that has been started. */
  #startedNumber = 0;
  #running = 0;
  /** Keys that have a record under way, with what waits behind it. */
  readonly #busy = new Map<string, Entry[]>();
  #bytes = 0;
  #isPumping = false;
  readonly #room = new Condition(() => this.#hasRoom);
  readonly #idle = new Condition(() => this.#isIdle);
  readonly #quiet = new Condition(() => this.#running === 0);

  constructor(
    ground: ProcessorGround,
    { handler, context, concurrency }: { handler: EachHandler; context: HandlerContext; concurrency: number },
  ) {
    this.#ground = ground;
    this.#handler = handler;
    this.#context = context;
    this.#concurrency = concurrency;
    ground.signal.addEventListener('abort', () => this.#lose(), { once: true });
  }

  offer(records: readonly ConsumerRecord[]): Promise<void> | undefined {
    for (const record of records) {
      this.#entries.push(new Entry(record, ++this.#lastNumber));
      this.#bytes += bytesOf(record);
    }
    this.#pump();
    return this.#room.wait();
  }

  async drained(): Promise<void> {
    await this.#idle.wait();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#stop.abort();
    this.#tell();
    return this.drained();
  }

  async quiet(): Promise<void> {
    await this.#quiet.wait();
  }

  get #hasRoom(): boolean {
    return this.#isStopped || this.#bytes < this.#ground.bytesMax();
  }

  get #isIdle(): boolean {
    if (this.#isLost) return true;
    return this.#running === 0 && (this.#isStopped || this.#head === this.#entries.length);
  }

  /** Starts what may be started. */
  #pump(): void {
    if (this.#isPumping) return; // A handler that returns at once is called from the loop below.
    this.#isPumping = true;
    while (this.#running < this.#concurrency && !this.#isStopped && this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next++] as Entry;
      const waiting = this.#busy.size === 0 ? undefined : this.#busy.get(entry.record.partitionKey);
      if (waiting === undefined) this.#start(entry);
      else waiting.push(entry);
    }
    this.#isPumping = false;
    this.#tell();
  }

  /** Whether it is done already. */
  #start(entry: Entry): boolean {
    this.#startedNumber = Math.max(this.#startedNumber, entry.number);
    let result: unknown;
    try {
      result = this.#handler(entry.record, this.#context);
    } catch (error) {
      result = Promise.reject(error as Error);
    }
    if (!isThenable(result)) {
      this.#done(entry);
      return true;
    }
    const { partitionKey } = entry.record;
    if (!this.#busy.has(partitionKey)) this.#busy.set(partitionKey, []);
    this.#running++;
    void this.#finish(entry, result).then((isDone) => this.#finished(entry, isDone));
    return false;
  }

  /** Whether the record is done, and not left because of a stop. */
  async #finish(entry: Entry, result: PromiseLike<unknown>): Promise<boolean> {
    let isLast = false;
    for (let attempts = 1; ; attempts++) {
      try {
        await (attempts === 1 ? result : this.#handler(entry.record, this.#context));
        return true;
      } catch (error) {
        if (this.#isLost) return false;
        const own = await positionAfterFailure(this.#ground);
        if (own !== undefined && compareCheckpoints(entry.record, own) <= 0) return true;
        const outcome = await afterFailure(
          this.#ground,
          { records: [entry.record], attempts, error },
          this.#stop.signal,
        );
        if (outcome === 'givenUp') return true;
        if (outcome === 'again') continue;
        // What was done behind it would be done again: that is worth one more try.
        if (isLast || entry.number === this.#startedNumber || this.#isLost) return false;
        isLast = true;
      }
    }
  }

  #finished(entry: Entry, isDone: boolean): void {
    this.#running--;
    const { partitionKey } = entry.record;
    const waiting = this.#busy.get(partitionKey) as Entry[];
    if (isDone && !this.#isLost) {
      this.#done(entry);
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        // When it is to stop, only what lies before something that is done already is worth while.
        if (this.#isStopped && next.number > this.#startedNumber) break;
        if (!this.#start(next)) return this.#pump();
      }
    }
    this.#busy.delete(partitionKey);
    this.#pump();
  }

  #done(entry: Entry): void {
    entry.isDone = true;
    const { counts } = this.#ground;
    counts.RecordsProcessed++;
    counts.DataBytesProcessed += entry.record.data.length;
    this.#bytes -= bytesOf(entry.record);
    const before = this.#head;
    while (this.#entries[this.#head]?.isDone === true) this.#head++;
    if (this.#head === before) return;
    this.processed = (this.#entries[this.#head - 1] as Entry).record;
    this.#ground.onProgress();
    if (this.#head < dropCount || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#next -= this.#head;
    this.#head = 0;
  }

  #lose(): void {
    this.#isLost = true;
    void this.stop();
  }

  #tell(): void {
    this.#room.tell();
    this.#idle.tell();
    this.#quiet.tell();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
