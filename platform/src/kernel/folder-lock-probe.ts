import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Whether a process holds the folder by `lockFolder`. Writes nothing, and keeps no lock: the look takes a shared one for some
 * microseconds. Undefined when it cannot be told.
 */
export function isFolderLocked(path: string): boolean | undefined {
  const file = join(path, 'lock');
  if (!existsSync(file)) return false;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (error) {
    return (error as { errcode?: number }).errcode === 5 ? true : undefined;
  } finally {
    database?.close();
  }
}
