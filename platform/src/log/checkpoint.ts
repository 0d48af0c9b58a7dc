import type { Disk } from '../kernel/disk.ts';
import { crc32c } from './crc32c.ts';
import { DataFolderError } from './errors.ts';
import type { SegmentState } from './segments.ts';

/*
 * The checkpoint file holds two copies of the same, one behind the other, so that a damaged place costs nothing. A copy, big-endian:
 *
 *  0 u32 magic 'MRCP'   4 u32 CRC-32C of bytes 8…end   8 u32 format version   12 u32 bytes of JSON   16 JSON, then the catalog snapshot
 *
 * JSON: CheckpointState without the snapshot. The second copy begins at half the length of the file. Format 1 had one copy.
 *
 * It is written beside the old one, synced, and put in its place by a rename whose folder is synced.
 * Only then may journal files of generations before `generation` be overwritten.
 */
export const formatVersion = 2;
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
  const copy = encodeCopy(state);
  const file = await disk.open(newPath, { create: true });
  try {
    await file.truncate(copy.length * 2);
    await file.write(copy, 0);
    await file.write(copy, copy.length);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(newPath, path);
  await disk.syncFolder('.');
}

function encodeCopy({ snapshot, ...rest }: CheckpointState): Buffer {
  const json = Buffer.from(JSON.stringify(rest));
  const bytes = Buffer.concat([Buffer.alloc(headerBytes), json, snapshot]);
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(formatVersion, 8);
  bytes.writeUInt32BE(json.length, 12);
  bytes.writeUInt32BE(crc32c(bytes.subarray(8)), 4);
  return bytes;
}

export interface CheckpointFile {
  readonly version: number;
  /** In their order in the file; `state` is undefined where a copy is damaged. */
  readonly copies: ReadonlyArray<{ readonly position: number; readonly state: CheckpointState | undefined }>;
}

/**
 * Reads all copies. Version and copies are told by what is sound; when nothing is, by what the file begins with.
 *
 * @throws DataFolderError   written by a newer version, or no checkpoint at all
 */
export function decodeCheckpoint(bytes: Buffer): CheckpointFile {
  const half = bytes.length / 2;
  const two = Number.isInteger(half) ? [0, half].map((position) => readCopy(bytes, position, position + half)) : [];
  if (two.some((copy) => copy.version === formatVersion && copy.state !== undefined)) {
    return { version: formatVersion, copies: two };
  }
  const one = readCopy(bytes, 0, bytes.length);
  if (one.version === 1 && one.state !== undefined) return { version: 1, copies: [one] };
  const known = [...two, one].find((copy) => copy.hasMagic);
  if (known === undefined) {
    throw new DataFolderError(`"${path}" in the data folder is not a Millrace checkpoint; restore it from a backup`);
  }
  if (known.version > formatVersion) {
    throw new DataFolderError(
      `the data folder has format ${known.version}, this version of Millrace reads up to ${formatVersion}; start the newer version that wrote it`,
    );
  }
  return { version: known.version, copies: known.version === 1 ? [one] : two };
}

function readCopy(
  bytes: Buffer,
  position: number,
  end: number,
): { position: number; hasMagic: boolean; version: number; state: CheckpointState | undefined } {
  const copy = bytes.subarray(position, end);
  if (copy.length < headerBytes || copy.readUInt32BE(0) !== magic) {
    return { position, hasMagic: false, version: 0, state: undefined };
  }
  const version = copy.readUInt32BE(8);
  if (version > formatVersion || crc32c(copy.subarray(8)) !== copy.readUInt32BE(4)) {
    return { position, hasMagic: true, version, state: undefined };
  }
  const jsonEnd = headerBytes + copy.readUInt32BE(12);
  const rest = JSON.parse(copy.toString('utf8', headerBytes, jsonEnd)) as Omit<CheckpointState, 'snapshot'>;
  return { position, hasMagic: true, version, state: { ...rest, snapshot: copy.subarray(jsonEnd) } };
}

/**
 * Undefined in a new data folder. One damaged copy is reported and costs nothing.
 *
 * @throws DataFolderError   damaged beyond use, or written by a newer version
 */
export async function readCheckpoint(
  disk: Disk,
  onDamage: (sentence: string) => void,
): Promise<CheckpointState | undefined> {
  const bytes = await disk.readFile(path);
  if (bytes === undefined) return undefined;
  const { copies } = decodeCheckpoint(bytes);
  const sound = copies.find(({ state }) => state !== undefined);
  if (sound === undefined) {
    throw new DataFolderError(
      `"${path}" in the data folder is damaged (its checksum is wrong); restore it from a backup`,
    );
  }
  for (const { position, state } of copies) {
    if (state === undefined) onDamage(`${path}: the copy at ${position} is damaged; the other one is whole`);
  }
  return sound.state;
}
