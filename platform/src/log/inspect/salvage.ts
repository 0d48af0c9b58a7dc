import { crc32c } from '../crc32c.ts';
import { entryHeaderBytes, entryKind, frameAlignment, frameHeaderBytes } from '../frame.ts';
import { readBatchHeader } from '../record-batch.ts';
import { hasCounts, soundBatch } from './batches.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { frameHeaderAt } from './journal-scan.ts';
import type { ReplayModel } from './replay-model.ts';
import type { LostRange } from './report.ts';

/** Where damaged frames are looked for, and what is known of them. */
export interface FrameRegion {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly generation: number;
  readonly folderId: number;
  readonly firstCommit: number;
  readonly lastCommit: number;
}

/** Positions at which a frame of the region begins that is not whole. At most one of the five things known of it may be wrong. */
export async function brokenFrames(reader: ChunkReader, region: FrameRegion): Promise<number[]> {
  const positions: number[] = [];
  for (let position = region.from; position + frameHeaderBytes <= region.to; position += frameAlignment) {
    const head = await reader.read(position, frameHeaderBytes);
    if (head.length < frameHeaderBytes) break;
    const header = frameHeaderAt(head);
    const agreeing =
      Number(header.hasMagic) +
      Number(header.position === position) +
      Number(header.folderId === region.folderId) +
      Number(header.generation === region.generation) +
      Number(header.commit >= region.firstCommit && header.commit <= region.lastCommit);
    if (agreeing < 4 || (agreeing === 5 && (await isWhole(reader, position, header.length)))) continue;
    positions.push(position);
    if (positions.length > region.lastCommit - region.firstCommit) break;
  }
  return positions;
}

export interface Salvage {
  readonly ranges: readonly LostRange[];
  readonly commands: number;
  /** Whether all entries could be made out. */
  readonly isComplete: boolean;
}

/**
 * What a damaged frame held, as far as can be told for sure: batches that continue their shard exactly.
 * It tells what is lost; nothing of it is used as data.
 *
 * @param ends   shard ends behind the frames salvaged before this one; moved on
 */
export function salvageFrame(frame: Buffer, model: ReplayModel, ends: Map<string, number> = new Map()): Salvage {
  const ranges: LostRange[] = [];
  const header = frameHeaderAt(frame);
  let commands = 0;
  let at = frameHeaderBytes;
  for (let i = 0; ; i++) {
    // One of count and length may be what is damaged; the other then tells the end, and nothing sound follows.
    if ((i === header.entryCount || at === header.length) && !continues(frame, at)) break;
    if (at + entryHeaderBytes > frame.length) return { ranges, commands, isComplete: false };
    const group = frame.readUInt32BE(at + 8);
    const shard = frame.readUInt32BE(at + 12);
    const kind = frame.readUInt32BE(at);
    const start = at + entryHeaderBytes;
    let bytes = frame.readUInt32BE(at + 4);
    const batch = readBatchHeader(frame, start);
    const isSound = batch !== undefined && soundBatch(frame, start) !== undefined;
    if (batch !== undefined && (isSound || (kind === entryKind.batch && hasCounts(frame, start)))) {
      const key = `${group}/${shard}`;
      const next = ends.get(key) ?? model.shard({ group, shard })?.expectedEnd;
      if (next !== batch.baseOffset) return { ranges, commands, isComplete: false };
      const endOffset = next + batch.recordCount;
      ranges.push({ group, shard, fromOffset: next, endOffset });
      ends.set(key, endOffset);
      if (isSound) ({ bytes } = batch);
    } else if (kind === entryKind.command && group === 0 && shard === 0 && start + bytes <= frame.length) commands++;
    else return { ranges, commands, isComplete: false };
    at = start + bytes;
  }
  return { ranges, commands, isComplete: true };
}

function continues(frame: Buffer, at: number): boolean {
  return at + entryHeaderBytes < frame.length && soundBatch(frame, at + entryHeaderBytes) !== undefined;
}

async function isWhole(reader: ChunkReader, position: number, length: number): Promise<boolean> {
  if (length < frameHeaderBytes) return false;
  const bytes = await reader.read(position, length);
  return bytes.length === length && crc32c(bytes.subarray(8)) === bytes.readUInt32BE(4);
}
