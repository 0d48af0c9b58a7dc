import type { Durability } from './engine.ts';
import type { FlushOptions } from './flush.ts';
import type { JournalOptions } from './journal.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Every bound of the embedded engine. */
export interface EmbeddedLimits extends JournalOptions, FlushOptions {
  readonly commitBytesMax: number;
  readonly pendingBytesMax: number;
  /** Memory is moved to the segments when it holds this much. */
  readonly flushBytes: number;
  readonly tailBytesMax: number;
  readonly segmentBytesMax: number;
  /** Segment files open at one time. */
  readonly openFilesMax: number;
  /** Blocks and shard ends in the indexes of finished segments kept in memory, about 150 bytes each. */
  readonly indexEntriesMax: number;
  readonly reserveBytes: number;
}

export function embeddedLimits(durability: Durability): EmbeddedLimits {
  const isOnDisk = durability !== 'memory';
  return {
    fileBytes: 32 * MiB,
    firstFileBytes: 4 * MiB,
    filesMax: 4,
    preallocate: isOnDisk,
    commitBytesMax: 8 * MiB,
    pendingBytesMax: 64 * MiB,
    flushBytes: 8 * MiB,
    tailBytesMax: 32 * MiB,
    blockBytes: 256 * KiB,
    chunkBytes: 2 * MiB,
    segmentBytesMax: 64 * MiB,
    openFilesMax: 512,
    indexEntriesMax: 200_000,
    reserveBytes: isOnDisk ? 48 * MiB : 0,
  };
}
