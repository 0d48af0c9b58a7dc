import type { Writable } from 'node:stream';

/** Writes one chunk after the other, each when the stream has room for it; ends early when the peer has left. */
export async function writeChunks(
  stream: Writable,
  chunks: readonly Buffer[],
  transfer: { progress: number; readonly isGone: boolean },
): Promise<void> {
  for (const chunk of chunks) {
    if (transfer.isGone) return;
    if (!stream.write(chunk)) await drained(stream);
    transfer.progress += chunk.length;
  }
}

/** Ready when the stream has room again, or the peer has left. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go);
      stream.off('close', go);
      resolve();
    };
    stream.on('drain', go);
    stream.on('close', go);
  });
}
