import type { StoredBatch } from './engine.ts';
import type { GroupSegments } from './segments.ts';

/** What a batch in memory costs beside its bytes, roughly; counted so that small records cannot outgrow the bound. */
export const tailBatchOverheadBytes = 200;

/** One shard's part of the log: its counters, and in memory the batches that no segment holds yet. */
export class ShardLog {
  readonly shard: number;
  readonly group: GroupLog;
  /** Offset that the next appended record gets; runs ahead of `end` while commits are under way. */
  assigned: number;
  /** Just past the newest readable record. */
  end: number;
  /** Just past the newest record that a segment holds: where the tail begins. */
  flushed: number;
  /** Arrival time given last; the next is never earlier. */
  lastTimeMs: number;
  isClosed = false;
  tail: StoredBatch[] = [];
  /** Made on first use: most shards have nobody who waits. */
  #watchers: Set<() => void> | undefined;

  constructor(group: GroupLog, shard: number, state: { end: number; lastTimeMs: number }) {
    this.group = group;
    this.shard = shard;
    this.assigned = this.end = this.flushed = state.end;
    this.lastTimeMs = state.lastTimeMs;
  }

  watch(listener: () => void): () => void {
    const watchers = (this.#watchers ??= new Set());
    watchers.add(listener);
    return () => watchers.delete(listener);
  }

  /** Tells those who watch that there is more to read, or that there will be no more. */
  notify(): void {
    if (this.#watchers !== undefined) for (const listener of this.#watchers) listener();
  }

  /** Index in the tail of the first batch that ends behind `offset`. */
  tailIndexAt(offset: number): number {
    let low = 0;
    let high = this.tail.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const batch = this.tail[middle] as StoredBatch;
      if (batch.baseOffset + batch.recordCount > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** All shards of one stream incarnation and the segments they share. */
export class GroupLog {
  readonly id: number;
  readonly segments: GroupSegments;
  readonly shards: Map<number, ShardLog> = new Map();
  /** Shards with batches in memory. */
  readonly withTail: Set<ShardLog> = new Set();
  /** Records that arrived before this are gone for good. */
  trimMs = 0;
  isDropped = false;

  constructor(id: number, segments: GroupSegments) {
    this.id = id;
    this.segments = segments;
  }
}
