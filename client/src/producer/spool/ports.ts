import type { Timing } from '../../timing.ts';

/** What the spool needs of the machine, so that recovery is tested against disks that tear, fail and lose. */
export interface SpoolPorts {
  disk(folder: string): SpoolDisk;
  /** Makes the folder when it is not there, and holds it until released; undefined when somebody else does. */
  lock(folder: string): Promise<FolderLock | undefined>;
  /** Timers that do not keep the process alive. */
  readonly later: Timing['later'];
}

export interface FolderLock {
  release(): void;
}

/** The files of one folder. */
export interface SpoolDisk {
  /** Names in the folder, in no order. */
  list(): Promise<string[]>;
  /** The whole file. */
  read(name: string): Promise<Buffer>;
  /** Makes a file that is not there yet. */
  create(name: string): Promise<SpoolFile>;
  /** Cuts a file off; durable when resolved. */
  cut(name: string, bytes: number): Promise<void>;
  /** Nothing happens when there is none. */
  remove(name: string): Promise<void>;
  /** Makes the names in the folder durable. */
  sync(): Promise<void>;
}

export interface SpoolFile {
  /** Writes all of `bytes` at `position`; they are borrowed until resolved. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes what was written before durable (`fdatasync`). After a failure nothing is known of it. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
