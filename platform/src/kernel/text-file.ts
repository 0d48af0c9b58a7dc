import { readFileSync } from 'node:fs';

/** A file that a person named in a setting. @throws the operating system's error */
export function readTextFile(path: string): string {
  return readFileSync(path, 'utf8');
}
