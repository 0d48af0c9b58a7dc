import { crc32c } from './crc32c.ts';
import { readUint64, writeUint64 } from './uint64.ts';

/*
 * A frame is one group commit in a journal file, on a boundary of 512 bytes, big-endian:
 *
 *  0 u32 magic 'MRJF'      4 u32 CRC-32C of bytes 8…length   8 u32 length (header and entries)  12 u32 count of entries
 * 16 u64 generation       24 u64 commit number              32 u64 position in the file        40 u64 durable up to
 * 48 u64 folder id       56 entries
 *
 * entry: u32 kind | u32 bytes of payload | u32 group | u32 shard | payload (a RecordBatch, or a command)
 *
 * A recycled file is full of old frames whose checksums are right: generation and position tell them apart.
 * The folder id is a random number of the data folder: no record can be made up so that its bytes pass for a frame.
 * `durable up to` is the newest commit known to be synced when this one was written; recovery tells a lost tail from damage by it.
 */
export const frameAlignment = 512;
export const frameHeaderBytes = 56;
export const entryHeaderBytes = 16;
const magic = 0x4d524a46;

export const entryKind = { batch: 1, command: 2 } as const;

export interface FrameHeader {
  readonly length: number;
  readonly entryCount: number;
  readonly generation: number;
  readonly commit: number;
  readonly position: number;
  readonly durableUpTo: number;
  readonly folderId: number;
}

/** Rounds up to where the next frame may begin. */
export function alignFrame(bytes: number): number {
  return Math.ceil(bytes / frameAlignment) * frameAlignment;
}

/** Writes the header at the start of `frame`, which holds its entries already; the checksum covers all of it. */
export function sealFrame(frame: Buffer, header: FrameHeader): void {
  frame.writeUInt32BE(magic, 0);
  frame.writeUInt32BE(header.length, 8);
  frame.writeUInt32BE(header.entryCount, 12);
  writeUint64(frame, 16, header.generation);
  writeUint64(frame, 24, header.commit);
  writeUint64(frame, 32, header.position);
  writeUint64(frame, 40, header.durableUpTo);
  writeUint64(frame, 48, header.folderId);
  frame.writeUInt32BE(crc32c(frame.subarray(8, header.length)), 4);
}

/** The frame at `position` of a journal file's bytes, if one is whole there and belongs there. */
export function readFrame(file: Buffer, position: number, folderId: number): FrameHeader | undefined {
  if (position + frameHeaderBytes > file.length || file.readUInt32BE(position) !== magic) return undefined;
  const length = file.readUInt32BE(position + 8);
  if (length < frameHeaderBytes || position + length > file.length) return undefined;
  if (readUint64(file, position + 32) !== position || readUint64(file, position + 48) !== folderId) return undefined;
  if (crc32c(file.subarray(position + 8, position + length)) !== file.readUInt32BE(position + 4)) return undefined;
  return {
    length,
    entryCount: file.readUInt32BE(position + 12),
    generation: readUint64(file, position + 16),
    commit: readUint64(file, position + 24),
    position,
    durableUpTo: readUint64(file, position + 40),
    folderId,
  };
}

export interface FrameEntry {
  readonly kind: number;
  readonly group: number;
  readonly shard: number;
  readonly payload: Buffer;
}

/** The entries of a frame that {@link readFrame} accepted; payloads are views of `file`. */
export function* frameEntries(file: Buffer, frame: FrameHeader): Generator<FrameEntry> {
  let at = frame.position + frameHeaderBytes;
  for (let i = 0; i < frame.entryCount; i++) {
    const bytes = file.readUInt32BE(at + 4);
    const start = at + entryHeaderBytes;
    yield {
      kind: file.readUInt32BE(at),
      group: file.readUInt32BE(at + 8),
      shard: file.readUInt32BE(at + 12),
      payload: file.subarray(start, start + bytes),
    };
    at = start + bytes;
  }
}

/** Writes one entry at `at`; answers where the next one goes. */
export function writeEntry(frame: Buffer, at: number, entry: FrameEntry): number {
  frame.writeUInt32BE(entry.kind, at);
  frame.writeUInt32BE(entry.payload.length, at + 4);
  frame.writeUInt32BE(entry.group, at + 8);
  frame.writeUInt32BE(entry.shard, at + 12);
  frame.set(entry.payload, at + entryHeaderBytes);
  return at + entryHeaderBytes + entry.payload.length;
}
