import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  paginateListStreams,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import { clientFlags, connect, listShards } from './client.ts';
import { clientFlagsHelp, columns } from './help.ts';
import { parseCommand, UsageError } from './usage.ts';

const help = (): string => `millrace streams: list, create, describe and delete streams

${columns([
  ['millrace streams list', 'names, states and shards (also without the word)'],
  ['millrace streams create NAME', 'with --shards N (default 1)'],
  ['millrace streams describe NAME', 'its settings and shards'],
  ['millrace streams delete NAME', 'with all its records'],
])}
${clientFlagsHelp}`;

/** `millrace streams`. */
export async function streams(args: string[]): Promise<void> {
  const parsed = parseCommand(args, { ...clientFlags, shards: { type: 'string' } }, help, 2);
  if (parsed === undefined) return;
  const [action = 'list', name] = parsed.positionals;
  const client = connect(parsed.values);
  try {
    if (action === 'list') await list(client);
    else if (action === 'create') await create(client, named(name, action), shardCount(parsed.values['shards']));
    else if (action === 'describe') await describe(client, named(name, action));
    else if (action === 'delete') await remove(client, named(name, action));
    else throw new UsageError(`there is no "streams ${action}"`);
  } finally {
    client.destroy();
  }
}

function named(name: string | undefined, action: string): string {
  if (name === undefined) throw new UsageError(`streams ${action} takes the name of a stream`);
  return name;
}

function shardCount(value: unknown): number {
  const count = Number(value ?? 1);
  if (!Number.isInteger(count) || count < 1) throw new UsageError('--shards takes a whole number from 1');
  return count;
}

async function list(client: KinesisClient): Promise<void> {
  const rows: Array<[string, string]> = [];
  for await (const page of paginateListStreams({ client }, {})) {
    for (const { StreamName = '', StreamStatus = '' } of page.StreamSummaries ?? [])
      rows.push([StreamName, StreamStatus]);
  }
  process.stdout.write(rows.length === 0 ? 'no streams; make one with: millrace streams create NAME\n' : columns(rows));
}

async function create(client: KinesisClient, StreamName: string, ShardCount: number): Promise<void> {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount }));
  process.stdout.write(`created ${StreamName} with ${ShardCount} shard${ShardCount === 1 ? '' : 's'}\n`);
}

async function describe(client: KinesisClient, StreamName: string): Promise<void> {
  const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
  const rows: Array<[string, string]> = [
    ['name', StreamName],
    ['ARN', summary?.StreamARN ?? ''],
    ['state', summary?.StreamStatus ?? ''],
    ['mode', summary?.StreamModeDetails?.StreamMode ?? ''],
    ['retention', `${summary?.RetentionPeriodHours} hours`],
    ['created', summary?.StreamCreationTimestamp?.toISOString() ?? ''],
  ];
  for (const { ShardId = '', HashKeyRange, SequenceNumberRange } of await listShards(client, StreamName)) {
    const state = SequenceNumberRange?.EndingSequenceNumber === undefined ? 'open' : 'closed';
    rows.push([ShardId, `${state}  ${HashKeyRange?.StartingHashKey} to ${HashKeyRange?.EndingHashKey}`]);
  }
  process.stdout.write(columns(rows));
}

async function remove(client: KinesisClient, StreamName: string): Promise<void> {
  await client.send(new DeleteStreamCommand({ StreamName }));
  process.stdout.write(`deleted ${StreamName}\n`);
}
