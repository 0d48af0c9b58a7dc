import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { hashKeyFromDecimal, hashKeyToDecimal } from '../../../aggregation/index.ts';
import type { Checkpoint, Lease, NewLease } from '../lease.ts';

/** An item of a lease table of the KCL, or a part of one. */
export type Item = Record<string, AttributeValue>;

/**
 * Undefined for what is no lease: since 3.5 the KCL keeps its leader, the figures of its workers and the state of a migration in the same
 * table, told apart by `entityType`, which leases of older versions do not have. Nor does it read a lease without counter or checkpoint.
 */
export function leaseOf(item: Item): Lease | undefined {
  const { leaseKey, leaseCounter, checkpoint, checkpointSubSequenceNumber, startingHashKey, endingHashKey } = item;
  if ((item['entityType']?.S ?? 'LEASE') !== 'LEASE') return undefined;
  if (leaseKey?.S === undefined || leaseCounter?.N === undefined || checkpoint?.S === undefined) return undefined;
  const counter = Number(leaseCounter.N);
  return {
    shardId: leaseKey.S,
    owner: item['leaseOwner']?.S,
    previousOwner: item['checkpointOwner']?.S,
    fence: counter,
    pulse: counter,
    checkpoint: { sequenceNumber: checkpoint.S, subSequenceNumber: Number(checkpointSubSequenceNumber?.N ?? 0) },
    parentShardIds: item['parentShardId']?.SS ?? [],
    childShardIds: item['childShardIds']?.SS ?? [],
    hashKeyRange:
      startingHashKey?.S === undefined || endingHashKey?.S === undefined
        ? undefined
        : { start: hashKeyFromDecimal(startingHashKey.S), end: hashKeyFromDecimal(endingHashKey.S) },
  };
}

/** As KCL 3.5 writes it. Every version needs counter, switches and checkpoint to read it; older ones pass over `entityType`. */
export function itemOf({ shardId, checkpoint, parentShardIds, hashKeyRange }: NewLease): Item {
  return {
    ...keyOf(shardId),
    entityType: { S: 'LEASE' },
    leaseCounter: { N: '0' },
    ...checkpointItem(checkpoint),
    ...(parentShardIds.length > 0 && { parentShardId: { SS: [...parentShardIds] } }),
    ...(hashKeyRange !== undefined && {
      startingHashKey: { S: hashKeyToDecimal(hashKeyRange.start) },
      endingHashKey: { S: hashKeyToDecimal(hashKeyRange.end) },
    }),
  };
}

export function keyOf(shardId: string): Item {
  return { leaseKey: { S: shardId } };
}

/** What a checkpoint sets. */
export function checkpointItem({ sequenceNumber, subSequenceNumber }: Checkpoint): Item {
  return {
    checkpoint: { S: sequenceNumber },
    checkpointSubSequenceNumber: { N: String(subSequenceNumber) },
    ownerSwitchesSinceCheckpoint: { N: '0' },
  };
}

/** Of the KCL's checkpoints in two steps; the second one is any checkpoint. */
export const pendingCheckpoint: readonly string[] = [
  'pendingCheckpoint',
  'pendingCheckpointSubSequenceNumber',
  'pendingCheckpointState',
];
