import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  waitUntilStreamExists,
  type GetShardIteratorCommandInput,
  type KinesisClient,
  type StreamDescriptionSummary,
  type _Record,
} from '@aws-sdk/client-kinesis';

/** Runs `use` with a new stream, which is removed afterwards. */
export async function withStream<Result>(
  client: KinesisClient,
  { name, shardCount }: { name: string; shardCount: number },
  use: (stream: StreamDescriptionSummary) => Promise<Result>,
): Promise<Result> {
  await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shardCount }));
  await waitUntilStreamExists({ client, maxWaitTime: 120, minDelay: 1 }, { StreamName: name });
  try {
    const { StreamDescriptionSummary: summary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: name }),
    );
    return await use(summary as StreamDescriptionSummary);
  } finally {
    await client.send(new DeleteStreamCommand({ StreamName: name }));
  }
}

export async function takeIterator(client: KinesisClient, start: GetShardIteratorCommandInput): Promise<string> {
  return (await client.send(new GetShardIteratorCommand(start))).ShardIterator as string;
}

/** Everything from an iterator to the tip of an open shard. */
export async function readToTip(client: KinesisClient, iterator: string): Promise<_Record[]> {
  const records: _Record[] = [];
  let next: string | undefined = iterator;
  while (next !== undefined) {
    const page: Awaited<ReturnType<typeof getRecords>> = await getRecords(client, next);
    // Not spread: a page has up to 10,000 records.
    for (const record of page.Records ?? []) records.push(record);
    if (page.Records?.length === 0 && page.MillisBehindLatest === 0) return records;
    next = page.NextShardIterator;
  }
  return records;
}

async function getRecords(client: KinesisClient, iterator: string) {
  return client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 10_000 }));
}
