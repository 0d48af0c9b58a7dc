import { writeSync } from 'node:fs';

const cell = new Int32Array(new SharedArrayBuffer(4));
const lookAgainMs = 1;

/**
 * Writes a line to standard output; on return the kernel has it, so that whoever reads it has it also after a kill -9 of this process. What
 * `process.stdout` writes waits in this process once the reader is some 280 lines behind, and dies with it. Stands still until there is room.
 */
export function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      // Any library that looks at `process.stdout` makes the descriptor non-blocking.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(cell, 0, 0, lookAgainMs);
    }
  }
}
