import { writeSync } from 'node:fs';

/**
 * Writes a line to standard output; on return the kernel has it, so that whoever reads it has it also after a kill -9 of this process. What
 * `process.stdout` writes waits in this process once the reader is some 280 lines behind, and dies with it. Not to be mixed with `process.stdout`, which
 * makes the descriptor non-blocking.
 */
export function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
}
