import {
  ExpiredIteratorException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorInput,
  type KinesisClient,
  type _Record as KinesisRecord,
} from '@aws-sdk/client-kinesis';
import { once } from 'node:events';
// Not the kernel's clock: its timers let the process end, and tail is there to wait.
import { setTimeout as sleep } from 'node:timers/promises';
import { clientFlags, connect, listShards } from './client.ts';
import { clientFlagsHelp, columns } from './help.ts';
import { parseCommand, UsageError } from './usage.ts';

/** Five calls a second on a shard is what AWS grants. */
const pollEveryMs = 250;

const help = (): string => `millrace tail STREAM: print records as they come, from all shards

${columns([
  ['--from WHERE', 'trim-horizon (oldest), latest (default), or a time such as 2026-11-21T08:00:00Z'],
  ['--no-follow', 'stop when everything there is has been printed'],
  ['--json', 'a JSON object a record, with shard, sequence number, arrival time and partition key'],
])}${clientFlagsHelp}
Order is kept within a shard. Ctrl-C stops it.
`;

/** `millrace tail`: one line a record. */
export async function tail(args: string[]): Promise<void> {
  const flags = {
    ...clientFlags,
    from: { type: 'string' },
    'no-follow': { type: 'boolean' },
    json: { type: 'boolean' },
  } as const;
  const parsed = parseCommand(args, flags, help, 1);
  if (parsed === undefined) return;
  const [streamName] = parsed.positionals;
  if (streamName === undefined) throw new UsageError('tail takes the name of a stream');
  const start = startOf((parsed.values['from'] as string | undefined) ?? 'latest');
  const client = connect(parsed.values);
  const format = parsed.values['json'] === true ? jsonLine : textLine;
  const follows = parsed.values['no-follow'] !== true;
  const readers = (await listShards(client, streamName)).map(({ ShardId = '' }) =>
    readShard(new ShardReader(client, { StreamName: streamName, ShardId }, start), format, follows),
  );
  await Promise.all(readers);
  client.destroy();
}

type Start = Pick<GetShardIteratorInput, 'ShardIteratorType' | 'Timestamp'>;

function startOf(from: string): Start {
  if (from === 'trim-horizon') return { ShardIteratorType: 'TRIM_HORIZON' };
  if (from === 'latest') return { ShardIteratorType: 'LATEST' };
  const Timestamp = new Date(from);
  if (Number.isNaN(Timestamp.getTime()))
    throw new UsageError(`--from takes trim-horizon, latest or a time; "${from}" is none`);
  return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp };
}

async function readShard(reader: ShardReader, format: Format, follows: boolean): Promise<void> {
  while (!reader.isFinished) {
    const { records, isAtTip } = await reader.read();
    if (records.length > 0) {
      const text = records.map((record) => format(record, reader.shardId)).join('');
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    }
    if (!isAtTip) continue;
    if (!follows) return;
    await sleep(pollEveryMs);
  }
}

/** Reads one shard on and on; an iterator that expired while nobody read is replaced behind the last record. */
class ShardReader {
  readonly shardId: string;
  isFinished = false;
  readonly #client: KinesisClient;
  readonly #shard: { StreamName: string; ShardId: string };
  #start: Pick<GetShardIteratorInput, 'ShardIteratorType' | 'Timestamp' | 'StartingSequenceNumber'>;
  #iterator: string | undefined;

  constructor(client: KinesisClient, shard: { StreamName: string; ShardId: string }, start: Start) {
    this.#client = client;
    this.#shard = shard;
    this.shardId = shard.ShardId;
    this.#start = start;
  }

  async read(): Promise<{ records: KinesisRecord[]; isAtTip: boolean }> {
    this.#iterator ??= await this.#newIterator();
    try {
      const page = await this.#client.send(new GetRecordsCommand({ ShardIterator: this.#iterator }));
      const records = page.Records ?? [];
      const last = records.at(-1);
      if (last !== undefined) {
        this.#start = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last.SequenceNumber };
      }
      this.#iterator = page.NextShardIterator;
      this.isFinished = page.NextShardIterator === undefined;
      return { records, isAtTip: page.MillisBehindLatest === 0 };
    } catch (error) {
      if (!(error instanceof ExpiredIteratorException)) throw error;
      this.#iterator = undefined;
      return { records: [], isAtTip: false };
    }
  }

  async #newIterator(): Promise<string | undefined> {
    const { ShardIterator } = await this.#client.send(new GetShardIteratorCommand({ ...this.#shard, ...this.#start }));
    return ShardIterator;
  }
}

type Format = (record: KinesisRecord, shardId: string) => string;

const textLine: Format = ({ Data }) => `${Buffer.from(Data ?? []).toString()}\n`;

const jsonLine: Format = (record, shardId) =>
  `${JSON.stringify({
    shardId,
    sequenceNumber: record.SequenceNumber,
    arrival: record.ApproximateArrivalTimestamp,
    partitionKey: record.PartitionKey,
    data: Buffer.from(record.Data ?? []).toString(),
  })}\n`;
