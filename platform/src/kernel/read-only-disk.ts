import fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk, DiskFile } from './disk.ts';
import { systemDisk } from './system-disk.ts';

/** The file system below `root`, opened for reading only: also for a folder that belongs to another user or a disk mounted read-only. */
export function readOnlyDisk(root: string): Disk {
  const disk = systemDisk(root);
  return {
    readFile: (path) => disk.readFile(path),
    list: (path) => disk.list(path),
    open: async (path) => new ReadOnlyFile(await fs.open(join(root, path), 'r')),
    makeFolder: refuse,
    rename: refuse,
    remove: refuse,
    removeFolder: refuse,
    syncFolder: refuse,
  };
}

class ReadOnlyFile implements DiskFile {
  readonly #handle: fs.FileHandle;
  readonly write: DiskFile['write'] = refuse;
  readonly sync: DiskFile['sync'] = refuse;
  readonly truncate: DiskFile['truncate'] = refuse;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let from = 0;
    while (from < into.length) {
      const { bytesRead } = await this.#handle.read(into, from, into.length - from, position + from);
      if (bytesRead === 0) break;
      from += bytesRead;
    }
    return from;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function refuse(): Promise<never> {
  return Promise.reject(Object.assign(new Error('this disk is opened for reading only'), { code: 'EROFS' }));
}
