import type { ShardFilter } from '@aws-sdk/client-kinesis';
import type { HashKey } from '../../aggregation/index.ts';
import type { ConsumedShard } from '../calls.ts';
import { type Checkpoint, isEnded, type Lease, type NewLease } from '../leases/lease.ts';
import { isNumbered } from '../record.ts';

/** Where an application that is new to a stream starts. */
export type StartAt = 'TRIM_HORIZON' | 'LATEST' | Date;

const trimHorizon: Checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 };

/** The shards that an application starts with: together they have all hash keys, and their descendants come by themselves. */
export function filterAt(startAt: StartAt): ShardFilter {
  if (startAt instanceof Date) return { Type: 'AT_TIMESTAMP', Timestamp: startAt };
  return { Type: startAt === 'LATEST' ? 'AT_LATEST' : 'AT_TRIM_HORIZON' };
}

/** @param nowMs   of the wall clock: `LATEST` is that moment, for every worker and as long as nothing has been processed */
export function checkpointAt(startAt: StartAt, nowMs: number): Checkpoint {
  if (startAt instanceof Date) return { sequenceNumber: 'AT_TIMESTAMP', subSequenceNumber: 0 };
  return { sequenceNumber: startAt, subSequenceNumber: startAt === 'LATEST' ? nowMs : 0 };
}

export function newLease({ shardId, parentShardIds, start, end }: ConsumedShard, checkpoint: Checkpoint): NewLease {
  return { shardId, parentShardIds, checkpoint, hashKeyRange: { start, end } };
}

/**
 * The leases to be made when a shard has been processed to its end. A child of a merge has to wait for the other parent: while that has no
 * lease yet, the child is left to whoever processes it.
 */
export function leasesOfChildren(
  children: readonly ConsumedShard[],
  hasLease: (shardId: string) => boolean,
): NewLease[] {
  return children
    .filter(({ parentShardIds }) => parentShardIds.every(hasLease))
    .map((child) => newLease(child, trimHorizon));
}

/** Whether some hash keys have no lease that is being processed, or will be. Leases without a range are taken to have none. */
export function hasHole(leases: Iterable<Lease>): boolean {
  const ranges = [...leases].filter((lease) => !isEnded(lease)).flatMap(({ hashKeyRange }) => hashKeyRange ?? []);
  ranges.sort((a, b) => (a.start < b.start ? -1 : 1));
  let next = 0n;
  for (const { start, end } of ranges) {
    if (valueOf(start) > next) return true;
    const after = valueOf(end) + 1n;
    if (after > next) next = after;
  }
  return next < 2n ** 128n;
}

/** What is missing in a table that has a hole: shards without a lease, of which no ancestor's end will make one, and no descendant has one. */
export function leasesForHole(
  leases: ReadonlyMap<string, Lease>,
  shards: readonly ConsumedShard[],
  { startAt, nowMs }: { readonly startAt: StartAt; readonly nowMs: number },
): NewLease[] {
  const byId = new Map(shards.map((shard) => [shard.shardId, shard]));
  const passed = ancestorsOf(leases.keys());
  const made: NewLease[] = [];
  // What is missing then has come since, though nothing may be left of what it came from.
  const hasBegun = [...leases.values()].some((lease) => isEnded(lease) || isNumbered(lease.checkpoint));
  for (const shard of shards) {
    if (leases.has(shard.shardId) || passed.has(shard.shardId) || hasLivingAncestor(shard)) continue;
    const hasComeSince = hasBegun || hasAncestor(shard, (id) => leases.has(id));
    // What was closed before an application that starts at the end was begun is not its.
    if (!hasComeSince && startAt === 'LATEST' && !shard.isOpen) continue;
    made.push(newLease(shard, hasComeSince ? trimHorizon : checkpointAt(startAt, nowMs)));
  }
  // Descendants of what is made now come by themselves.
  const madeIds = new Set(made.map(({ shardId }) => shardId));
  return made.filter(({ shardId }) => !hasAncestor(byId.get(shardId) as ConsumedShard, (id) => madeIds.has(id)));

  function ancestorsOf(shardIds: Iterable<string>): Set<string> {
    const found = new Set<string>();
    const next = [...shardIds];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      const parents = byId.get(id)?.parentShardIds ?? leases.get(id)?.parentShardIds ?? [];
      for (const parent of parents) {
        if (found.has(parent)) continue;
        found.add(parent);
        next.push(parent);
      }
    }
    return found;
  }

  function hasLivingAncestor(shard: ConsumedShard): boolean {
    return hasAncestor(shard, (id) => {
      const lease = leases.get(id);
      return lease !== undefined && !isEnded(lease);
    });
  }

  function hasAncestor({ parentShardIds }: ConsumedShard, isIt: (shardId: string) => boolean): boolean {
    const seen = new Set<string>();
    const next = [...parentShardIds];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      if (isIt(id)) return true;
      if (seen.has(id)) continue;
      seen.add(id);
      next.push(...(byId.get(id)?.parentShardIds ?? []));
    }
    return false;
  }
}

/** Ended, and no longer needed to keep a child waiting or to know what comes behind it. */
export function isDisposable(lease: Lease, leaseOf: (shardId: string) => Lease | undefined): boolean {
  if (!isEnded(lease)) return false;
  return lease.childShardIds.every((id) => {
    const child = leaseOf(id);
    return child !== undefined && (isEnded(child) || isNumbered(child.checkpoint));
  });
}

function valueOf(hashKey: HashKey): bigint {
  return BigInt(`0x${hashKey}`);
}
