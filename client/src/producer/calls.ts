import { type KinesisClient, PutRecordsCommand, type Shard } from '@aws-sdk/client-kinesis';
import { type HashKey, hashKeyFromDecimal } from '../aggregation/index.ts';
import { unlessAborted } from '../deadline.ts';
import { listShards, subjectOf } from '../shards.ts';
import { writeBodyNatively } from './put-records-body.ts';

/** An open shard, or one that was: the hash keys from `start` to `end` are its. */
export interface ShardRange {
  readonly shardId: string;
  readonly start: HashKey;
  readonly end: HashKey;
}

/** One record of a PutRecords call. */
export interface PutEntry {
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
}

export type PutResult =
  | { readonly isPut: true; readonly shardId: string; readonly sequenceNumber: string }
  | { readonly isPut: false; readonly code: string; readonly message: string };

/** What a producer asks of Kinesis. */
export interface KinesisCalls {
  /** Open shards, or also those that are closed. */
  listShards(which: 'open' | 'all', signal: AbortSignal): Promise<ShardRange[]>;
  /** As many results as entries, in their order. */
  putRecords(entries: readonly PutEntry[], signal: AbortSignal): Promise<PutResult[]>;
}

/** @param stream   name or ARN */
export function sdkCalls(client: KinesisClient, stream: string): KinesisCalls {
  const subject = subjectOf(stream);
  return {
    async listShards(which, abortSignal) {
      const filter = which === 'open' ? { Type: 'AT_LATEST' as const } : undefined;
      return (await listShards(client, stream, { filter, abortSignal })).map(rangeOf);
    },
    async putRecords(entries, abortSignal) {
      const Records = entries.map(({ data, partitionKey, explicitHashKey }) => ({
        Data: data,
        PartitionKey: partitionKey,
        ExplicitHashKey: explicitHashKey,
      }));
      const command = writeBodyNatively(new PutRecordsCommand({ ...subject, Records }));
      // The SDK does not listen while it waits for credentials.
      const answer = await unlessAborted(abortSignal, client.send(command, { abortSignal }));
      return (answer.Records ?? []).map(({ ShardId, SequenceNumber, ErrorCode, ErrorMessage }): PutResult =>
        ShardId !== undefined && SequenceNumber !== undefined
          ? { isPut: true, shardId: ShardId, sequenceNumber: SequenceNumber }
          : { isPut: false, code: ErrorCode ?? 'InternalFailure', message: ErrorMessage ?? '' },
      );
    },
  };
}

function rangeOf({ ShardId = '', HashKeyRange }: Shard): ShardRange {
  return {
    shardId: ShardId,
    start: hashKeyFromDecimal(HashKeyRange?.StartingHashKey ?? ''),
    end: hashKeyFromDecimal(HashKeyRange?.EndingHashKey ?? ''),
  };
}
