import type { Shard as WireShard } from '../../model/index.ts';
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
    HashKeyRange: { StartingHashKey: decimalHashKey(shard.startHash), EndingHashKey: decimalHashKey(shard.endHash) },
    SequenceNumberRange: {
      StartingSequenceNumber: formatSequenceNumber(originOf(shard), -1),
      ...(shard.closed && { EndingSequenceNumber: endingSequenceNumber(originOf(shard), shard.closed.timeMs) }),
    },
  };
}
