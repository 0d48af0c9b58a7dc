import type { Clock, Timer } from '../kernel/clock.ts';
import { isDiskFull } from '../kernel/disk.ts';
import type { LogTelemetry } from '../kernel/telemetry.ts';
import type { AppendEntry, AppendOutcome, Durability, RejectReason, StoredBatch } from './engine.ts';
import { LogFullError, LogReadOnlyError, OutcomeUnknownError } from './errors.ts';
import { entryHeaderBytes, entryKind, frameHeaderBytes, sealFrame, writeEntry, type FrameEntry } from './frame.ts';
import type { Journal } from './journal.ts';
import type { LogState } from './log-state.ts';
import { stampBatch } from './record-batch.ts';
import type { ShardLog } from './shard-log.ts';

export interface CommitterOptions {
  readonly state: LogState;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly durability: Durability;
  readonly telemetry: LogTelemetry;
  readonly folderId: number;
  /** A commit takes what waits up to this many bytes, and at least one call. */
  readonly commitBytesMax: number;
  /** Calls beyond this many waiting bytes are rejected. */
  readonly pendingBytesMax: number;
  /** Commits wait while more than this lies in memory. */
  readonly tailBytesMax: number;
  readonly isDiskFull: () => boolean;
  /** Moves memory to the segments; resolves when done or given up. */
  readonly flush: () => Promise<void>;
  readonly onPublished: () => void;
  /** Told when there was no room for another journal file. */
  readonly onDiskFull: () => void;
  readonly onRoll: () => void;
  readonly onFailure: (error: unknown) => void;
}

interface Waiting {
  readonly entries: readonly FrameEntry[];
  readonly bytes: number;
  /** After the commit is durable, in log order: whoever reads sees it from here on. */
  publish(): void;
  /** Tells the caller, behind {@link Waiting.publish}. */
  answer(): void;
  /** Certainly not written. */
  refuse(reason: 'disk-full' | 'read-only'): void;
  fail(error: unknown): void;
}

/** An idle log says after so long that its newest commit is durable. */
const markAfterMs = 200;

/**
 * Group commit: what concurrent calls bring is gathered into one frame, written and synced once, and then every call is answered.
 * While one commit syncs the next gathers; one is under way at a time, so only the newest can ever be torn.
 */
export class Committer {
  commits = 0;
  readonly #options: CommitterOptions;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #isRunning = false;
  #isStopped = false;
  #isAbandoned = false;
  #idle: Promise<void> = Promise.resolve();
  #frame: Buffer = Buffer.alloc(256 * 1024);
  #commit: number;
  #durableUpTo: number;
  /** The newest commit of records or commands that some frame says to be durable. */
  #saidDurable: number;
  /** Record batches in the newest frame. */
  #batchBytes = 0;
  #syncTimer: Timer | undefined;
  #markTimer: Timer | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#commit = this.#durableUpTo = this.#saidDurable = options.state.commit;
  }

  /** What waits for a commit. */
  get queue(): { readonly bytes: number; readonly calls: number } {
    return { bytes: this.#queuedBytes, calls: this.#queue.filter((call) => call !== marker).length };
  }

  append(entries: readonly AppendEntry[]): Promise<AppendOutcome[]> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.resolve(entries.map(() => ({ kind: 'rejected', reason: refusal })));
    const { state, clock } = this.#options;
    const nowMs = clock.now();
    const append = new WaitingAppend(state);
    for (const entry of entries) {
      const log = state.shard(entry);
      if (log === undefined || log.isClosed) append.reject(log === undefined ? 'absent' : 'closed');
      else append.take(log, entry, nowMs);
    }
    if (append.entries.length === 0) return Promise.resolve(append.outcomes);
    return new Promise((resolve) => {
      append.resolve = resolve;
      this.#enqueue(append);
    });
  }

  propose(command: Uint8Array): Promise<unknown> {
    if (this.#isStopped) return Promise.reject(new LogReadOnlyError('it has been closed or has failed'));
    const entries = [{ kind: entryKind.command, group: 0, shard: 0, payload: command as Buffer }];
    let result: unknown;
    return new Promise((resolve, reject) => {
      this.#enqueue({
        entries,
        bytes: bytesOf(entries),
        publish: () => {
          result = this.#options.state.apply(command);
        },
        answer: () => resolve(result),
        refuse: (reason) => reject(reason === 'disk-full' ? new LogFullError() : new LogReadOnlyError('it has failed')),
        fail: (error) => reject(new OutcomeUnknownError(error)),
      });
    });
  }

  /** Refuses what comes from now on and resolves when what came before is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#markTimer?.cancel();
    await this.#idle;
    this.#syncTimer?.cancel();
    if (!this.#isAbandoned) await this.syncWritten();
  }

  /** Makes all that was answered durable; in mode `fsync` it is. */
  async syncWritten(): Promise<void> {
    if (this.#durableUpTo < this.#options.state.commit) await this.#sync();
  }

  /** Refuses what waits and what comes: the log has failed. */
  abandon(): void {
    this.#isStopped = this.#isAbandoned = true;
    this.#options.journal.wake();
    this.#syncTimer?.cancel();
    this.#markTimer?.cancel();
    this.#refuse([], 'read-only');
  }

  #refusal(): 'disk-full' | 'read-only' | 'overloaded' | undefined {
    if (this.#isStopped) return 'read-only';
    if (this.#options.isDiskFull()) return 'disk-full';
    return this.#queuedBytes > this.#options.pendingBytesMax ? 'overloaded' : undefined;
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#queuedBytes += waiting.bytes;
    if (this.#isRunning) return;
    this.#isRunning = true;
    // Not at once: all that arrived in this turn of the event loop shares the commit.
    this.#idle = new Promise((resolve) => {
      setImmediate(() => {
        // Behind the answers of the last commit.
        void this.#run().finally(() => setImmediate(resolve));
      });
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const { state, tailBytesMax, isDiskFull } = this.#options;
      while (state.tailBytes > tailBytesMax && !isDiskFull() && !this.#isStopped) await this.#options.flush();
      const calls = this.#gather();
      try {
        await this.#commitCalls(calls);
      } catch (error) {
        for (const call of calls) call.fail(error);
        this.abandon();
        this.#options.onFailure(error);
      }
    }
    // In one step with the last look at the queue: what came between the two would wait for ever.
    this.#isRunning = false;
    this.#markLater();
  }

  /**
   * Only the next frame says that one is durable, so the last one of a log that has come to rest could not be told from one that was
   * never answered, should it be damaged. An empty frame behind it says so.
   */
  #markLater(): void {
    if (this.#options.durability !== 'fsync' || this.#isStopped || this.#saidDurable === this.#commit) return;
    this.#markTimer ??= this.#options.clock.after(markAfterMs, () => {
      this.#markTimer = undefined;
      if (this.#isRunning || this.#isStopped || this.#options.isDiskFull()) return;
      this.#enqueue(marker);
    });
  }

  #gather(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const call of this.#queue) {
      if (count > 0 && bytes + call.bytes > this.#options.commitBytesMax) break;
      bytes += call.bytes;
      count++;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #commitCalls(calls: readonly Waiting[]): Promise<void> {
    const { journal, state, durability, clock, telemetry } = this.#options;
    const length = calls.reduce((sum, call) => sum + call.bytes, frameHeaderBytes);
    if (!journal.hasRoom(length) && !(await this.#roll())) {
      this.#refuse(calls, this.#isAbandoned ? 'read-only' : 'disk-full');
      return;
    }
    await journal.write(this.#encode(calls, length));
    if (durability === 'fsync') {
      const startedMs = clock.monotonic();
      await journal.sync();
      telemetry.journalSynced(clock.monotonic() - startedMs);
      this.#durableUpTo = this.#commit;
    } else if (durability === 'os') this.#syncSoon();
    this.commits++;
    // One synchronous step, so that a checkpoint never sees half a commit.
    state.commit = this.#commit;
    for (const call of calls) call.publish();
    this.#options.onPublished();
    // The next commit is on its way to the disk and readers have their events before the answers take their time.
    setImmediate(() => {
      for (const call of calls) call.answer();
    });
    const count = calls.includes(marker) ? calls.length - 1 : calls.length;
    if (count > 0) telemetry.committed({ frameBytes: length, calls: count, batchBytes: this.#batchBytes });
  }

  #encode(calls: readonly Waiting[], length: number): Buffer {
    if (this.#frame.length < length) this.#frame = Buffer.allocUnsafeSlow(Math.max(length, this.#frame.length * 2));
    const frame = this.#frame.subarray(0, length);
    let at = frameHeaderBytes;
    let entryCount = 0;
    this.#batchBytes = 0;
    for (const call of calls) {
      for (const entry of call.entries) {
        at = writeEntry(frame, at, entry);
        entryCount++;
        if (entry.kind === entryKind.batch) this.#batchBytes += entry.payload.length;
      }
    }
    const { journal, folderId } = this.#options;
    const { generation, position } = journal;
    const commit = ++this.#commit;
    // A frame without entries needs no other to vouch for it.
    this.#saidDurable = entryCount === 0 ? commit : this.#durableUpTo;
    sealFrame(frame, { length, entryCount, generation, commit, position, durableUpTo: this.#durableUpTo, folderId });
    return frame;
  }

  /** False when no journal file can be had because the disk is full. */
  async #roll(): Promise<boolean> {
    const { journal, isDiskFull: isFull } = this.#options;
    await this.syncWritten();
    try {
      if (!(await journal.roll(() => isFull() || this.#isAbandoned))) return false;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#options.onDiskFull();
      return false;
    }
    this.#options.onRoll();
    return true;
  }

  /** Refuses `calls` and all that waits behind them, since its offsets follow on theirs; those are given again. */
  #refuse(calls: readonly Waiting[], reason: 'disk-full' | 'read-only'): void {
    const refused = [...calls, ...this.#queue];
    this.#queue = [];
    this.#queuedBytes = 0;
    if (reason === 'disk-full') this.#options.state.forgetAssigned();
    for (const call of refused) call.refuse(reason);
  }

  /** `os`: what was written is synced within a second. */
  #syncSoon(): void {
    this.#syncTimer ??= this.#options.clock.after(1000, () => {
      this.#syncTimer = undefined;
      this.#sync().catch((error: unknown) => {
        this.abandon();
        this.#options.onFailure(error);
      });
    });
  }

  async #sync(): Promise<void> {
    // Not what is being written now: a sync need not take that along.
    const { commit } = this.#options.state;
    if (this.#options.durability !== 'memory') {
      const startedMs = this.#options.clock.monotonic();
      await this.#options.journal.sync();
      this.#options.telemetry.journalSynced(this.#options.clock.monotonic() - startedMs);
    }
    this.#durableUpTo = Math.max(this.#durableUpTo, commit);
  }
}

/** A call that brings nothing. */
const marker: Waiting = {
  entries: [],
  bytes: 0,
  publish: () => undefined,
  answer: () => undefined,
  refuse: () => undefined,
  fail: () => undefined,
};

/** An append on its way; an object of one shape and no closures, since there is one for each put. */
class WaitingAppend implements Waiting {
  readonly entries: FrameEntry[] = [];
  readonly outcomes: AppendOutcome[] = [];
  bytes = 0;
  resolve: (outcomes: AppendOutcome[]) => void = () => undefined;
  readonly #state: LogState;
  /** By outcome; undefined where nothing was taken. */
  readonly #batches: Array<StoredBatch | undefined> = [];

  constructor(state: LogState) {
    this.#state = state;
  }

  /** Assigns offset and time. */
  take(log: ShardLog, { group, shard, batch, recordCount }: AppendEntry, nowMs: number): void {
    const timeMs = Math.max(log.lastTimeMs, nowMs);
    const baseOffset = log.assigned;
    log.lastTimeMs = timeMs;
    log.assigned += recordCount;
    stampBatch(batch, baseOffset, timeMs);
    this.entries.push({ kind: entryKind.batch, group, shard, payload: batch });
    this.bytes += entryHeaderBytes + batch.length;
    this.#batches.push({ bytes: batch, baseOffset, recordCount, timeMs });
    this.outcomes.push({ kind: 'stored', baseOffset, timeMs });
  }

  reject(reason: RejectReason): void {
    this.#batches.push(undefined);
    this.outcomes.push({ kind: 'rejected', reason });
  }

  publish(): void {
    let entryAt = 0;
    for (let i = 0; i < this.outcomes.length; i++) {
      const batch = this.#batches[i];
      if (batch === undefined) continue;
      const reason = this.#state.publish(this.entries[entryAt++] as FrameEntry, batch);
      if (reason !== undefined) this.outcomes[i] = { kind: 'rejected', reason };
    }
  }

  answer(): void {
    this.resolve(this.outcomes);
  }

  refuse(reason: 'disk-full' | 'read-only'): void {
    this.resolve(this.outcomes.map(() => ({ kind: 'rejected', reason })));
  }

  fail(error: unknown): void {
    this.resolve(this.outcomes.map(() => ({ kind: 'unknown', cause: new OutcomeUnknownError(error) })));
  }
}

function bytesOf(entries: readonly FrameEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryHeaderBytes + entry.payload.length, 0);
}
