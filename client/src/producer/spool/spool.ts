import type { Buffer } from 'node:buffer';
import { ClientError, InvalidArgumentError } from '../../errors.ts';
import { SpoolClosedError, SpoolFailedError, SpoolFullError, SpoolLockedError } from './errors.ts';
import { Gatherer } from './gatherer.ts';
import { settingsOf, type Recovered, type SpooledRecord, type SpoolOptions, type SpoolSettings } from './options.ts';
import type { FolderLock, SpoolDisk, SpoolPorts } from './ports.ts';
import { recoverSegments, unsettledOf, type RecoveredSegments } from './recovery.ts';
import { SegmentStore } from './segment-store.ts';
import type { Segment } from './segment.ts';
import { systemPorts } from './system-ports.ts';

export type { Recovered, SpooledRecord, SpoolOptions, SpoolSync } from './options.ts';

const settledDelayMs = 200;

interface SpoolParts {
  readonly settings: SpoolSettings;
  readonly ports: SpoolPorts;
  readonly lock: FolderLock;
  readonly disk: SpoolDisk;
  readonly found: RecoveredSegments;
}

/**
 * Keeps records on disk until they are settled, so that a crash of the process loses none that was accepted: what is not settled is given back
 * after a restart, at least once. It may be given back although it was settled in the last 200 ms before the crash.
 */
export class Spool {
  readonly #settings: SpoolSettings;
  readonly #ports: SpoolPorts;
  readonly #lock: FolderLock;
  readonly #disk: SpoolDisk;
  readonly #found: readonly Segment[];
  readonly #store: SegmentStore;
  readonly #gatherer: Gatherer;
  /** An append was refused for want of room. */
  #wantsRoom = false;
  /** Something has come that the round under way may not see. */
  #hasWork = false;
  #rounds: Promise<void> | undefined;
  #forgetTimer: (() => void) | undefined;
  #failure: SpoolFailedError | undefined;
  #closing: Promise<void> | undefined;

  private constructor({ settings, ports, lock, disk, found }: SpoolParts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#lock = lock;
    this.#disk = disk;
    this.#found = found.segments.filter(({ unsettledCount }) => unsettledCount > 0);
    this.#gatherer = new Gatherer({ ...settings, nextNumber: found.nextNumber });
    this.#store = new SegmentStore(disk, found, {
      ...settings,
      later: (ms, call) => ports.later(ms, call),
      onFailure: (cause) => this.#fail(cause),
    });
  }

  /**
   * Reads all that is in the folder.
   *
   * @throws SpoolLockedError    somebody else has the folder open
   * @throws SpoolVersionError   a later version of this library wrote it
   * @throws SpoolFailedError    it cannot be read, or made
   */
  static async open(options: SpoolOptions, ports: SpoolPorts = systemPorts): Promise<Spool> {
    const settings = settingsOf(options);
    const { folder, onDamage } = settings;
    let lock: FolderLock | undefined;
    try {
      lock = await ports.lock(folder);
      if (lock === undefined) throw new SpoolLockedError(folder);
      const disk = ports.disk(folder);
      const found = await recoverSegments(disk, onDamage);
      return new Spool({ settings, ports, lock, disk, found });
    } catch (error) {
      lock?.release();
      throw error instanceof ClientError ? error : new SpoolFailedError(folder, 'opened', error);
    }
  }

  /** What an earlier process left and is not settled yet, oldest first; copies. Holds one segment at a time in memory. */
  async *recovered(): AsyncIterable<Recovered> {
    for (const segment of this.#found) {
      if (this.#closing !== undefined) throw new SpoolClosedError(this.#settings.folder);
      const bytes = await this.#read(segment);
      if (bytes !== undefined) yield* unsettledOf(segment, bytes);
    }
  }

  /**
   * Keeps a record, of which it takes a copy at once. Appends may overlap: all that come during a write go into the next.
   *
   * @returns  its number, one above that of the append before, and never used again
   * @throws SpoolFullError         retryable: there is room again when more is settled
   * @throws InvalidArgumentError   there never is room for it
   * @throws SpoolFailedError       now and from now on
   * @throws SpoolClosedError       after {@link close}
   */
  append(record: SpooledRecord): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { folder, bytesMax } = this.#settings;
    if (this.#closing !== undefined) return Promise.reject(new SpoolClosedError(folder));
    const batch = this.#gatherer.add(record, this.#store.bytes);
    this.#wake();
    if (batch !== undefined) return new Promise(batch.wait);
    if (this.#gatherer.isTooLong(record)) {
      return Promise.reject(new InvalidArgumentError(`the record is longer than bytesMax of the spool, ${bytesMax}`));
    }
    this.#wantsRoom = true;
    return Promise.reject(new SpoolFullError(folder, bytesMax));
  }

  /** A record needs no keeping any more: one that was recovered, or whose append is done. Nothing happens when it is settled already. */
  settle(number: number): void {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    const store = this.#store;
    if (store.settle(number)) this.#wake();
    else if (this.#forgetTimer === undefined && store.hasPending) {
      this.#forgetTimer = this.#ports.later(settledDelayMs, () => {
        this.#forgetTimer = undefined;
        this.#wake();
      });
    }
  }

  /**
   * Writes and syncs what is left, and gives back the folder; records that are not settled are given back by the next open.
   *
   * @throws SpoolFailedError  the disk failed, now or before; the folder is given back all the same
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#wake();
    await this.#rounds;
    this.#forgetTimer?.();
    try {
      if (this.#failure === undefined) {
        await this.#store.shrink();
        await this.#store.sync();
      }
    } catch (cause) {
      this.#fail(cause);
    }
    try {
      await this.#store.close();
    } catch (cause) {
      this.#fail(cause);
    }
    this.#lock.release();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Undefined: everything in it has been settled, and it is gone. */
  async #read(segment: Segment): Promise<Buffer | undefined> {
    if (segment.unsettledCount === 0) return undefined;
    try {
      return await this.#disk.read(segment.name);
    } catch (cause) {
      if (segment.unsettledCount === 0) return undefined;
      throw new SpoolFailedError(this.#settings.folder, 'read', cause);
    }
  }

  #wake(): void {
    this.#hasWork = true;
    this.#rounds ??= this.#work();
  }

  async #work(): Promise<void> {
    while (this.#hasWork && this.#failure === undefined) {
      // What this turn of the event loop still appends goes along.
      await new Promise((resolve) => setImmediate(resolve));
      this.#hasWork = false;
      try {
        await this.#round();
      } catch (cause) {
        this.#fail(cause);
      }
    }
    this.#rounds = undefined;
  }

  /** Writes what waits. */
  async #round(): Promise<void> {
    this.#forgetTimer?.();
    this.#forgetTimer = undefined;
    const store = this.#store;
    const batches = this.#gatherer.take();
    if (batches.length === 0) await this.#writeSettled();
    for (const batch of batches) {
      const settled = batch === batches.at(-1) ? store.takeSettled(batch.frames) : new Map();
      await store.write(batch.frames, batch);
      store.wroteSettled(settled);
      this.#gatherer.wrote(batch);
    }
    if (batches.length > 0 && this.#settings.sync === 'always') await store.sync();
    this.#gatherer.resolve();
    await this.#tidy();
  }

  async #writeSettled(): Promise<void> {
    const frames = this.#gatherer.takeWriter();
    const settled = this.#store.takeSettled(frames);
    if (settled.size > 0) await this.#store.write(frames);
    this.#store.wroteSettled(settled);
    this.#gatherer.giveWriter(frames);
  }

  async #tidy(): Promise<void> {
    if (this.#wantsRoom) await this.#store.rollSettled();
    this.#wantsRoom = false;
    const frames = this.#gatherer.takeWriter();
    // Each may have been what kept another.
    while (await this.#store.removeNeedless(frames));
    this.#gatherer.giveWriter(frames);
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = new SpoolFailedError(this.#settings.folder, 'written', cause);
    this.#gatherer.reject(this.#failure);
  }
}
