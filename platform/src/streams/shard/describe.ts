import type { ChildShard, Shard as WireShard } from '../../model/index.ts';
import type { Shard } from '../state/stream.ts';
import { decimalHashKey } from './hash-key.ts';
import { endingSequenceNumber, formatSequenceNumber, type ShardOrigin } from './sequence-number.ts';
import { formatShardId } from './shard-id.ts';

export function originOf(shard: Shard): ShardOrigin {
  return { shard: shard.number, createdSecond: shard.createdSecond };
}

/** A shard as lists and descriptions show it. */
export function describeShard(shard: Shard): WireShard {
  return {
    ShardId: formatShardId(shard.number),
    ...(shard.parent !== undefined && { ParentShardId: formatShardId(shard.parent) }),
    ...(shard.adjacentParent !== undefined && { AdjacentParentShardId: formatShardId(shard.adjacentParent) }),
    HashKeyRange: rangeOf(shard),
    SequenceNumberRange: {
      StartingSequenceNumber: formatSequenceNumber(originOf(shard), -1),
      ...(shard.closed && { EndingSequenceNumber: endingSequenceNumber(originOf(shard), shard.closed.timeMs) }),
    },
  };
}

/** A shard as the last answer of its closed parents shows it. */
export function describeChild(shard: Shard): ChildShard {
  const parents = [shard.parent, shard.adjacentParent].filter((each) => each !== undefined);
  return {
    ShardId: formatShardId(shard.number),
    ParentShards: parents.map(formatShardId),
    HashKeyRange: rangeOf(shard),
  };
}

function rangeOf({ startHash, endHash }: Shard): WireShard['HashKeyRange'] {
  return { StartingHashKey: decimalHashKey(startHash), EndingHashKey: decimalHashKey(endHash) };
}
