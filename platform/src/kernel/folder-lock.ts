import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Holds a folder for this process until released: a file lock of the operating system, which ends with the process however it ends,
 * and which other containers that mount the folder see, too. Node has no call for it; SQLite's exclusive lock is one.
 * Makes the folder (mode 0700) when it is not there.
 *
 * @returns undefined when another process, or another server of this process, holds it
 */
export function lockFolder(path: string): { release(): void } | undefined {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  const database = new DatabaseSync(join(path, 'lock'));
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined;
    throw error;
  }
  chmodSync(join(path, 'lock'), 0o600);
  return { release: () => database.close() };
}
