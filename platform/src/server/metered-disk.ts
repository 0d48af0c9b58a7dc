import type { Disk, DiskFile } from '../kernel/disk.ts';
import type { FileKind, Meters } from './meters.ts';

/** The same disk; what is handed to it to write, and its open files, are counted. */
export function meteredDisk(disk: Disk, meters: Meters): Disk {
  return {
    async open(path, options) {
      const file = await disk.open(path, options);
      return new MeteredFile(file, kindOf(path), meters);
    },
    readFile: (path) => disk.readFile(path),
    makeFolder: (path) => disk.makeFolder(path),
    list: (path) => disk.list(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    removeFolder: (path) => disk.removeFolder(path),
    syncFolder: (path) => disk.syncFolder(path),
  };
}

function kindOf(path: string): FileKind {
  if (path.startsWith('journal/')) return 'journal';
  if (path.endsWith('.seg')) return 'segment';
  if (path.endsWith('.idx')) return 'index';
  return path.startsWith('checkpoint') ? 'checkpoint' : 'other';
}

/** Hands the promises of the disk on as they are: a commit waits for nothing more. */
class MeteredFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #kind: FileKind;
  readonly #meters: Meters;
  #isOpen = true;

  constructor(file: DiskFile, kind: FileKind, meters: Meters) {
    this.#file = file;
    this.#kind = kind;
    this.#meters = meters;
    meters.openFiles++;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    this.#meters.writtenBytes[this.#kind] += bytes.length;
    return this.#file.write(bytes, position);
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  close(): Promise<void> {
    if (this.#isOpen) this.#meters.openFiles--;
    this.#isOpen = false;
    return this.#file.close();
  }
}
