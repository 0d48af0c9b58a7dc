import { BufferPool } from '../kernel/buffer-pool.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { isDiskFull, type Disk } from '../kernel/disk.ts';
import type { Logger } from '../kernel/logger.ts';
import type { LogTelemetry } from '../kernel/telemetry.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { flushTails, type FlushOptions } from './flush.ts';
import type { FileWork, LogState } from './log-state.ts';

const reservePath = 'reserve';
const retryAfterMs = 500;

export interface MaintenanceOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: LogTelemetry;
  readonly folderId: number;
  readonly flush: FlushOptions;
  /** Disk kept back, so that a checkpoint can be written when everything else is full; 0 for none. */
  readonly reserveBytes: number;
  /** Told of an error after which nothing may be acknowledged any more. */
  readonly onFailure: (error: unknown) => void;
  /** Generation of the journal file in which the next commit will be. */
  readonly generation: () => number;
  /** Told when a checkpoint is durable: journal files of earlier generations are free. */
  readonly onCheckpoint: (generation: number) => Promise<void>;
  /** Makes durable what the journal holds of published commits. */
  readonly syncJournal: () => Promise<void>;
  /** Told when the disk is found full. */
  readonly onDiskFull: () => void;
}

/**
 * The background work of the log: flush, checkpoint, removal of files. One thing at a time, in the order asked for.
 *
 * On a full disk the reserve is given back, so that what is in memory can be flushed and checkpointed; the state stays
 * `isDiskFull`, in which the log takes no records, until the reserve could be made again.
 */
export class Maintenance {
  isDiskFull = false;
  readonly #state: LogState;
  readonly #options: MaintenanceOptions;
  readonly #buffers: BufferPool;
  #last: Promise<void> = Promise.resolve();
  #queuedFlush: Promise<void> | undefined;
  #isCheckpointWanted = false;
  #hasReserve = false;
  #isStopped = false;
  #retry: Timer | undefined;

  constructor(state: LogState, options: MaintenanceOptions) {
    this.#state = state;
    this.#options = options;
    this.#buffers = new BufferPool({ bufferBytes: options.flush.chunkBytes, countMax: 1 });
  }

  /** Whether a checkpoint was asked for and could not be written yet. */
  get isCheckpointDue(): boolean {
    return this.#isCheckpointWanted;
  }

  /** Moves what is in memory to the segments and syncs them. Calls that wait behind one another are one. */
  flush(): Promise<void> {
    this.#queuedFlush ??= this.run(async () => {
      this.#queuedFlush = undefined;
      await this.#withReserve(() => this.#flushAndSync());
    });
    return this.#queuedFlush;
  }

  /**
   * Flushes and writes a checkpoint, after which the journal so far is not needed. On a full disk it may resolve without one:
   * {@link Maintenance.isCheckpointDue} then, until there is room.
   */
  checkpoint(): Promise<void> {
    if (this.#isCheckpointWanted) return this.#last;
    this.#isCheckpointWanted = true;
    return this.run(() => this.#withReserve(() => this.#checkpoint()));
  }

  /** Runs `work` after what was asked for before. Never rejects: a failure goes to `onFailure`, a full disk is tried again. */
  run(work: FileWork): Promise<void> {
    this.#last = this.#last.then(async () => {
      if (this.#isStopped) return;
      try {
        await work();
      } catch (error) {
        if (isDiskFull(error)) this.becomeFull();
        else this.#options.onFailure(error);
      }
    });
    return this.#last;
  }

  /** Waits for the work under way and does no more. */
  async stop(): Promise<void> {
    this.#retry?.cancel();
    await this.#last;
    this.#isStopped = true;
  }

  /** Does no more, without waiting: the log has failed. */
  abandon(): void {
    this.#isStopped = true;
    this.#retry?.cancel();
  }

  async #flushAndSync(): Promise<void> {
    if (!this.isDiskFull) await this.#makeReserve();
    await this.#flushTails();
  }

  /** What is flushed is chosen before the first `await`. */
  async #flushTails(): Promise<void> {
    // Also those that are dropped meanwhile: a checkpoint under way names their files, which are removed after it.
    const groups = [...this.#state.groups.values()];
    const { clock, telemetry } = this.#options;
    const startedMs = clock.monotonic();
    await flushTails(this.#state, { ...this.#options.flush, buffers: this.#buffers });
    for (const group of groups) await group.segments.sync();
    telemetry.flushed(clock.monotonic() - startedMs);
  }

  async #checkpoint(): Promise<void> {
    if (!this.isDiskFull) await this.#makeReserve();
    this.#isCheckpointWanted = false;
    const { clock, telemetry } = this.#options;
    const startedMs = clock.monotonic();
    try {
      // Captured in one synchronous step, so that all of it is of the same commit; the segments too, lest they hold records that
      // the checkpoint does not know: were the journal to lose those, others would get their offsets.
      const { commit } = this.#state;
      const generation = this.#options.generation();
      const groups = this.#state.capture();
      const snapshot = this.#state.machine.snapshot();
      await this.#flushTails();
      // A group that was dropped meanwhile has not been flushed: the command has to outlive its records.
      await this.#options.syncJournal();
      await writeCheckpoint(this.#options.disk, {
        folderId: this.#options.folderId,
        commit,
        generation,
        groups: groups.map(({ group, ...rest }) => ({ ...rest, ...group.segments.state() })),
        snapshot,
      });
      telemetry.checkpointed(clock.monotonic() - startedMs);
      await this.#options.onCheckpoint(generation);
    } catch (error) {
      this.#isCheckpointWanted = true;
      throw error;
    }
  }

  /** Made before the first flush, so that a server that holds little takes little. */
  async #makeReserve(): Promise<void> {
    const { disk, reserveBytes } = this.#options;
    if (this.#hasReserve || reserveBytes === 0) return;
    const file = await disk.open(reservePath, { create: true });
    try {
      const zeros = Buffer.alloc(1024 * 1024);
      for (let at = await file.size(); at < reserveBytes; at += zeros.length) {
        await file.write(zeros.subarray(0, reserveBytes - at), at);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    this.#hasReserve = true;
  }

  async #withReserve(work: FileWork): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.becomeFull();
      this.#hasReserve = false;
      await this.#options.disk.remove(reservePath);
      await work();
    }
  }

  /** Takes no records until the reserve could be made again. */
  becomeFull(): void {
    if (!this.isDiskFull) {
      this.isDiskFull = true;
      this.#options.logger.error({}, 'the disk of the data folder is full: records are refused until there is room');
      this.#options.onDiskFull();
    }
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry?.cancel();
    if (this.#isStopped) return;
    this.#retry = this.#options.clock.after(retryAfterMs, () => {
      void this.run(() => this.#tryAgain());
    });
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.#flushAndSync();
      await this.#makeReserve();
    } catch (error) {
      this.#hasReserve = false;
      await this.#options.disk.remove(reservePath);
      throw error;
    }
    this.isDiskFull = false;
    if (this.#isCheckpointWanted) await this.#checkpoint();
    this.#options.logger.info({}, 'the disk of the data folder has room again: records are taken');
  }
}
