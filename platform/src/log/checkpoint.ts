import type { Disk } from '../kernel/disk.ts';
import { crc32c } from './crc32c.ts';
import { DataFolderError } from './errors.ts';
import type { SegmentState } from './segments.ts';

/*
 * The checkpoint file, big-endian: u32 magic 'MRCP' | u32 CRC-32C of what follows | u32 format version | u32 bytes of JSON
 * | JSON (CheckpointState without the snapshot) | catalog snapshot
 *
 * It is written beside the old one, synced, and put in its place by a rename whose folder is synced.
 * Only then may journal files of generations before `generation` be overwritten.
 */
export const formatVersion = 1;
const magic = 0x4d524350;
const headerBytes = 16;
const path = 'checkpoint';
const newPath = 'checkpoint.new';

export interface GroupState {
  readonly id: number;
  readonly trimMs: number;
  readonly nextNumber: number;
  readonly segments: readonly SegmentState[];
  /** Shard, end offset, last arrival time, closed (1) or not (0). */
  readonly shards: ReadonlyArray<readonly [number, number, number, number]>;
}

export interface CheckpointState {
  /** Random number that every frame and block of this data folder carries. */
  readonly folderId: number;
  /** Commits up to here are in the segments and the snapshot. */
  readonly commit: number;
  /** Journal files of this generation and later hold what came after. */
  readonly generation: number;
  readonly groups: readonly GroupState[];
  readonly snapshot: Uint8Array;
}

export async function writeCheckpoint(disk: Disk, state: CheckpointState): Promise<void> {
  const { snapshot, ...rest } = state;
  const json = Buffer.from(JSON.stringify(rest));
  const bytes = Buffer.concat([Buffer.alloc(headerBytes), json, snapshot]);
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(formatVersion, 8);
  bytes.writeUInt32BE(json.length, 12);
  bytes.writeUInt32BE(crc32c(bytes.subarray(8)), 4);
  const file = await disk.open(newPath, { create: true });
  try {
    await file.truncate(bytes.length);
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(newPath, path);
  await disk.syncFolder('.');
}

/**
 * Undefined in a new data folder.
 *
 * @throws DataFolderError   damaged, or written by a newer version
 */
export async function readCheckpoint(disk: Disk): Promise<CheckpointState | undefined> {
  const bytes = await disk.readFile(path);
  if (bytes === undefined) return undefined;
  if (bytes.length < headerBytes || bytes.readUInt32BE(0) !== magic) {
    throw new DataFolderError(`"${path}" in the data folder is not a Millrace checkpoint; restore it from a backup`);
  }
  const version = bytes.readUInt32BE(8);
  if (version > formatVersion) {
    throw new DataFolderError(
      `the data folder has format ${version}, this version of Millrace reads up to ${formatVersion}; start the newer version that wrote it`,
    );
  }
  if (crc32c(bytes.subarray(8)) !== bytes.readUInt32BE(4)) {
    throw new DataFolderError(
      `"${path}" in the data folder is damaged (its checksum is wrong); restore it from a backup`,
    );
  }
  const jsonEnd = headerBytes + bytes.readUInt32BE(12);
  const rest = JSON.parse(bytes.toString('utf8', headerBytes, jsonEnd)) as Omit<CheckpointState, 'snapshot'>;
  return { ...rest, snapshot: bytes.subarray(jsonEnd) };
}
