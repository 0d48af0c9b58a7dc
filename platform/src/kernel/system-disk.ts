import fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { diskErrorCode, type Disk, type DiskFile } from './disk.ts';

const fdatasync = promisify(fs.fdatasync);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);
const close = promisify(fs.close);

/** The operating system's file system below `root`. */
export function systemDisk(root: string): Disk {
  const at = (path: string): string => join(root, path);
  return {
    async open(path, options) {
      const flags = fs.constants.O_RDWR | (options.create ? fs.constants.O_CREAT : 0);
      const fd = await promisify(fs.open)(at(path), flags, 0o600);
      return new SystemFile(fd);
    },
    async readFile(path) {
      try {
        return await fs.promises.readFile(at(path));
      } catch (error) {
        if (diskErrorCode(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    async makeFolder(path) {
      await fs.promises.mkdir(at(path), { recursive: true, mode: 0o700 });
    },
    async list(path) {
      try {
        return (await fs.promises.readdir(at(path))).sort();
      } catch (error) {
        if (diskErrorCode(error) === 'ENOENT') return [];
        throw error;
      }
    },
    async rename(from, to) {
      await fs.promises.rename(at(from), at(to));
    },
    async remove(path) {
      await fs.promises.rm(at(path), { force: true });
    },
    async removeFolder(path) {
      await fs.promises.rm(at(path), { recursive: true, force: true });
    },
    async syncFolder(path) {
      const folder = await fs.promises.open(at(path), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },
  };
}

/** Callback calls on a bare descriptor: half the cost of a `FileHandle` on the commit path. */
class SystemFile implements DiskFile {
  readonly #fd: number;
  #isOpen = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (from: number): void => {
        fs.write(this.#fd, bytes, from, bytes.length - from, position + from, (error, written) => {
          if (error) reject(error);
          else if (from + written === bytes.length) resolve();
          else step(from + written);
        });
      };
      step(0);
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const step = (from: number): void => {
        fs.read(this.#fd, into, from, into.length - from, position + from, (error, count) => {
          if (error) reject(error);
          else if (count === 0 || from + count === into.length) resolve(from + count);
          else step(from + count);
        });
      };
      step(0);
    });
  }

  sync(): Promise<void> {
    return fdatasync(this.#fd);
  }

  truncate(length: number): Promise<void> {
    return ftruncate(this.#fd, length);
  }

  async size(): Promise<number> {
    return (await fstat(this.#fd)).size;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await close(this.#fd);
  }
}
