import {
  InvalidArgumentException,
  ProvisionedThroughputExceededException,
  ResourceNotFoundException,
  type GetShardIteratorInput,
  type GetShardIteratorOutput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { refuseDryRun } from '../dry-run.ts';
import { resolveForData } from '../resolve.ts';
import { sealIterator } from '../shard-iterator.ts';
import { parseSequenceNumber } from '../shard/sequence-number.ts';
import { formatShardId, parseShardId } from '../shard/shard-id.ts';
import type { Shard, Stream } from '../state/stream.ts';
import { rateExceeded, shardNotFound } from '../wire-errors.ts';

export async function getShardIterator(
  context: StreamsContext,
  input: GetShardIteratorInput,
  caller: Caller,
): Promise<GetShardIteratorOutput> {
  const stream = resolveForData(context, input, caller);
  const shard = findShard(stream, input.ShardId, context.clock.now());
  const of = `${stream.record.incarnation}/${shard.number}`;
  if (!context.throttle.take([{ limit: 'get-shard-iterator-calls', of, amount: 1 }])) {
    throw new ProvisionedThroughputExceededException(rateExceeded(shard.number, stream.record));
  }
  checkCombination(input);
  const start = startOf(context, input, stream, shard);
  refuseDryRun(input.DryRun);
  return { ShardIterator: sealIterator(context, stream, shard.number, await start()) };
}

function findShard(stream: Stream, shardId: string, nowMs: number): Shard {
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
function checkCombination({
  ShardIteratorType: type,
  StartingSequenceNumber: number,
  Timestamp,
}: GetShardIteratorInput): void {
  const needsNumber = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER';
  if (needsNumber !== (number !== undefined)) {
    throw new InvalidArgumentException(
      'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or ' +
        `(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified ${type} and ${needsNumber ? 'no' : 'also a'} StartingSequenceNumber.`,
    );
  }
  if (type === 'AT_TIMESTAMP' && Timestamp === undefined) {
    throw new InvalidArgumentException(
      'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
    );
  }
}

/** Checks the position now; the answer finds its offset in the shard's log. */
function startOf(
  context: StreamsContext,
  input: GetShardIteratorInput,
  stream: Stream,
  shard: Shard,
): () => Promise<number> {
  const id = { group: stream.record.incarnation, shard: shard.number };
  switch (input.ShardIteratorType) {
    case 'TRIM_HORIZON':
      return () => Promise.resolve(0);
    case 'LATEST':
      return () => Promise.resolve(context.log.endOffset(id) ?? 0);
    case 'AT_SEQUENCE_NUMBER': {
      const offset = offsetOf(input.StartingSequenceNumber as string, stream, shard);
      return () => Promise.resolve(Math.min(Math.max(0, offset), shard.closed?.endOffset ?? Infinity));
    }
    case 'AFTER_SEQUENCE_NUMBER': {
      const offset = offsetOf(input.StartingSequenceNumber as string, stream, shard);
      // A closed shard ends with a number that no record has, far behind the last one.
      return () => Promise.resolve(Math.min(offset + 1, shard.closed?.endOffset ?? Infinity));
    }
    case 'AT_TIMESTAMP': {
      const timeMs = input.Timestamp as number;
      const nowMs = context.clock.now();
      if (timeMs > nowMs) {
        throw new InvalidArgumentException(
          'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. ' +
            `timestampInMillis: ${timeMs}, currentTimestampInMillis: ${nowMs}`,
        );
      }
      return () => context.log.offsetAt(id, timeMs);
    }
  }
}

/** Offset that a sequence number speaks of; −1 for the shard's StartingSequenceNumber. */
function offsetOf(text: string, stream: Stream, shard: Shard): number {
  const number = parseSequenceNumber(text);
  const { name, account } = stream.record;
  const invalid = `StartingSequenceNumber ${text} used in GetShardIterator on shard ${formatShardId(shard.number)} in stream ${name} under account ${account} is invalid`;
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
