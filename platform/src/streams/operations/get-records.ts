import {
  AccessDeniedException,
  InvalidArgumentException,
  ProvisionedThroughputExceededException,
  type GetRecordsInput,
  type GetRecordsOutput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { refuseDryRun } from '../dry-run.ts';
import { sizes } from '../limits.ts';
import { parseStreamArn } from '../resolve.ts';
import { isReadToItsEnd, readShard } from '../read-shard.ts';
import type { ShardIterator } from '../shard-iterator.ts';
import { describeChild } from '../shard/describe.ts';
import { formatShardId } from '../shard/shard-id.ts';
import type { Shard, Stream } from '../state/stream.ts';
import { rateExceeded, shardNotFound, streamNotFound } from '../wire-errors.ts';

export async function getRecords(
  context: StreamsContext,
  input: GetRecordsInput,
  caller: Caller,
): Promise<GetRecordsOutput> {
  const iterator = context.iterators.open(input.ShardIterator);
  const { stream, shard } = locate(context, iterator, input, caller);
  refuseDryRun(input.DryRun);
  admit(context, stream, shard);
  const recordsMax = input.Limit ?? sizes.getRecordsCountMax;
  const nowMs = context.clock.now();
  const bytesMax = sizes.getRecordsBytesMax;
  const taken = await readShard(context, stream, shard, { fromOffset: iterator.offset, recordsMax, bytesMax, nowMs });
  spend(context, stream, shard, taken.bytes);
  const { records: Records, millisBehind: MillisBehindLatest, nextOffset } = taken;
  // A closed shard read to its end has no next iterator; it says where its readers go on.
  if (isReadToItsEnd(shard, nextOffset)) {
    return { Records, ChildShards: stream.childrenOf(shard).map(describeChild), MillisBehindLatest };
  }
  const NextShardIterator = context.iterators.seal(stream, shard.number, nextOffset);
  return { Records, NextShardIterator, MillisBehindLatest };
}

function locate(
  context: StreamsContext,
  iterator: ShardIterator,
  input: GetRecordsInput,
  caller: Caller,
): { stream: Stream; shard: Shard } {
  if (iterator.account !== caller.account) {
    throw new AccessDeniedException(
      `User: arn:aws:iam::${caller.account}:root is not authorized to perform: kinesis:GetRecords with an iterator of another account`,
    );
  }
  if (iterator.region !== caller.region) throw new InvalidArgumentException('Invalid ShardIterator.');
  const subject = { name: iterator.streamName, account: iterator.account };
  const stream = context.domain.findByIncarnation(iterator.incarnation);
  if (stream === undefined) throw streamNotFound(subject);
  checkAgreement(input, stream);
  const shard = stream.shard(iterator.shard);
  if (shard === undefined) throw shardNotFound(formatShardId(iterator.shard), subject);
  return { stream, shard };
}

/** StreamARN and StreamId, where given, must be those of the iterator's stream. */
function checkAgreement({ StreamARN: arn, StreamId: id }: GetRecordsInput, stream: Stream): void {
  if (arn !== undefined) {
    const parsed = parseStreamArn(arn);
    const { name, account, region } = stream.record;
    if (parsed === undefined || parsed.name !== name || parsed.account !== account || parsed.region !== region) {
      throw new InvalidArgumentException(`StreamARN ${arn} does not match the stream of the ShardIterator.`);
    }
  }
  if (id !== undefined && id !== stream.record.streamId) {
    throw new InvalidArgumentException(`StreamId ${id} does not match the stream of the ShardIterator.`);
  }
}

/** Refused calls read nothing; what an answer took beyond the rate is waited for by the calls after it. */
function admit(context: StreamsContext, stream: Stream, shard: Shard): void {
  const { throttle } = context;
  if (!throttle.isLimited('shard-read-bytes') && !throttle.isLimited('shard-read-calls')) return;
  const of = `${stream.record.incarnation}/${shard.number}`;
  const isAdmitted = throttle.take([
    { limit: 'shard-read-bytes', of, amount: 1 },
    { limit: 'shard-read-calls', of, amount: 1 },
  ]);
  if (!isAdmitted) throw new ProvisionedThroughputExceededException(rateExceeded(shard.number, stream.record));
}

function spend(context: StreamsContext, stream: Stream, shard: Shard, bytes: number): void {
  context.throttle.spend('shard-read-bytes', `${stream.record.incarnation}/${shard.number}`, bytes);
}
