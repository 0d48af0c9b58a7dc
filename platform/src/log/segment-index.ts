import { blockHeaderBytes, readBlockHeader, type BlockPlace, type BlockRef } from './block.ts';
import { crc32c } from './crc32c.ts';
import { readUint64, writeUint64 } from './uint64.ts';
import type { DiskFile } from '../kernel/disk.ts';

/**
 * The blocks of one segment by shard. Both the offset index and the time index: blocks of a shard lie in the order of
 * their offsets, and arrival times in a shard never go back.
 */
export class SegmentIndex {
  /** For each shard ever seen in the group, the offset just past what this segment and all before it hold. */
  readonly ends: Map<number, number>;
  readonly #blocks = new Map<number, BlockRef[]>();
  #count = 0;

  /** @param endsBefore   {@link SegmentIndex.ends} of the segment before */
  constructor(endsBefore: ReadonlyMap<number, number>) {
    this.ends = new Map(endsBefore);
  }

  get blockCount(): number {
    return this.#count;
  }

  add(ref: BlockRef): void {
    const blocks = this.#blocks.get(ref.shard);
    if (blocks === undefined) this.#blocks.set(ref.shard, [ref]);
    else blocks.push(ref);
    this.ends.set(ref.shard, ref.endOffset);
    this.#count++;
  }

  /** The first block of the shard that ends behind `offset`. */
  atOffset(shard: number, offset: number): BlockRef | undefined {
    return first(this.#blocks.get(shard), (block) => block.endOffset > offset);
  }

  /** The first block of the shard whose last record arrived at or after `timeMs`. */
  atTime(shard: number, timeMs: number): BlockRef | undefined {
    return first(this.#blocks.get(shard), (block) => block.lastTimeMs >= timeMs);
  }

  *blocks(): Generator<BlockRef> {
    for (const blocks of this.#blocks.values()) yield* blocks;
  }
}

/** Binary search for the first block for which `holds`, which is false and then true along the list. */
function first(blocks: readonly BlockRef[] | undefined, holds: (block: BlockRef) => boolean): BlockRef | undefined {
  if (blocks === undefined) return undefined;
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(blocks[middle] as BlockRef)) high = middle;
    else low = middle + 1;
  }
  return blocks[low];
}

/*
 * The index file of a finished segment, big-endian: u32 magic 'MRSI' | u32 CRC-32C of what follows | u32 count of blocks | u32 count of ends
 * | blocks of 48 bytes (u32 shard, u32 bytes, u64 base offset, u64 end offset, u64 first time, u64 last time, u64 position)
 * | ends of 12 bytes (u32 shard, u64 end offset).
 * It says nothing that the segments do not: a missing or damaged one is made again from the block headers.
 */
const magic = 0x4d525349;
const headerBytes = 16;
const blockEntryBytes = 48;
const endEntryBytes = 12;

export function encodeIndex(index: SegmentIndex): Buffer {
  const bytes = Buffer.alloc(headerBytes + index.blockCount * blockEntryBytes + index.ends.size * endEntryBytes);
  let at = headerBytes;
  for (const ref of index.blocks()) {
    bytes.writeUInt32BE(ref.shard, at);
    bytes.writeUInt32BE(ref.bytes, at + 4);
    writeUint64(bytes, at + 8, ref.baseOffset);
    writeUint64(bytes, at + 16, ref.endOffset);
    writeUint64(bytes, at + 24, ref.firstTimeMs);
    writeUint64(bytes, at + 32, ref.lastTimeMs);
    writeUint64(bytes, at + 40, ref.position);
    at += blockEntryBytes;
  }
  for (const [shard, end] of index.ends) {
    bytes.writeUInt32BE(shard, at);
    writeUint64(bytes, at + 4, end);
    at += endEntryBytes;
  }
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(index.blockCount, 8);
  bytes.writeUInt32BE(index.ends.size, 12);
  bytes.writeUInt32BE(crc32c(bytes.subarray(8)), 4);
  return bytes;
}

/** Undefined when the bytes are no whole index. */
export function decodeIndex(bytes: Buffer): SegmentIndex | undefined {
  if (bytes.length < headerBytes || bytes.readUInt32BE(0) !== magic) return undefined;
  const blockCount = bytes.readUInt32BE(8);
  const endCount = bytes.readUInt32BE(12);
  if (bytes.length !== headerBytes + blockCount * blockEntryBytes + endCount * endEntryBytes) return undefined;
  if (crc32c(bytes.subarray(8)) !== bytes.readUInt32BE(4)) return undefined;
  const index = new SegmentIndex(new Map());
  let at = headerBytes;
  for (let i = 0; i < blockCount; i++, at += blockEntryBytes) {
    index.add({
      shard: bytes.readUInt32BE(at),
      bytes: bytes.readUInt32BE(at + 4),
      baseOffset: readUint64(bytes, at + 8),
      endOffset: readUint64(bytes, at + 16),
      firstTimeMs: readUint64(bytes, at + 24),
      lastTimeMs: readUint64(bytes, at + 32),
      position: readUint64(bytes, at + 40),
    });
  }
  for (let i = 0; i < endCount; i++, at += endEntryBytes) {
    index.ends.set(bytes.readUInt32BE(at), readUint64(bytes, at + 4));
  }
  return index;
}

/**
 * Makes the index from the block headers of the first `length` bytes of a segment.
 *
 * @param onDamage   called with the position from which no block could be made out; the search goes on at the next one that can
 */
export async function scanSegment(
  file: DiskFile,
  length: number,
  place: BlockPlace & { readonly endsBefore: ReadonlyMap<number, number> },
  onDamage: (position: number) => void,
): Promise<SegmentIndex> {
  const index = new SegmentIndex(place.endsBefore);
  const header = Buffer.alloc(blockHeaderBytes);
  for (let position = 0; position < length;) {
    const count = await file.read(header, position);
    const ref = readBlockHeader(header.subarray(0, count), position, place);
    if (ref !== undefined && position + ref.bytes <= length) {
      index.add(ref);
      position += ref.bytes;
      continue;
    }
    onDamage(position);
    position = await nextBlock(file, position + 1, length, place);
  }
  return index;
}

/** Position of the next block header at or after `from`, or `length`. */
async function nextBlock(file: DiskFile, from: number, length: number, place: BlockPlace): Promise<number> {
  const window = Buffer.alloc(1024 * 1024);
  for (let base = from; base < length; base += window.length - blockHeaderBytes) {
    const bytes = window.subarray(0, await file.read(window, base));
    for (let at = bytes.indexOf('MRSB'); at >= 0 && base + at < length; at = bytes.indexOf('MRSB', at + 1)) {
      if (readBlockHeader(bytes.subarray(at), base + at, place) !== undefined) return base + at;
    }
    if (bytes.length < window.length) break;
  }
  return length;
}
