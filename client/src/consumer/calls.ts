import {
  type ChildShard,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  type _Record,
  RegisterStreamConsumerCommand,
  type Shard,
  type ShardFilter,
  type StartingPosition,
  SubscribeToShardCommand,
} from '@aws-sdk/client-kinesis';
import { type HashKey, hashKeyFromDecimal } from '../aggregation/index.ts';
import { listShards, subjectOf } from '../shards.ts';

/** A shard of the stream, or a child that a closed one tells of. */
export interface ConsumedShard {
  readonly shardId: string;
  readonly parentShardIds: readonly string[];
  readonly start: HashKey;
  readonly end: HashKey;
  readonly isOpen: boolean;
}

/** Where reading starts. */
export type ReadFrom =
  | { readonly type: 'TRIM_HORIZON' }
  /** `isLatest`: the moment in which that was the end, by a clock of ours. */
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: Date; readonly isLatest?: boolean }
  | { readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'; readonly sequenceNumber: string };

/** A Kinesis record. */
export interface FetchedRecord {
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly data: Uint8Array;
  readonly arrivalTime: Date;
}

/** What one answer, or one event of a subscription, has. */
export interface Fetched {
  readonly records: readonly FetchedRecord[];
  readonly millisBehindLatest: number;
  /** How to go on: the next iterator, or the sequence number to subscribe after. Undefined: the shard is closed and has been read. */
  readonly next: string | undefined;
  /** With the last of a closed shard, where the service tells them. */
  readonly children: readonly ConsumedShard[];
}

/** What a consumer asks of Kinesis. Each call rejects soon after its signal has fired. */
export interface ConsumerCalls {
  listShards(filter: ShardFilter | undefined, signal: AbortSignal): Promise<ConsumedShard[]>;
  shardIterator(shardId: string, from: ReadFrom, signal: AbortSignal): Promise<string>;
  getRecords(iterator: string, recordsMax: number, signal: AbortSignal): Promise<Fetched>;
  /** Registers the consumer unless it is; its ARN, when it is active, or `undefined` while it is being made. */
  registerConsumer(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends, without an error, when the service ends it. */
  subscribe(consumerArn: string, shardId: string, from: ReadFrom, signal: AbortSignal): AsyncIterable<Fetched>;
}

/** @param stream   name or ARN */
export function sdkConsumerCalls(client: KinesisClient, stream: string): ConsumerCalls {
  const subject = subjectOf(stream);
  let streamArn: string | undefined = stream.startsWith('arn:') ? stream : undefined;

  async function arnOf(abortSignal: AbortSignal): Promise<string> {
    if (streamArn !== undefined) return streamArn;
    const answer = await client.send(new DescribeStreamSummaryCommand(subject), { abortSignal });
    streamArn = answer.StreamDescriptionSummary?.StreamARN ?? '';
    return streamArn;
  }

  return {
    async listShards(filter, abortSignal) {
      return (await listShards(client, stream, { filter, abortSignal })).map((shard) => shardOf(shard));
    },
    async shardIterator(shardId, from, abortSignal) {
      const answer = await startingAt(from, ({ Type: ShardIteratorType, Timestamp, SequenceNumber }) => {
        const position = { ShardIteratorType, Timestamp, StartingSequenceNumber: SequenceNumber };
        const input = { ...subject, ShardId: shardId, ...position };
        return client.send(new GetShardIteratorCommand(input), { abortSignal });
      });
      return answer.ShardIterator ?? '';
    },
    async getRecords(iterator, recordsMax, abortSignal) {
      const arn = streamArn === undefined ? {} : { StreamARN: streamArn };
      const input = { ...arn, ShardIterator: iterator, Limit: recordsMax };
      const answer = await client.send(new GetRecordsCommand(input), { abortSignal });
      return fetchedOf({ ...answer, next: answer.NextShardIterator });
    },
    async registerConsumer(ConsumerName, abortSignal) {
      const StreamARN = await arnOf(abortSignal);
      try {
        const { ConsumerDescription } = await client.send(
          new DescribeStreamConsumerCommand({ StreamARN, ConsumerName }),
          { abortSignal },
        );
        return ConsumerDescription?.ConsumerStatus === 'ACTIVE' ? ConsumerDescription.ConsumerARN : undefined;
      } catch (error) {
        if (nameOf(error) !== 'ResourceNotFoundException') throw error;
      }
      try {
        const { Consumer } = await client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName }), {
          abortSignal,
        });
        return Consumer?.ConsumerStatus === 'ACTIVE' ? Consumer.ConsumerARN : undefined;
      } catch (error) {
        // Another worker has done it at the same time.
        if (nameOf(error) === 'ResourceInUseException') return undefined;
        throw error;
      }
    },
    async *subscribe(ConsumerARN, ShardId, from, abortSignal) {
      const { EventStream = [] } = await startingAt(from, (StartingPosition) => {
        const input = { ConsumerARN, ShardId, StartingPosition };
        return client.send(new SubscribeToShardCommand(input), { abortSignal });
      });
      for await (const event of EventStream) {
        if (event.SubscribeToShardEvent !== undefined) {
          const { ContinuationSequenceNumber, ...rest } = event.SubscribeToShardEvent;
          yield fetchedOf({ ...rest, next: ContinuationSequenceNumber });
          continue;
        }
        const failure = Object.values(event).find((value) => value instanceof Error);
        if (failure !== undefined) throw failure;
      }
    },
  };
}

/** What the service calls an error. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/** A service whose clock is behind ours refuses the moment in which a shard was at its end as one in the future: its end is what was meant. */
async function startingAt<Answer>(
  from: ReadFrom,
  call: (position: StartingPosition) => Promise<Answer>,
): Promise<Answer> {
  const position = {
    Type: from.type,
    Timestamp: 'timestamp' in from ? from.timestamp : undefined,
    SequenceNumber: 'sequenceNumber' in from ? from.sequenceNumber : undefined,
  };
  try {
    return await call(position);
  } catch (error) {
    const isMoment = from.type === 'AT_TIMESTAMP' && from.isLatest === true;
    if (!isMoment || nameOf(error) !== 'InvalidArgumentException') throw error;
    return call({ Type: 'LATEST' });
  }
}

interface Answer {
  readonly Records?: readonly _Record[] | undefined;
  readonly MillisBehindLatest?: number | undefined;
  readonly ChildShards?: readonly ChildShard[] | undefined;
  readonly next: string | undefined;
}

function fetchedOf({ Records = [], MillisBehindLatest = 0, ChildShards = [], next }: Answer): Fetched {
  return {
    records: Records.map(recordOf),
    millisBehindLatest: MillisBehindLatest,
    next: next === '' ? undefined : next,
    children: ChildShards.map(({ ParentShards = [], ...child }) => ({
      ...shardOf({ ...child, SequenceNumberRange: undefined }),
      parentShardIds: ParentShards,
    })),
  };
}

function recordOf(record: _Record): FetchedRecord {
  const { SequenceNumber = '', PartitionKey = '', Data = new Uint8Array(), ApproximateArrivalTimestamp } = record;
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: PartitionKey,
    data: Data,
    arrivalTime: ApproximateArrivalTimestamp ?? new Date(0),
  };
}

function shardOf(shard: Shard): ConsumedShard {
  return {
    shardId: shard.ShardId ?? '',
    parentShardIds: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
    start: hashKeyFromDecimal(shard.HashKeyRange?.StartingHashKey ?? ''),
    end: hashKeyFromDecimal(shard.HashKeyRange?.EndingHashKey ?? ''),
    isOpen: shard.SequenceNumberRange?.EndingSequenceNumber === undefined,
  };
}
