import { crc32c } from './crc32c.ts';
import { readUint64, writeUint64 } from './uint64.ts';

/*
 * A block is a run of one shard's batches in a segment file, big-endian:
 *
 *  0 u32 magic 'MRSB'     4 u32 CRC-32C of bytes 8…length   8 u32 length (header and batches)   12 u32 shard
 * 16 u64 base offset     24 u64 end offset                 32 u64 first time                    40 u64 last time
 * 48 u64 position        56 u32 group                      60 u32 segment number
 * 64 u64 folder id       72 u32 CRC-32C of bytes 8…72      76 RecordBatches
 *
 * Group, segment and position lie under the checksum, so a block that reached a wrong place is not taken for another;
 * the folder id is random, so that no record can be made up to pass for a block. The header has a checksum of its own, so that an
 * index can be made from headers alone and a damaged one misleads nobody about other blocks.
 */
export const blockHeaderBytes = 76;
const headerSumAt = 72;
const magic = 0x4d525342;

/** Where a block is and what it holds. */
export interface BlockRef {
  readonly shard: number;
  readonly baseOffset: number;
  /** Just past its last record. */
  readonly endOffset: number;
  /** Arrival times of its first and last batch, milliseconds since the epoch. */
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
  readonly position: number;
  /** Header and batches. */
  readonly bytes: number;
}

export interface BlockPlace {
  readonly group: number;
  readonly segment: number;
  readonly folderId: number;
}

/** Writes the header at `at` of `buffer`, where the batches lie already behind it. */
export function sealBlock(buffer: Buffer, at: number, ref: BlockRef, place: BlockPlace): void {
  const block = buffer.subarray(at, at + ref.bytes);
  block.writeUInt32BE(magic, 0);
  block.writeUInt32BE(ref.bytes, 8);
  block.writeUInt32BE(ref.shard, 12);
  writeUint64(block, 16, ref.baseOffset);
  writeUint64(block, 24, ref.endOffset);
  writeUint64(block, 32, ref.firstTimeMs);
  writeUint64(block, 40, ref.lastTimeMs);
  writeUint64(block, 48, ref.position);
  block.writeUInt32BE(place.group, 56);
  block.writeUInt32BE(place.segment, 60);
  writeUint64(block, 64, place.folderId);
  block.writeUInt32BE(crc32c(block.subarray(8, headerSumAt)), headerSumAt);
  block.writeUInt32BE(crc32c(block.subarray(8)), 4);
}

/** What the header of a block says; undefined when it is none of this place or damaged. The batches are not looked at. */
export function readBlockHeader(header: Buffer, position: number, place: BlockPlace): BlockRef | undefined {
  if (header.length < blockHeaderBytes || header.readUInt32BE(0) !== magic) return undefined;
  if (readUint64(header, 48) !== position) return undefined;
  if (header.readUInt32BE(56) !== place.group || header.readUInt32BE(60) !== place.segment) return undefined;
  if (readUint64(header, 64) !== place.folderId) return undefined;
  const bytes = header.readUInt32BE(8);
  if (bytes < blockHeaderBytes) return undefined;
  if (crc32c(header.subarray(8, headerSumAt)) !== header.readUInt32BE(headerSumAt)) return undefined;
  return {
    shard: header.readUInt32BE(12),
    baseOffset: readUint64(header, 16),
    endOffset: readUint64(header, 24),
    firstTimeMs: readUint64(header, 32),
    lastTimeMs: readUint64(header, 40),
    position,
    bytes,
  };
}

/** Whether the bytes of a whole block agree with its checksum. */
export function isBlockSound(block: Buffer): boolean {
  return crc32c(block.subarray(8)) === block.readUInt32BE(4);
}
