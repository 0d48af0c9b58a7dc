/** One shard's log: `group` is the incarnation of a stream, `shard` a number within it. The log knows nothing more of either. */
export interface ShardLogId {
  readonly group: number;
  readonly shard: number;
}

/** One batch for one shard, encoded by {@link BatchBuilder}. The engine writes its base offset, time and checksum in place. */
export interface AppendEntry extends ShardLogId {
  readonly batch: Buffer;
  readonly recordCount: number;
}

/**
 * `rejected`: certainly not stored, now or later. `unknown`: it may or may not appear, at most once.
 * Only a `stored` batch may be acknowledged.
 */
export type AppendOutcome =
  | { readonly kind: 'stored'; readonly baseOffset: number; readonly timeMs: number }
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  | { readonly kind: 'unknown'; readonly cause: Error };

export type RejectReason = 'absent' | 'disk-full' | 'read-only' | 'overloaded' | 'closed';

/** One stored batch as a reader sees it. */
export interface StoredBatch {
  /** A whole Kafka RecordBatch v2; borrowed, never written to. */
  readonly bytes: Buffer;
  /** Offset of its first record. */
  readonly baseOffset: number;
  readonly recordCount: number;
  /** Arrival time of all its records, milliseconds since the epoch. */
  readonly timeMs: number;
}

export interface ReadOptions {
  /** Stops after the batch that reaches this many bytes; at least one batch is read if there is one. */
  readonly bytesMax: number;
  /** Stops after the batch that reaches this many records. */
  readonly recordsMax: number;
  /** Records that arrived before this time are passed over. */
  readonly notBeforeMs: number;
}

export interface ReadPage {
  readonly batches: StoredBatch[];
  /** Where the first readable record at or after the asked offset is, or would be. */
  readonly startOffset: number;
  /** Just past the newest readable record of the shard when the page was made. */
  readonly endOffset: number;
}

/** What a command may do to the log while it is applied: at once, and the same again in every replay. */
export interface LogControl {
  /** Makes an empty shard log. */
  provision(id: ShardLogId): void;
  /** Ends a shard log: batches behind this point in the order are rejected. Answers its end offset. */
  closeShard(id: ShardLogId): number;
  /** Removes a group with all its records and files. */
  drop(group: number): void;
  /** Records of the group that arrived before `timeMs` may be given back to the disk; never moves back. */
  trim(group: number, timeMs: number): void;
}

/** The control-plane state, kept by the catalog; a deterministic function of the commands in their order. */
export interface StateMachine {
  apply(command: Uint8Array, control: LogControl): unknown;
  snapshot(): Uint8Array;
  restore(snapshot: Uint8Array): void;
}

export type Durability = 'fsync' | 'os' | 'memory';

/**
 * The log: one order for all shards and for the commands of the control plane.
 * `append` and `propose` take their place in that order at the call, before the first `await`.
 */
export interface LogEngine {
  readonly durability: Durability;
  /**
   * Resolves with one outcome an entry, in their order, never rejects. `stored` means durable as {@link Durability} says and visible.
   * Offsets are assigned at the call, in call order; any number of calls may be in flight.
   */
  append(entries: readonly AppendEntry[]): Promise<AppendOutcome[]>;
  /**
   * Appends a command; resolves with what `apply` returned, after the command is durable.
   * @throws LogReadOnlyError   certainly not applied, not retryable before a restart
   * @throws OutcomeUnknownError   it may be applied after the next start
   */
  propose(command: Uint8Array): Promise<unknown>;
  /**
   * Reads whole batches from the one that holds `fromOffset`; the caller passes over what lies before it.
   * @throws ShardLogAbsentError   never provisioned, or dropped
   */
  read(id: ShardLogId, fromOffset: number, options: ReadOptions): Promise<ReadPage>;
  /** Offset of the first record that arrived at or after `timeMs`, or the end offset. */
  offsetAt(id: ShardLogId, timeMs: number): Promise<number>;
  /** Offset just past the newest readable record; undefined for a shard log that does not exist. */
  endOffset(id: ShardLogId): number | undefined;
  /**
   * Calls `listener` whenever records of the shard have become readable, and when the shard log ends: closed, or dropped. Synchronously, in
   * the middle of a commit: it may take note and no more. Answers how to stop it.
   */
  watch(id: ShardLogId, listener: () => void): () => void;
  /** Arrival time of the newest record in the group's oldest file: a trim beyond it gives disk back. Undefined without files. */
  oldestMs(group: number): number | undefined;
  /** State for health and metrics. */
  status(): EngineStatus;
  /** Drains, writes a checkpoint and lets go of the files. Idempotent. */
  close(): Promise<void>;
}

export interface EngineStatus {
  readonly state: 'ok' | 'disk-full' | 'read-only';
  /** Why it is not `ok`, for people. */
  readonly reason: string | undefined;
  /** Count of group commits since the start. */
  readonly commits: number;
  /** Damage found since the start, one sentence each, at most 100. */
  readonly damage: readonly string[];
}
