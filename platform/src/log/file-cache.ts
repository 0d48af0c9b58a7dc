import type { Disk, DiskFile } from '../kernel/disk.ts';

interface Entry {
  readonly file: Promise<DiskFile>;
  users: number;
  isForgotten: boolean;
}

/** Keeps at most `filesMax` segment files open, the most recently used ones; a file in use is never closed. */
export class FileCache {
  readonly #disk: Disk;
  readonly #filesMax: number;
  readonly #entries = new Map<string, Entry>();

  constructor(disk: Disk, filesMax: number) {
    this.#disk = disk;
    this.#filesMax = filesMax;
  }

  /** Runs `use` with the file open. @throws ENOENT when the file is absent and not to be created */
  async with<T>(path: string, options: { create: boolean }, use: (file: DiskFile) => Promise<T>): Promise<T> {
    const entry = this.#entry(path, options);
    entry.users++;
    try {
      return await use(await entry.file);
    } catch (error) {
      // An open that failed must not be remembered.
      await entry.file.catch(() => this.#entries.delete(path));
      throw error;
    } finally {
      entry.users--;
      if (entry.isForgotten && entry.users === 0) await closeQuietly(entry);
      await this.#shrink();
    }
  }

  /** Lets go of a file that is about to be removed. */
  async forget(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#entries.delete(path);
    entry.isForgotten = true;
    if (entry.users === 0) await closeQuietly(entry);
  }

  async close(): Promise<void> {
    for (const path of this.#entries.keys()) await this.forget(path);
  }

  #entry(path: string, options: { create: boolean }): Entry {
    const known = this.#entries.get(path);
    const entry = known ?? { file: this.#disk.open(path, options), users: 0, isForgotten: false };
    // Re-inserting moves it to the young end of the map's order.
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    return entry;
  }

  async #shrink(): Promise<void> {
    if (this.#entries.size <= this.#filesMax) return;
    for (const [path, entry] of this.#entries) {
      if (entry.users > 0) continue;
      await this.forget(path);
      if (this.#entries.size <= this.#filesMax) return;
    }
  }
}

async function closeQuietly(entry: Entry): Promise<void> {
  const file = await entry.file.catch(() => undefined);
  await file?.close();
}
