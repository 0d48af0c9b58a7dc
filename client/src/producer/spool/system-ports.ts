import fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { systemTiming } from '../../timing.ts';
import type { FolderLock, SpoolDisk, SpoolFile, SpoolPorts } from './ports.ts';

const fdatasync = promisify(fs.fdatasync);
const close = promisify(fs.close);

export const systemPorts: SpoolPorts = {
  disk: systemDisk,
  lock: lockFolder,
  later: (ms, call) => systemTiming.later(ms, call),
};

function systemDisk(folder: string): SpoolDisk {
  const at = (name: string): string => join(folder, name);
  return {
    list: () => fs.promises.readdir(folder),
    read: (name) => fs.promises.readFile(at(name)),
    create: async (name) => new SystemFile(await promisify(fs.open)(at(name), 'wx', 0o600)),
    async cut(name, bytes) {
      const file = await fs.promises.open(at(name), 'r+');
      try {
        await file.truncate(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    },
    remove: (name) => fs.promises.rm(at(name), { force: true }),
    sync: () => syncFolder(folder),
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await fs.promises.open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Its name is durable when resolved. */
async function makeFolder(path: string): Promise<void> {
  const first = await fs.promises.mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** Callback calls on a bare descriptor: half the cost of a `FileHandle`. */
class SystemFile implements SpoolFile {
  readonly #fd: number;

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

  sync(): Promise<void> {
    return fdatasync(this.#fd);
  }

  close(): Promise<void> {
    return close(this.#fd);
  }
}

/**
 * A file lock of the operating system, which ends with the process however it ends. Node has no call for it; SQLite's exclusive lock is one.
 * SQLite is loaded only here, so that it costs nothing where there is no spool.
 */
async function lockFolder(path: string): Promise<FolderLock | undefined> {
  const folder = resolve(path);
  await makeFolder(folder);
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(folder, 'lock'));
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
