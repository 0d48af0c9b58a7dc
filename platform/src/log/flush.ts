import type { BufferPool } from '../kernel/buffer-pool.ts';
import { blockHeaderBytes, sealBlock, type BlockRef } from './block.ts';
import type { StoredBatch } from './engine.ts';
import type { LogState } from './log-state.ts';
import type { GroupLog, ShardLog } from './shard-log.ts';

export interface FlushOptions {
  /** A block is ended when it has reached this length. */
  readonly blockBytes: number;
  /** Blocks are written in chunks of about this length. */
  readonly chunkBytes: number;
}

interface PlannedBlock {
  readonly shard: ShardLog;
  readonly batches: readonly StoredBatch[];
  readonly bytes: number;
}

/**
 * Moves batches from memory to the segments: first written, then dropped from memory, so that a reader always finds them.
 * Resolves when all that was in memory at the call, and nothing else, is written; not durable before the segments are synced.
 */
export async function flushTails(
  state: LogState,
  options: FlushOptions & { readonly buffers: BufferPool },
): Promise<void> {
  const plans = [...state.groups.values()]
    .filter((group) => group.withTail.size > 0)
    .map((group) => ({ group, blocks: planBlocks(group, options.blockBytes) }));
  for (const { group, blocks } of plans) await flushGroup(state, group, blocks, options);
}

function planBlocks(group: GroupLog, blockBytes: number): PlannedBlock[] {
  const blocks: PlannedBlock[] = [];
  for (const shard of [...group.withTail].sort((a, b) => a.shard - b.shard)) {
    let batches: StoredBatch[] = [];
    let bytes = blockHeaderBytes;
    const end = (): void => {
      if (batches.length > 0) blocks.push({ shard, batches, bytes });
      batches = [];
      bytes = blockHeaderBytes;
    };
    for (const batch of shard.tail) {
      if (bytes + batch.bytes.length > blockBytes) end();
      batches.push(batch);
      bytes += batch.bytes.length;
    }
    end();
  }
  return blocks;
}

async function flushGroup(
  state: LogState,
  group: GroupLog,
  blocks: readonly PlannedBlock[],
  { chunkBytes, buffers }: FlushOptions & { readonly buffers: BufferPool },
): Promise<void> {
  for (let from = 0; from < blocks.length;) {
    let to = from;
    let bytes = 0;
    while (to < blocks.length && (to === from || bytes + (blocks[to] as PlannedBlock).bytes <= chunkBytes)) {
      bytes += (blocks[to++] as PlannedBlock).bytes;
    }
    if (group.isDropped) return;
    const chunk = blocks.slice(from, to);
    const buffer = buffers.take(bytes);
    try {
      await writeChunk(group, chunk, buffer);
    } finally {
      buffers.give(buffer);
    }
    if (group.isDropped) return;
    for (const block of chunk) state.dropTail(block.shard, block.batches.length);
    from = to;
  }
}

async function writeChunk(group: GroupLog, chunk: readonly PlannedBlock[], buffer: Buffer): Promise<void> {
  const place = await group.segments.place();
  const refs: BlockRef[] = [];
  let at = 0;
  for (const block of chunk) {
    const first = block.batches[0] as StoredBatch;
    const last = block.batches.at(-1) as StoredBatch;
    const ref: BlockRef = {
      shard: block.shard.shard,
      baseOffset: first.baseOffset,
      endOffset: last.baseOffset + last.recordCount,
      firstTimeMs: first.timeMs,
      lastTimeMs: last.timeMs,
      position: place.position + at,
      bytes: block.bytes,
    };
    let to = at + blockHeaderBytes;
    for (const batch of block.batches) {
      buffer.set(batch.bytes, to);
      to += batch.bytes.length;
    }
    sealBlock(buffer, at, ref, place);
    refs.push(ref);
    at = to;
  }
  await group.segments.append(buffer, refs);
}
