/**
 * The disk comes in through this port, so that recovery is tested against one that tears, reorders and loses writes.
 * Paths are relative to the folder the disk was opened on, with `/` between their parts.
 */
export interface Disk {
  /** Opens a file for reading and writing; with `create` an absent file is made (mode 0600). */
  open(path: string, options: { create: boolean }): Promise<DiskFile>;
  /** The whole file, or undefined when there is none. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Makes a folder (mode 0700) and those above it; nothing happens when it exists. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** Replaces `to` in one step. Durable after {@link Disk.syncFolder} of the folder of `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; nothing happens when there is none. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all in it; nothing happens when there is none. */
  removeFolder(path: string): Promise<void>;
  /** Makes the names in a folder (created, renamed, removed) durable. */
  syncFolder(path: string): Promise<void>;
}

export interface DiskFile {
  /** Writes all of `bytes` at `position`; not durable before {@link DiskFile.sync}. `bytes` is borrowed until resolved. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position`; resolves with the count of bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Makes everything written so far durable (`fdatasync`). After a failure nothing is known of what was written. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Length in bytes. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** The operating system's name of a disk error (`ENOSPC`, `EIO`), where it gave one. */
export function diskErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the disk refused for want of room; unlike other write errors this one passes. */
export function isDiskFull(error: unknown): boolean {
  const code = diskErrorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
