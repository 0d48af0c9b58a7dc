import { type Checkpoint, holderOf, type Lease, type NewLease } from './lease.ts';
import { leaseOf, type LeaseRow } from './rows.ts';

/** Sees all leases of an application at one moment, and changes them at once. What it reads is what was there before. */
export interface LeaseTransaction {
  /**
   * Greater than those of all transactions before that have changed something. New fences and pulses are this number, and so none is ever
   * there twice: not when a lease is deleted and made again, nor when a worker is forgotten and comes back.
   */
  readonly version: number;
  /** Whose writes are its own when it makes a call again. */
  readonly caller: string;
  row(shardId: string): LeaseRow | undefined;
  /** 0 of nobody, and of one who has never given a sign of life. */
  pulseOf(worker: string | undefined): number;
  put(row: LeaseRow): void;
  remove(shardId: string): void;
  /** The worker's pulse is the version from now on. */
  beat(worker: string): void;
}

export function create(transaction: LeaseTransaction, lease: NewLease): boolean {
  const { shardId, checkpoint: at, parentShardIds, hashKeyRange } = lease;
  if (transaction.row(shardId) !== undefined) return false;
  transaction.put({
    shardId,
    owner: undefined,
    previousOwner: undefined,
    fence: transaction.version,
    checkpoint: at,
    parentShardIds,
    childShardIds: [],
    hashKeyRange,
    fenceBefore: 0,
    fenceBy: '',
  });
  return true;
}

export function renew(
  transaction: LeaseTransaction,
  worker: string,
  held: readonly Lease[],
): ReadonlyMap<string, Lease | undefined> {
  const found = new Map<string, Lease | undefined>();
  let isAlive = false;
  for (const { shardId, fence } of held) {
    const row = transaction.row(shardId);
    const isHeld = row?.fence === fence && holderOf(row) === worker;
    isAlive ||= isHeld;
    found.set(shardId, isHeld ? leaseOf(row, transaction.version) : undefined);
  }
  // One that has lost all is not to be taken for its successor of the same name.
  if (isAlive) transaction.beat(worker);
  return found;
}

export function take(transaction: LeaseTransaction, seen: Lease, worker: string): Lease | undefined {
  const row = transaction.row(seen.shardId);
  if (row === undefined) return undefined;
  const holder = holderOf(row);
  const fenceBy = callerOf(transaction, worker);
  if (isOwnWrite(row, seen, fenceBy) && holder === worker) return leaseOf(row, transaction.pulseOf(worker));
  if (!isSame(row, seen)) return undefined;
  if (holder !== worker && transaction.pulseOf(holder) !== seen.pulse) return undefined;
  transaction.beat(worker);
  const { version } = transaction;
  const taken = {
    ...row,
    owner: worker,
    previousOwner: undefined,
    fence: version,
    fenceBefore: seen.fence,
    fenceBy,
  };
  transaction.put(taken);
  return leaseOf(taken, version);
}

export function ask(transaction: LeaseTransaction, seen: Lease, worker: string): Lease | undefined {
  const { owner } = seen;
  if (owner === undefined || owner === worker || seen.previousOwner !== undefined) return undefined;
  const row = transaction.row(seen.shardId);
  if (row === undefined) return undefined;
  const asked = { ...row, owner: worker, previousOwner: owner };
  if (!isSame(row, asked)) {
    if (!isSame(row, seen)) return undefined;
    transaction.put(asked);
    // Not to be without a pulse when it is the owner.
    transaction.beat(worker);
  } else if (row.fence !== seen.fence) return undefined;
  return leaseOf(asked, transaction.pulseOf(owner));
}

export interface NewCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly childShardIds: readonly string[] | undefined;
}

export function checkpoint(
  transaction: LeaseTransaction,
  held: Lease,
  { checkpoint: at, childShardIds }: NewCheckpoint,
): Lease | undefined {
  const row = transaction.row(held.shardId);
  if (row?.fence !== held.fence) return undefined;
  const holder = holderOf(row);
  if (holder === undefined) return undefined;
  const written = { ...row, checkpoint: at, childShardIds: childShardIds ?? row.childShardIds };
  transaction.put(written);
  transaction.beat(holder);
  return leaseOf(written, transaction.version);
}

export function release(transaction: LeaseTransaction, held: Lease, worker: string): Lease | undefined {
  const row = transaction.row(held.shardId);
  if (row === undefined) return undefined;
  const holder = holderOf(row);
  const fenceBy = callerOf(transaction, worker);
  if (isOwnWrite(row, held, fenceBy) && holder !== worker) return leaseOf(row, transaction.pulseOf(holder));
  if (row.fence !== held.fence || holder !== worker) return undefined;
  const released = {
    ...row,
    owner: row.previousOwner === undefined ? undefined : row.owner,
    previousOwner: undefined,
    fence: transaction.version,
    fenceBefore: held.fence,
    fenceBy,
  };
  transaction.put(released);
  return leaseOf(released, transaction.pulseOf(released.owner));
}

/** True of what is gone already. */
export function remove(transaction: LeaseTransaction, seen: Lease): boolean {
  const row = transaction.row(seen.shardId);
  if (row === undefined) return true;
  const { sequenceNumber, subSequenceNumber } = row.checkpoint;
  const isMoved =
    sequenceNumber !== seen.checkpoint.sequenceNumber || subSequenceNumber !== seen.checkpoint.subSequenceNumber;
  if (isMoved || !isSame(row, seen)) return false;
  transaction.remove(seen.shardId);
  return true;
}

function isSame(
  row: LeaseRow,
  { fence, owner, previousOwner }: Pick<Lease, 'fence' | 'owner' | 'previousOwner'>,
): boolean {
  return row.fence === fence && row.owner === owner && row.previousOwner === previousOwner;
}

/** Whether the caller has made the last change of who processes, and from what it has been given. */
function isOwnWrite(row: LeaseRow, { fence }: Lease, fenceBy: string): boolean {
  return row.fenceBefore === fence && row.fenceBy === fenceBy;
}

function callerOf({ caller }: LeaseTransaction, worker: string): string {
  return `${caller}/${worker}`;
}
