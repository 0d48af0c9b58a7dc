import { assert } from '../kernel/assert.ts';
import { isDiskFull, type Disk, type DiskFile } from '../kernel/disk.ts';
import type { Logger } from '../kernel/logger.ts';
import { alignFrame } from './frame.ts';

export const journalFolder = 'journal';

export interface JournalOptions {
  /** Length of a journal file; the largest frame must fit. */
  readonly fileBytes: number;
  /** Length of the file made at the very first start, small so that the start is quick. */
  readonly firstFileBytes: number;
  /** Files that may exist at once; when all wait for a checkpoint, commits wait too. */
  readonly filesMax: number;
  /** Whether new files are filled with zeros and synced, so that later syncs have no metadata to write. */
  readonly preallocate: boolean;
}

interface JournalFile {
  readonly name: string;
  readonly file: DiskFile;
  readonly bytes: number;
  generation: number;
}

/**
 * The journal's files: one being written, older ones that wait for a checkpoint, spare ones to go on with.
 * Overwriting and syncing a file that was filled before is several times faster than growing one, so files are recycled.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #options: JournalOptions;
  readonly #logger: Logger;
  readonly #spare: JournalFile[] = [];
  readonly #retired: JournalFile[] = [];
  #active: JournalFile | undefined;
  #position = 0;
  #generation: number;
  #lastName: number;
  #preparing: Promise<void> | undefined;
  /** Why the last try to make a file failed; it is not tried again before something has changed. */
  #prepareError: unknown;
  #onSpare: (() => void) | undefined;

  private constructor(
    disk: Disk,
    options: JournalOptions,
    logger: Logger,
    start: { generation: number; lastName: number },
  ) {
    this.#disk = disk;
    this.#options = options;
    this.#logger = logger;
    this.#generation = start.generation;
    this.#lastName = start.lastName;
  }

  /**
   * Opens for writing after recovery, when nothing in the existing files is needed any more: they become spare.
   * With `isNeeded` they are kept until the next checkpoint, because recovery found no room to write one; they are synced, since
   * what they say is served. On a full disk there may be no file to write yet: the first commit then rolls.
   *
   * @param start.generation   higher than that of every frame ever written here
   */
  static async open(
    disk: Disk,
    options: JournalOptions,
    logger: Logger,
    start: { generation: number; isNeeded: boolean },
  ): Promise<Journal> {
    await disk.makeFolder(journalFolder);
    await disk.syncFolder('.');
    const names = (await disk.list(journalFolder)).filter((name) => name.endsWith('.log'));
    const lastName = Math.max(0, ...names.map((name) => Number.parseInt(name, 10)));
    const journal = new Journal(disk, options, logger, { generation: start.generation - 1, lastName });
    for (const name of names) await journal.#adopt(name, start.isNeeded);
    // A file may have been made by a run that ended before it had synced the name.
    await disk.syncFolder(journalFolder);
    if (start.isNeeded) return journal;
    try {
      if (journal.#spare.length === 0) await journal.#prepare(options.firstFileBytes);
      journal.#takeSpare();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
    return journal;
  }

  /** Generation of the file being written; the next frame goes there or to a later one. */
  get generation(): number {
    return this.#generation;
  }

  /** Where in the file the next frame goes. */
  get position(): number {
    return this.#position;
  }

  /** Whether a frame of `bytes` fits into the file being written. */
  hasRoom(bytes: number): boolean {
    return this.#active !== undefined && this.#position + alignFrame(bytes) <= this.#active.bytes;
  }

  /**
   * Goes on in the next file; waits until one is spare. False when `giveUp` said so at a wake-up.
   *
   * @throws what the disk said when no file can be made and none waits for a checkpoint
   */
  async roll(giveUp: () => boolean): Promise<boolean> {
    this.#prepareError = undefined;
    while (this.#spare.length === 0) {
      if (giveUp()) return false;
      this.prepareSpare();
      if (this.#preparing === undefined && this.#retired.length === 0 && this.#prepareError !== undefined) {
        throw this.#prepareError;
      }
      await new Promise<void>((resolve) => {
        this.#onSpare = resolve;
      });
    }
    this.#takeSpare();
    return true;
  }

  /** Lets a waiting {@link Journal.roll} look again. */
  wake(): void {
    this.#onSpare?.();
    this.#onSpare = undefined;
  }

  /** Writes a frame at {@link Journal.position}; not durable before {@link Journal.sync}. */
  async write(frame: Buffer): Promise<void> {
    assert(this.hasRoom(frame.length), 'a frame fits into its journal file');
    await this.#file().file.write(frame, this.#position);
    this.#position += alignFrame(frame.length);
  }

  sync(): Promise<void> {
    return this.#file().file.sync();
  }

  /** Takes back the files of generations before `generation`: a synced checkpoint holds all they said. */
  async recycle(generation: number): Promise<void> {
    for (let i = this.#retired.length - 1; i >= 0; i--) {
      const old = this.#retired[i] as JournalFile;
      if (old.generation >= generation) continue;
      this.#retired.splice(i, 1);
      if (old.bytes === this.#options.fileBytes) this.#spare.push(old);
      else {
        await old.file.close();
        await this.#disk.remove(`${journalFolder}/${old.name}`);
      }
    }
    this.#prepareError = undefined;
    this.wake();
  }

  /** Makes the next file in the background, so that a roll need not wait for it. */
  prepareSpare(): void {
    const count = this.#spare.length + this.#retired.length + 1;
    if (this.#preparing !== undefined || this.#prepareError !== undefined) return;
    if (this.#spare.length > 0 || count >= this.#options.filesMax) return;
    this.#preparing = this.#prepare(this.#options.fileBytes)
      .catch((error: unknown) => {
        // Not fatal: a roll then waits for a checkpoint to give back an old file.
        this.#prepareError = error;
        this.#logger.warn({ error: String(error) }, 'could not prepare a journal file');
      })
      .finally(() => {
        this.#preparing = undefined;
        this.wake();
      });
  }

  async close(): Promise<void> {
    await this.#preparing;
    for (const each of [...this.#spare, ...this.#retired, this.#active]) await each?.file.close();
  }

  #file(): JournalFile {
    assert(this.#active !== undefined, 'the journal has a file to write');
    return this.#active;
  }

  async #adopt(name: string, isNeeded: boolean): Promise<void> {
    const file = await this.#disk.open(`${journalFolder}/${name}`, { create: false });
    const bytes = await file.size();
    if (isNeeded) {
      await file.sync();
      this.#retired.push({ name, file, bytes, generation: 0 });
      return;
    }
    if (bytes === this.#options.fileBytes) {
      this.#spare.push({ name, file, bytes, generation: 0 });
      return;
    }
    await file.close();
    await this.#disk.remove(`${journalFolder}/${name}`);
  }

  #takeSpare(): void {
    const next = this.#spare.shift();
    assert(next !== undefined, 'a spare journal file is there');
    if (this.#active !== undefined) this.#retired.push(this.#active);
    this.#generation++;
    next.generation = this.#generation;
    this.#active = next;
    this.#position = 0;
  }

  async #prepare(bytes: number): Promise<void> {
    const name = `${String(++this.#lastName).padStart(8, '0')}.log`;
    const path = `${journalFolder}/${name}`;
    const file = await this.#disk.open(path, { create: true });
    try {
      if (this.#options.preallocate) {
        const zeros = Buffer.alloc(Math.min(bytes, 1024 * 1024));
        for (let at = 0; at < bytes; at += zeros.length) await file.write(zeros.subarray(0, bytes - at), at);
        await file.sync();
      }
      await this.#disk.syncFolder(journalFolder);
    } catch (error) {
      await file.close();
      await this.#disk.remove(path);
      throw error;
    }
    this.#spare.push({ name, file, bytes, generation: 0 });
  }
}
