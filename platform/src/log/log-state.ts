import { assert } from '../kernel/assert.ts';
import type { LogControl, RejectReason, ShardLogId, StateMachine, StoredBatch } from './engine.ts';
import type { GroupState } from './checkpoint.ts';
import { GroupSegments, type SegmentContext } from './segments.ts';
import { GroupLog, ShardLog, tailBatchOverheadBytes } from './shard-log.ts';

/** Work on files that a command asked for; done in the background, in order, after the flush under way. */
export type FileWork = () => Promise<void>;

/**
 * What the log is after a number of commits: shard logs and, through the state machine, the catalog.
 * Live commits and recovery go through the same two calls, {@link LogState.publish} and {@link LogState.apply}.
 */
export class LogState implements LogControl {
  readonly groups: Map<number, GroupLog> = new Map();
  readonly machine: StateMachine;
  /** Commits up to here are published. */
  commit = 0;
  /** Bytes that batches hold in memory because no segment holds them yet. */
  tailBytes = 0;
  readonly #context: SegmentContext;
  readonly #later: (work: FileWork) => void;

  constructor(machine: StateMachine, context: SegmentContext, later: (work: FileWork) => void) {
    this.machine = machine;
    this.#context = context;
    this.#later = later;
  }

  shard(id: ShardLogId): ShardLog | undefined {
    return this.groups.get(id.group)?.shards.get(id.shard);
  }

  /** Makes a batch readable; it takes its place behind the shard's newest record. Doing it twice changes nothing. */
  publish(id: ShardLogId, batch: StoredBatch): RejectReason | undefined {
    const shard = this.shard(id);
    if (shard === undefined) return 'absent';
    if (batch.baseOffset + batch.recordCount <= shard.end) return undefined;
    if (shard.isClosed) return 'closed';
    shard.tail.push(batch);
    shard.group.withTail.add(shard);
    shard.end = batch.baseOffset + batch.recordCount;
    this.tailBytes += batch.bytes.length + tailBatchOverheadBytes;
    shard.notify();
    return undefined;
  }

  apply(command: Uint8Array): unknown {
    return this.machine.apply(command, this);
  }

  /** Forgets the first `count` batches of a shard's tail: a segment holds them now. */
  dropTail(shard: ShardLog, count: number): void {
    const gone = shard.tail.splice(0, count);
    const last = gone.at(-1);
    if (last === undefined) return;
    shard.flushed = last.baseOffset + last.recordCount;
    for (const batch of gone) this.tailBytes -= batch.bytes.length + tailBatchOverheadBytes;
    if (shard.tail.length === 0) shard.group.withTail.delete(shard);
  }

  /** Takes back the offsets of appends that have not been published and never will be. */
  forgetAssigned(): void {
    for (const group of this.groups.values()) for (const shard of group.shards.values()) shard.assigned = shard.end;
  }

  provision(id: ShardLogId): void {
    let group = this.groups.get(id.group);
    if (group === undefined) {
      group = new GroupLog(id.group, new GroupSegments(this.#context, id.group, { segments: [], nextNumber: 1 }));
      this.groups.set(id.group, group);
    }
    assert(!group.shards.has(id.shard), 'a shard log is provisioned once');
    group.shards.set(id.shard, new ShardLog(group, id.shard, { end: 0, lastTimeMs: 0 }));
  }

  closeShard(id: ShardLogId): number {
    const shard = this.shard(id);
    assert(shard !== undefined, 'a closed shard log exists');
    shard.isClosed = true;
    shard.notify();
    return shard.end;
  }

  drop(id: number): void {
    const group = this.groups.get(id);
    if (group === undefined) return;
    this.groups.delete(id);
    group.isDropped = true;
    for (const shard of group.shards.values()) {
      this.dropTail(shard, shard.tail.length);
      shard.notify();
    }
    this.#later(() => group.segments.drop());
  }

  trim(id: number, timeMs: number): void {
    const group = this.groups.get(id);
    if (group === undefined || timeMs <= group.trimMs) return;
    group.trimMs = timeMs;
    this.#later(() => group.segments.trim(timeMs));
  }

  restore(groups: readonly GroupState[]): void {
    for (const state of groups) {
      const group = new GroupLog(state.id, new GroupSegments(this.#context, state.id, state));
      group.trimMs = state.trimMs;
      for (const [number, end, lastTimeMs, isClosed] of state.shards) {
        const shard = new ShardLog(group, number, { end, lastTimeMs });
        shard.isClosed = isClosed === 1;
        group.shards.set(number, shard);
      }
      this.groups.set(state.id, group);
    }
  }

  /** What a checkpoint says of the groups, but for their segments, which the flush has yet to write. */
  capture(): Array<Omit<GroupState, 'segments' | 'nextNumber'> & { readonly group: GroupLog }> {
    return [...this.groups.values()].map((group) => ({
      id: group.id,
      group,
      trimMs: group.trimMs,
      shards: [...group.shards.values()].map(
        (shard) => [shard.shard, shard.end, shard.lastTimeMs, shard.isClosed ? 1 : 0] as const,
      ),
    }));
  }
}
