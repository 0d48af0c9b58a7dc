import { InvalidArgumentError } from '../../errors.ts';

export interface SpooledRecord {
  readonly partitionKey: string;
  readonly explicitHashKey?: string | undefined;
  readonly data: Uint8Array;
}

/**
 * When an append is done: `always`, on disk (`fdatasync`, one for all that wait); `interval`, written, and on disk within 100 ms or so; `never`,
 * written, and on disk when the operating system likes. Written is enough to survive the end of the process, but not that of the machine.
 */
export type SpoolSync = 'always' | 'interval' | 'never';

export interface SpoolOptions {
  /** Made if absent. One spool at a time. */
  readonly folder: string;
  /** Default `always`. */
  readonly sync?: SpoolSync | undefined;
  /** On disk; default 1 GiB. What says that records are settled is written even beyond it. */
  readonly bytesMax?: number | undefined;
  /** Default 16 MiB, at most 1 GiB; opening takes about as much memory. A record that is longer has a segment of its own. */
  readonly segmentBytesMax?: number | undefined;
  /** Told of what could not be read at the open, and is lost: for a log. After a crash, the write that it interrupted may be among it. */
  readonly onDamage?: ((text: string) => void) | undefined;
}

export interface SpoolSettings {
  readonly folder: string;
  readonly sync: SpoolSync;
  readonly bytesMax: number;
  readonly segmentBytesMax: number;
  readonly onDamage: (text: string) => void;
}

export interface Recovered {
  readonly number: number;
  readonly record: SpooledRecord;
}

const segmentBytesLimit = 2 ** 30;

/** @throws InvalidArgumentError */
export function settingsOf(options: SpoolOptions): SpoolSettings {
  const { folder, sync = 'always', bytesMax = 2 ** 30, segmentBytesMax = 2 ** 24, onDamage } = options;
  if (folder === '') throw new InvalidArgumentError('the spool needs a folder');
  if (!(['always', 'interval', 'never'] satisfies SpoolSync[]).includes(sync)) {
    throw new InvalidArgumentError(`the spool cannot sync ${JSON.stringify(sync)}`);
  }
  if (!Number.isSafeInteger(bytesMax) || bytesMax < 1) {
    throw new InvalidArgumentError('bytesMax of the spool must be a positive integer');
  }
  if (!Number.isSafeInteger(segmentBytesMax) || segmentBytesMax < 1 || segmentBytesMax > segmentBytesLimit) {
    throw new InvalidArgumentError(`segmentBytesMax of the spool must be an integer from 1 to ${segmentBytesLimit}`);
  }
  return { folder, sync, bytesMax, segmentBytesMax, onDamage: onDamage ?? (() => undefined) };
}
