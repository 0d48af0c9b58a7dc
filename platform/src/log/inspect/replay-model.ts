import type { GroupState, CheckpointState } from '../checkpoint.ts';
import type { LogControl, ShardLogId } from '../engine.ts';

/** What is known of one shard log: as a start would have it, and as it was before damage. */
export class ShardModel {
  /** Where it ends for a start now. */
  end: number;
  /** Where it ended as far as can be told; beyond `end` when its newest records are lost. */
  expectedEnd: number;
  readonly checkpointEnd: number;
  /** First record that segments or, failing those, the journal holds. */
  firstOffset: number | undefined;
  isClosed: boolean;
  journalRecords = 0;

  constructor(end: number, isClosed: boolean) {
    this.end = this.expectedEnd = this.checkpointEnd = end;
    this.isClosed = isClosed;
  }
}

export class GroupModel {
  /** As the checkpoint has it; segments are the same whatever the journal says. */
  readonly state: GroupState;
  trimMs: number;
  readonly shards: Map<number, ShardModel> = new Map();

  constructor(state: GroupState) {
    this.state = state;
    this.trimMs = state.trimMs;
    for (const [shard, end, , isClosed] of state.shards) this.shards.set(shard, new ShardModel(end, isClosed === 1));
  }
}

/** Stands in for the log while commands are replayed: counts offsets and keeps no records. */
export class ReplayModel implements LogControl {
  readonly groups: Map<number, GroupModel> = new Map();
  readonly dropped: Set<number> = new Set();

  constructor({ groups }: CheckpointState) {
    for (const state of groups) this.groups.set(state.id, new GroupModel(state));
  }

  shard({ group, shard }: ShardLogId): ShardModel | undefined {
    return this.groups.get(group)?.shards.get(shard);
  }

  provision(id: ShardLogId): void {
    let group = this.groups.get(id.group);
    if (group === undefined) {
      group = new GroupModel({ id: id.group, trimMs: 0, nextNumber: 1, segments: [], shards: [] });
      this.groups.set(id.group, group);
    }
    if (!group.shards.has(id.shard)) group.shards.set(id.shard, new ShardModel(0, false));
  }

  closeShard(id: ShardLogId): number {
    const shard = this.shard(id);
    if (shard === undefined) return 0;
    shard.isClosed = true;
    return shard.end;
  }

  drop(group: number): void {
    this.groups.delete(group);
    this.dropped.add(group);
  }

  trim(id: number, timeMs: number): void {
    const group = this.groups.get(id);
    if (group !== undefined) group.trimMs = Math.max(group.trimMs, timeMs);
  }
}
