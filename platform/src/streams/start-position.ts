import { InvalidArgumentException, ResourceNotFoundException, type ShardIteratorType } from '../model/index.ts';
import type { StreamsContext } from './context.ts';
import { offsetAt } from './read-shard.ts';
import { parseSequenceNumber } from './shard/sequence-number.ts';
import { formatShardId, parseShardId } from './shard/shard-id.ts';
import type { Shard, Stream } from './state/stream.ts';
import { shardNotFound } from './wire-errors.ts';

/** Where a reader begins. */
export interface StartPosition {
  readonly type: ShardIteratorType;
  readonly sequenceNumber: string | undefined;
  /** Milliseconds since the epoch. */
  readonly timestamp: number | undefined;
  /** Named in errors. */
  readonly operation: string;
}

/** @throws ResourceNotFoundException also for one whose records are all past retention */
export function findShard(stream: Stream, shardId: string, nowMs: number): Shard {
  const number = parseShardId(shardId);
  const { name, account } = stream.record;
  if (number === undefined) {
    throw new ResourceNotFoundException(`Could not find shard ${shardId} in stream ${name} under account ${account}.`);
  }
  const shard = stream.shard(number);
  if (shard === undefined || stream.isExpired(shard, nowMs)) throw shardNotFound(formatShardId(number), stream.record);
  return shard;
}

/** A sequence number goes with the two types that need one, and with no other. */
export function checkCombination({ type, sequenceNumber: number, timestamp }: StartPosition): void {
  const needsNumber = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER';
  if (needsNumber !== (number !== undefined)) {
    throw new InvalidArgumentException(
      'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or ' +
        `(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified ${type} and ${needsNumber ? 'no' : 'also a'} StartingSequenceNumber.`,
    );
  }
  if (type === 'AT_TIMESTAMP' && timestamp === undefined) {
    throw new InvalidArgumentException(
      'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
    );
  }
}

/** Checks the position now; the answer finds its offset in the shard's log. @throws InvalidArgumentException */
export function offsetOfStart(
  context: StreamsContext,
  stream: Stream,
  shard: Shard,
  position: StartPosition,
): () => Promise<number> {
  const id = { group: stream.record.incarnation, shard: shard.number };
  switch (position.type) {
    case 'TRIM_HORIZON':
      return () => Promise.resolve(0);
    case 'LATEST':
      return () => Promise.resolve(context.log.endOffset(id) ?? 0);
    case 'AT_SEQUENCE_NUMBER': {
      const offset = offsetOf(position, stream, shard);
      return () => Promise.resolve(Math.min(Math.max(0, offset), shard.closed?.endOffset ?? Infinity));
    }
    case 'AFTER_SEQUENCE_NUMBER': {
      const offset = offsetOf(position, stream, shard);
      // A closed shard ends with a number that no record has, far behind the last one.
      return () => Promise.resolve(Math.min(offset + 1, shard.closed?.endOffset ?? Infinity));
    }
    case 'AT_TIMESTAMP': {
      const timeMs = position.timestamp as number;
      const nowMs = context.clock.now();
      if (timeMs > nowMs) {
        throw new InvalidArgumentException(
          'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. ' +
            `timestampInMillis: ${timeMs}, currentTimestampInMillis: ${nowMs}`,
        );
      }
      return () => offsetAt(context, stream, shard, timeMs);
    }
  }
}

/** Offset that a sequence number speaks of; −1 for the shard's StartingSequenceNumber. */
function offsetOf({ sequenceNumber, operation }: StartPosition, stream: Stream, shard: Shard): number {
  const text = sequenceNumber as string;
  const number = parseSequenceNumber(text);
  const { name, account } = stream.record;
  const invalid = `StartingSequenceNumber ${text} used in ${operation} on shard ${formatShardId(shard.number)} in stream ${name} under account ${account} is invalid`;
  if (number === undefined) throw new InvalidArgumentException(`${invalid}.`);
  if (number.shard !== shard.number) {
    throw new InvalidArgumentException(
      `Invalid StartingSequenceNumber. It encodes ${formatShardId(number.shard)}, while it was used in a call to a shard with ${formatShardId(shard.number)}`,
    );
  }
  if (number.createdSecond !== shard.createdSecond) {
    throw new InvalidArgumentException(`${invalid} because it did not come from this stream.`);
  }
  return number.offset;
}
