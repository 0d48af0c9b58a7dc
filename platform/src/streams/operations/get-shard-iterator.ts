import {
  ProvisionedThroughputExceededException,
  type GetShardIteratorInput,
  type GetShardIteratorOutput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { refuseDryRun } from '../dry-run.ts';
import { resolveForData } from '../resolve.ts';
import { checkCombination, findShard, offsetOfStart } from '../start-position.ts';
import { rateExceeded } from '../wire-errors.ts';

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
  const position = {
    type: input.ShardIteratorType,
    sequenceNumber: input.StartingSequenceNumber,
    timestamp: input.Timestamp,
    operation: caller.operation,
  };
  checkCombination(position);
  const start = offsetOfStart(context, stream, shard, position);
  refuseDryRun(input.DryRun);
  return { ShardIterator: context.iterators.seal(stream, shard.number, await start()) };
}
