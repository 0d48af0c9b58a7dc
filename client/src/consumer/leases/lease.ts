import type { HashKey } from '../../aggregation/index.ts';

/** Positions of a checkpoint that are not a record's. */
export type SpecialPosition = 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP' | 'SHARD_END';

/** How far a shard has been processed: everything up to and with this, in the terms of the KCL. */
export interface Checkpoint {
  /** Of a Kinesis record, decimal, or a {@link SpecialPosition}. */
  readonly sequenceNumber: string;
  /**
   * Place of a user record in its aggregate, from 0; 0 of what is no aggregate. Of `LATEST`: when that was, in milliseconds since 1970, or 0 where that
   * is not known, as another program writes it.
   */
  readonly subSequenceNumber: number;
}

/** Who may process a shard, and how far that has been done. A value: stores give new ones. */
export interface Lease {
  readonly shardId: string;
  /** The worker that has it, or gets it when `previousOwner` is done; undefined: nobody. */
  readonly owner: string | undefined;
  /** Still processes what it has begun, and gives the lease over then. The KCL's `checkpointOwner`. */
  readonly previousOwner: string | undefined;
  /**
   * Grows at each change of the one who processes (in some stores at each write), as long as the lease exists: writes by the holder of an older one
   * are refused. Whoever is told it can refuse a worker that has lost its lease and does not know it yet.
   */
  readonly fence: number;
  /** Is another one after each sign of life of the one who processes. Compare for equality only. */
  readonly pulse: number;
  readonly checkpoint: Checkpoint;
  readonly parentShardIds: readonly string[];
  /** Known from the end of the shard on. */
  readonly childShardIds: readonly string[];
  /** Undefined where another program has not written it. */
  readonly hashKeyRange: { readonly start: HashKey; readonly end: HashKey } | undefined;
}

/** A lease that nobody has yet. */
export type NewLease = Pick<Lease, 'shardId' | 'checkpoint' | 'parentShardIds' | 'hashKeyRange'>;

/**
 * Where leases are kept: one table of an application, which all its workers share.
 *
 * Every call ends, in time to be made again before a lease expires. Changes are compare-and-set: one that was made meanwhile by somebody else makes
 * them resolve with `undefined` (or `false`), and then they have changed nothing. When a call rejects, it is unknown whether it has had an effect; the
 * caller may make it again with the same lease, and the store recognizes its own write.
 *
 * A worker makes one call at a time for a lease. Where liveness is kept for a worker as a whole, a lease that a living worker does not know it has never
 * expires: it looks for those in {@link LeaseStore.list}, and takes or releases them.
 */
export interface LeaseStore {
  /** A worker's leases are another's to take when it has given no sign of life for so long, unless the consumer sets it. Milliseconds. */
  readonly failoverMs: number;

  /**
   * Makes what is missing. Once, before all else.
   *
   * @param failoverMs   where the consumer sets it; nothing may take longer than a part of that
   * @throws ClientError
   */
  open(application: string, failoverMs?: number): Promise<void>;

  /** All, in no order; may be some moments old, unless they are to be fresh: with all that was written when the call was made. */
  list(options?: { readonly isFresh?: boolean }): Promise<readonly Lease[]>;

  /** False when there is one of that shard; also when that is of an earlier call whose outcome was unknown. */
  create(lease: NewLease): Promise<boolean>;

  /**
   * A sign of life for these, all held by `worker`: as their owner, or as the previous one. For each that could be asked for, what it is now (which
   * tells of a successor that waits for it), or `undefined` when it is lost; those whose outcome is unknown are not in the map. A successor
   * that waits does not hold it yet.
   */
  renew(worker: string, held: readonly Lease[]): Promise<ReadonlyMap<string, Lease | undefined>>;

  /** Makes `worker` the owner of what nobody has, what has expired, or what is its own already; there is no previous owner then. */
  take(seen: Lease, worker: string): Promise<Lease | undefined>;

  /**
   * Makes `worker` the owner and the owner of now the previous one, whose fence stays good until it is done. Refused where there is a previous one,
   * where nobody is the owner, or where `worker` is.
   */
  ask(seen: Lease, worker: string): Promise<Lease | undefined>;

  /** By the holder. With `childShardIds` they are written too. A sign of life as well. */
  checkpoint(held: Lease, checkpoint: Checkpoint, childShardIds?: readonly string[]): Promise<Lease | undefined>;

  /** By the holder, at its end: its successor, or whoever comes, may start. `worker` is who holds it. */
  release(held: Lease, worker: string): Promise<Lease | undefined>;

  /** Of a shard that nobody needs any more. False when it has changed; true when it is not there. */
  delete(seen: Lease): Promise<boolean>;

  /** Nothing is called any more. */
  close(): Promise<void>;
}

export const shardEnd: Checkpoint = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 };

export function isEnded({ checkpoint }: Pick<Lease, 'checkpoint'>): boolean {
  return checkpoint.sequenceNumber === shardEnd.sequenceNumber;
}

/** The one who processes, and whose pulse is that of the lease. */
export function holderOf({ owner, previousOwner }: Pick<Lease, 'owner' | 'previousOwner'>): string | undefined {
  return previousOwner ?? owner;
}
