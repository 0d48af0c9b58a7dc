import { type KinesisClient, ListShardsCommand, type Shard, type ShardFilter } from '@aws-sdk/client-kinesis';

/** How a stream is named in a call. @param stream   name or ARN */
export function subjectOf(stream: string): { StreamARN: string } | { StreamName: string } {
  return stream.startsWith('arn:') ? { StreamARN: stream } : { StreamName: stream };
}

/** All pages. Without a filter: every shard whose records may still be read. */
export async function listShards(
  client: KinesisClient,
  stream: string,
  { filter, abortSignal }: { readonly filter?: ShardFilter | undefined; readonly abortSignal: AbortSignal },
): Promise<Shard[]> {
  const shards: Shard[] = [];
  let input: ListShardsCommand['input'] = { ...subjectOf(stream), ShardFilter: filter, MaxResults: 1000 };
  for (;;) {
    const { Shards = [], NextToken } = await client.send(new ListShardsCommand(input), { abortSignal });
    shards.push(...Shards);
    if (NextToken === undefined) return shards;
    input = { NextToken };
  }
}
