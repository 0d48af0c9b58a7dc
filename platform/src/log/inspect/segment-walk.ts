import { blockHeaderBytes, isBlockSound, readBlockHeader, type BlockPlace, type BlockRef } from '../block.ts';
import type { ChunkReader } from './chunk-reader.ts';

export interface SegmentBounds {
  /** What the checkpoint knows of the file; what lies behind it counts for nothing. */
  readonly length: number;
  /** What is there of it. */
  readonly bytesThere: number;
}

/** What lies at a place of a segment. */
export type SegmentPart =
  | { readonly kind: 'block'; readonly ref: BlockRef; readonly bytes: Buffer | undefined }
  | { readonly kind: 'damaged'; readonly ref: BlockRef }
  /** No block header can be made out up to `end`. */
  | { readonly kind: 'unknown'; readonly position: number; readonly end: number };

/**
 * The blocks of a segment one by one, by their headers; where a header is damaged by the index, failing that by a search.
 *
 * @param known    what the index says, by position
 * @param isThorough   whether whole blocks are read and verified; `bytes` is undefined otherwise
 */
export async function* walkSegment(
  reader: ChunkReader,
  bounds: SegmentBounds,
  place: BlockPlace,
  options: { readonly known: ReadonlyMap<number, BlockRef> | undefined; readonly isThorough: boolean },
): AsyncGenerator<SegmentPart> {
  const end = Math.min(bounds.length, bounds.bytesThere);
  let position = 0;
  while (position < end) {
    const header = await reader.read(position, blockHeaderBytes);
    const ref = readBlockHeader(header, position, place);
    if (ref !== undefined && position + ref.bytes <= end) {
      const bytes = options.isThorough ? await reader.read(position, ref.bytes) : undefined;
      const isSound = bytes === undefined || (bytes.length === ref.bytes && isBlockSound(bytes));
      yield isSound ? { kind: 'block', ref, bytes } : { kind: 'damaged', ref };
      position += ref.bytes;
      continue;
    }
    const known = ref ?? options.known?.get(position);
    if (known === undefined) {
      const next = await nextBlock(reader, position + 1, end, place);
      yield { kind: 'unknown', position, end: next };
      position = next;
    } else {
      yield { kind: 'damaged', ref: known };
      position += known.bytes;
    }
  }
  if (position < bounds.length) yield* missingTail(position, bounds.length, options.known);
}

function* missingTail(
  from: number,
  length: number,
  known: ReadonlyMap<number, BlockRef> | undefined,
): Generator<SegmentPart> {
  let position = from;
  for (let ref = known?.get(position); ref !== undefined; ref = known?.get(position)) {
    yield { kind: 'damaged', ref };
    position += ref.bytes;
  }
  if (position < length) yield { kind: 'unknown', position, end: length };
}

/** Position of the next sound block header at or after `from`, or `end`. */
async function nextBlock(reader: ChunkReader, from: number, end: number, place: BlockPlace): Promise<number> {
  const windowBytes = 64 * 1024;
  for (let base = from; base < end; base += windowBytes - blockHeaderBytes) {
    const bytes = await reader.read(base, windowBytes);
    for (let at = bytes.indexOf('MRSB'); at >= 0 && base + at < end; at = bytes.indexOf('MRSB', at + 1)) {
      if (readBlockHeader(bytes.subarray(at), base + at, place) !== undefined) return base + at;
    }
  }
  return end;
}
