import { diskErrorCode } from '../kernel/disk.ts';
import type { ReadOptions, ReadPage, ShardLogId, StoredBatch } from './engine.ts';
import { blockHeaderBytes } from './block.ts';
import { ShardLogAbsentError } from './errors.ts';
import type { LogState } from './log-state.ts';
import { readBatchHeader } from './record-batch.ts';
import type { ShardLog } from './shard-log.ts';

/** Reads a page: from segments up to where the tail begins, then from memory. */
export async function readPage(
  state: LogState,
  id: ShardLogId,
  fromOffset: number,
  options: ReadOptions,
): Promise<ReadPage> {
  const shard = existing(state, id);
  const page = new PageBuilder(fromOffset, options, Math.max(options.notBeforeMs, shard.group.trimMs));
  while (!page.isFull && page.at < shard.end) {
    if (page.at >= shard.flushed) page.addTail(shard);
    else await addBlock(state, shard, page);
  }
  return { batches: page.batches, startOffset: page.start ?? page.at, endOffset: shard.end };
}

/** Offset of the first record that arrived at or after `timeMs`, or the end offset. */
export async function offsetAtTime(state: LogState, id: ShardLogId, timeMs: number): Promise<number> {
  const shard = existing(state, id);
  // Before the wait, in which a flush may move records from memory to segments that were not looked at.
  const { flushed } = shard;
  const found = await shard.group.segments.atTime(shard.shard, timeMs);
  const from = found === undefined ? flushed : found.ref.baseOffset;
  const page = await readPage(state, id, from, { bytesMax: 1, recordsMax: 1, notBeforeMs: timeMs });
  return page.startOffset;
}

function existing(state: LogState, id: ShardLogId): ShardLog {
  const shard = state.shard(id);
  if (shard === undefined) throw new ShardLogAbsentError(id.group, id.shard);
  return shard;
}

async function addBlock(state: LogState, shard: ShardLog, page: PageBuilder): Promise<void> {
  const { segments } = shard.group;
  try {
    const found = await segments.atOffset(shard.shard, page.at);
    if (found === undefined) page.skipTo(shard.flushed);
    else if (found.ref.lastTimeMs < page.notBeforeMs) page.skipTo(found.ref.endOffset);
    else {
      const bytes = await segments.readBlock(found.segment, found.ref);
      if (bytes !== undefined) page.addBlock(bytes);
      page.skipTo(found.ref.endOffset);
    }
  } catch (error) {
    // A file that is gone was dropped or trimmed meanwhile: look again.
    if (diskErrorCode(error) !== 'ENOENT' || !hasMoved(state, shard, page)) throw error;
  }
  if (state.groups.get(shard.group.id) !== shard.group) throw new ShardLogAbsentError(shard.group.id, shard.shard);
}

function hasMoved(state: LogState, shard: ShardLog, page: PageBuilder): boolean {
  return state.groups.get(shard.group.id) !== shard.group || page.tries++ < triesMax;
}

/** Files that may be removed under one reader; more means that a file is gone for another reason. */
const triesMax = 1000;

class PageBuilder {
  readonly batches: StoredBatch[] = [];
  readonly notBeforeMs: number;
  /** Next offset to look for. */
  at: number;
  start: number | undefined;
  isFull = false;
  tries = 0;
  readonly #options: ReadOptions;
  #bytes = 0;
  #records = 0;

  constructor(fromOffset: number, options: ReadOptions, notBeforeMs: number) {
    this.at = fromOffset;
    this.#options = options;
    this.notBeforeMs = notBeforeMs;
  }

  addTail(shard: ShardLog): void {
    const { tail } = shard;
    for (let i = shard.tailIndexAt(this.at); i < tail.length && !this.isFull; i++) this.#add(tail[i] as StoredBatch);
    if (!this.isFull) this.skipTo(shard.end);
  }

  addBlock(block: Buffer): void {
    for (let position = blockHeaderBytes; position < block.length && !this.isFull;) {
      const header = readBatchHeader(block, position);
      if (header === undefined) return;
      const end = position + header.bytes;
      if (header.baseOffset + header.recordCount > this.at) {
        this.#add({ ...header, bytes: block.subarray(position, end) });
      }
      position = end;
    }
  }

  skipTo(offset: number): void {
    if (!this.isFull) this.at = Math.max(this.at, offset);
  }

  #add(batch: StoredBatch): void {
    const end = batch.baseOffset + batch.recordCount;
    if (batch.timeMs >= this.notBeforeMs) {
      const first = Math.max(this.at, batch.baseOffset);
      this.start ??= first;
      this.batches.push(batch);
      this.#bytes += batch.bytes.length;
      this.#records += end - first;
      this.isFull = this.#bytes >= this.#options.bytesMax || this.#records >= this.#options.recordsMax;
    }
    this.at = end;
  }
}
