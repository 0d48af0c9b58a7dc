import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DecreaseStreamRetentionPeriodCommand,
  DeleteStreamCommand,
  DescribeLimitsCommand,
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  IncreaseStreamRetentionPeriodCommand,
  KinesisClient,
  ListShardsCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  PutRecordCommand,
  PutRecordsCommand,
  RemoveTagsFromStreamCommand,
  SplitShardCommand,
  TagResourceCommand,
  UntagResourceCommand,
  type GetShardIteratorInput,
} from '@aws-sdk/client-kinesis';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start } from '../src/index.ts';
import { rawCall } from './raw-call.ts';

/** The built operations as the official client sees them: default settings, HTTP/2, one server for all. */
let server: Awaited<ReturnType<typeof start>>;
let client: KinesisClient;

function connect(region = 'us-east-1', accessKeyId = 'test'): KinesisClient {
  return new KinesisClient({
    endpoint: server.endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey: 'test' },
  });
}

beforeAll(async () => {
  server = await start({ durability: 'memory' });
  client = connect();
});

afterAll(async () => {
  client.destroy();
  await server.close();
});

let streamCount = 0;
async function newStream(ShardCount = 1): Promise<string> {
  const StreamName = `stream-${++streamCount}`;
  await client.send(new CreateStreamCommand({ StreamName, ShardCount }));
  return StreamName;
}

type Position = Omit<GetShardIteratorInput, 'StreamName' | 'ShardId'>;

async function iteratorAt(StreamName: string, position: Position, ShardId = 'shardId-000000000000'): Promise<string> {
  const answer = await client.send(new GetShardIteratorCommand({ StreamName, ShardId, ...position }));
  return answer.ShardIterator as string;
}

async function textsFrom(ShardIterator: string): Promise<string[]> {
  const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }));
  return Records.map(({ Data }) => Buffer.from(Data ?? []).toString());
}

async function put(StreamName: string, ...texts: string[]): Promise<string[]> {
  const { Records = [] } = await client.send(
    new PutRecordsCommand({
      StreamName,
      Records: texts.map((text) => ({ Data: Buffer.from(text), PartitionKey: 'k' })),
    }),
  );
  return Records.map(({ SequenceNumber }) => SequenceNumber as string);
}

describe('streams', () => {
  test('a new stream is ACTIVE at once and described with all that clients look at', async () => {
    const StreamName = await newStream(3);
    const { StreamDescription: description } = await client.send(new DescribeStreamCommand({ StreamName }));
    expect(description).toMatchObject({
      StreamName,
      StreamARN: `arn:aws:kinesis:us-east-1:000000000000:stream/${StreamName}`,
      StreamStatus: 'ACTIVE',
      StreamModeDetails: { StreamMode: 'PROVISIONED' },
      HasMoreShards: false,
      RetentionPeriodHours: 24,
      EncryptionType: 'NONE',
      EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    });
    expect(description?.Shards?.map(({ ShardId }) => ShardId)).toEqual([0, 1, 2].map((n) => `shardId-00000000000${n}`));
    const ranges = description?.Shards?.map(({ HashKeyRange }) => [
      HashKeyRange?.StartingHashKey,
      HashKeyRange?.EndingHashKey,
    ]);
    const width = 2n ** 128n / 3n;
    expect(ranges).toEqual([
      ['0', String(width - 1n)],
      [String(width), String(2n * width - 1n)],
      [String(2n * width), String(2n ** 128n - 1n)],
    ]);
    const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    expect(summary).toMatchObject({ OpenShardCount: 3, ConsumerCount: 0, MaxRecordSizeInKiB: 1024 });
    expect(summary?.StreamId).toMatch(/^[a-z0-9]{20}-[a-z0-9]{3}$/);
  });

  test('an on-demand stream has four shards', async () => {
    await client.send(new CreateStreamCommand({ StreamName: 'od', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }));
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'od' }));
    expect(StreamDescriptionSummary).toMatchObject({
      OpenShardCount: 4,
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
    });
  });

  test('a name is taken once, and free again after a deletion', async () => {
    const StreamName = await newStream();
    const again = client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await expect(again).rejects.toMatchObject({
      name: 'ResourceInUseException',
      message: `Stream ${StreamName} under account 000000000000 already exists.`,
    });
    const [before] = await put(StreamName, 'old');
    const iterator = await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await client.send(new DeleteStreamCommand({ StreamName }));
    await expect(client.send(new DescribeStreamCommand({ StreamName }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Stream ${StreamName} under account 000000000000 not found.`,
    });
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await expect(client.send(new GetRecordsCommand({ ShardIterator: iterator }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const [after] = await put(StreamName, 'new');
    expect(BigInt(after as string)).toBeGreaterThan(BigInt(before as string));
    expect(await textsFrom(await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' }))).toEqual(['new']);
    const foreign = iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: before });
    await expect(foreign).rejects.toThrow('because it did not come from this stream.');
  });

  test('streams are found by name, ARN and id, which must agree', async () => {
    const StreamName = await newStream();
    const other = await newStream();
    // Without the SDK: given a StreamId it calls a host name made of it, whatever its endpoint.
    const summaryOf = async (reference: object): Promise<Record<string, string> | undefined> =>
      (await rawCall(server.endpoint, 'DescribeStreamSummary', reference))['StreamDescriptionSummary'] as Record<
        string,
        string
      >;
    const { StreamARN, StreamId } = (await summaryOf({ StreamName })) ?? {};
    const otherId = (await summaryOf({ StreamName: other }))?.['StreamId'];
    for (const reference of [{ StreamARN }, { StreamId }, { StreamARN, StreamName, StreamId }]) {
      expect((await summaryOf(reference))?.['StreamName']).toBe(StreamName);
    }
    const disagreeing = [
      { StreamName: other, StreamARN },
      { StreamName, StreamId: otherId },
      { StreamARN, StreamId: otherId },
      {},
    ];
    for (const reference of disagreeing) {
      await expect(summaryOf(reference)).rejects.toMatchObject({ name: 'InvalidArgumentException' });
    }
  });

  test('accounts and regions are apart', async () => {
    const StreamName = await newStream();
    const other = connect('us-east-1', '111122223333');
    const elsewhere = [connect('eu-west-1'), other];
    for (const each of elsewhere) {
      await expect(each.send(new DescribeStreamCommand({ StreamName }))).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
      });
      await each.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
      expect((await each.send(new ListStreamsCommand({}))).StreamNames).toEqual([StreamName]);
    }
    const arn = `arn:aws:kinesis:us-east-1:111122223333:stream/${StreamName}`;
    await expect(client.send(new DescribeStreamCommand({ StreamARN: arn }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    const summary = await other.send(new DescribeStreamSummaryCommand({ StreamARN: arn }));
    expect(summary.StreamDescriptionSummary?.OpenShardCount).toBe(2);
    const { ShardIterator } = await other.send(
      new GetShardIteratorCommand({ StreamName, ShardId: '0', ShardIteratorType: 'LATEST' }),
    );
    await expect(client.send(new GetRecordsCommand({ ShardIterator }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    for (const each of elsewhere) each.destroy();
  });

  test('ListStreams and ListShards page', async () => {
    const lister = connect('ap-south-1');
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const StreamName of names) await lister.send(new CreateStreamCommand({ StreamName, ShardCount: 5 }));
    const first = await lister.send(new ListStreamsCommand({ Limit: 2 }));
    expect(first).toMatchObject({ StreamNames: ['a', 'b'], HasMoreStreams: true });
    const rest = await lister.send(new ListStreamsCommand({ NextToken: first.NextToken }));
    expect(rest).toMatchObject({ StreamNames: ['c', 'd', 'e'], HasMoreStreams: false });
    expect(rest.StreamSummaries?.[0]).toMatchObject({ StreamName: 'c', StreamStatus: 'ACTIVE' });
    expect((await lister.send(new ListStreamsCommand({ ExclusiveStartStreamName: 'd' }))).StreamNames).toEqual(['e']);
    const page = await lister.send(new ListShardsCommand({ StreamName: 'a', MaxResults: 3 }));
    const last = await lister.send(new ListShardsCommand({ NextToken: page.NextToken }));
    expect([...(page.Shards ?? []), ...(last.Shards ?? [])].map(({ ShardId }) => Number(ShardId?.slice(8)))).toEqual([
      0, 1, 2, 3, 4,
    ]);
    expect(last.NextToken).toBeUndefined();
    await expect(lister.send(new ListShardsCommand({ NextToken: 'nonsense' }))).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
    await expect(lister.send(new ListShardsCommand({}))).rejects.toThrow(
      'Either NextToken or StreamName should be provided.',
    );
    await expect(lister.send(new ListShardsCommand({ StreamName: 'a', NextToken: page.NextToken }))).rejects.toThrow(
      'NextToken and StreamName cannot be provided together.',
    );
    const after = await lister.send(
      new ListShardsCommand({
        StreamName: 'a',
        ShardFilter: { Type: 'AFTER_SHARD_ID', ShardId: 'shardId-000000000002' },
      }),
    );
    expect(after.Shards).toHaveLength(2);
    const described = await lister.send(
      new DescribeStreamCommand({ StreamName: 'a', Limit: 2, ExclusiveStartShardId: 'shardId-000000000001' }),
    );
    expect(described.StreamDescription).toMatchObject({ HasMoreShards: true });
    expect(described.StreamDescription?.Shards?.map(({ ShardId }) => ShardId)).toEqual([
      'shardId-000000000002',
      'shardId-000000000003',
    ]);
    expect(await lister.send(new DescribeLimitsCommand({}))).toMatchObject({
      OpenShardCount: 25,
      OnDemandStreamCount: 0,
    });
    lister.destroy();
  });

  test('what is not built is refused by name', async () => {
    const StreamName = await newStream();
    const split = client.send(new SplitShardCommand({ StreamName, ShardToSplit: '0', NewStartingHashKey: '1' }));
    await expect(split).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining('SplitShard'),
    });
    const warm = client.send(new CreateStreamCommand({ StreamName: 'warm', ShardCount: 1, WarmThroughputMiBps: 1 }));
    await expect(warm).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining('WarmThroughputMiBps'),
    });
  });
});

describe('records', () => {
  test('a partition key goes where its MD5 says, an explicit hash key overrides it', async () => {
    const StreamName = await newStream(7);
    const width = 2n ** 128n / 7n;
    for (const PartitionKey of ['', 'a', 'ü€𝄞', 'x'.repeat(256)].filter((key) => key !== '')) {
      const hash = BigInt(`0x${createHash('md5').update(PartitionKey).digest('hex')}`);
      const shard = hash / width > 6n ? 6n : hash / width;
      const { ShardId } = await client.send(new PutRecordCommand({ StreamName, Data: Buffer.from('x'), PartitionKey }));
      expect(ShardId).toBe(`shardId-${String(shard).padStart(12, '0')}`);
    }
    for (const [hash, shard] of [
      [0n, 0],
      [width - 1n, 0],
      [width, 1],
      [2n ** 128n - 1n, 6],
    ] as const) {
      const { ShardId } = await client.send(
        new PutRecordCommand({ StreamName, Data: Buffer.from('x'), PartitionKey: 'k', ExplicitHashKey: String(hash) }),
      );
      expect(Number(ShardId?.slice(8))).toBe(shard);
    }
    const above = { StreamName, Data: Buffer.from('x'), PartitionKey: 'k', ExplicitHashKey: String(2n ** 128n) };
    await expect(client.send(new PutRecordCommand(above))).rejects.toThrow(
      `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${2n ** 128n}`,
    );
  });

  test('every iterator type starts where it says', async () => {
    const StreamName = await newStream();
    const latest = await iteratorAt(StreamName, { ShardIteratorType: 'LATEST' });
    const numbers = await put(StreamName, 'a', 'b', 'c');
    const [, second] = numbers;
    expect(await textsFrom(latest)).toEqual(['a', 'b', 'c']);
    expect(await textsFrom(await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' }))).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(await textsFrom(await iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }))).toEqual([]);
    const at = { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: second } as const;
    expect(await textsFrom(await iteratorAt(StreamName, at))).toEqual(['b', 'c']);
    const after = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: second } as const;
    expect(await textsFrom(await iteratorAt(StreamName, after))).toEqual(['c']);
    const old = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(0) } as const;
    expect(await textsFrom(await iteratorAt(StreamName, old))).toEqual(['a', 'b', 'c']);
    const future = iteratorAt(StreamName, {
      ShardIteratorType: 'AT_TIMESTAMP',
      Timestamp: new Date(Date.now() + 60_000),
    });
    await expect(future).rejects.toThrow(
      'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.',
    );
    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamName }));
    const beginning = StreamDescription?.Shards?.[0]?.SequenceNumberRange?.StartingSequenceNumber;
    for (const ShardIteratorType of ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'] as const) {
      expect(
        await textsFrom(await iteratorAt(StreamName, { ShardIteratorType, StartingSequenceNumber: beginning })),
      ).toEqual(['a', 'b', 'c']);
    }
    expect(
      numbers
        .map(BigInt)
        .every((number, i) => number > BigInt(i === 0 ? (beginning as string) : (numbers[i - 1] as string))),
    ).toBe(true);
  });

  test('iterators ask for what their type needs', async () => {
    const StreamName = await newStream(2);
    const [number] = await put(StreamName, 'a');
    await expect(
      iteratorAt(StreamName, { ShardIteratorType: 'LATEST', StartingSequenceNumber: number }),
    ).rejects.toThrow('Request specified LATEST and also a StartingSequenceNumber.');
    await expect(iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER' })).rejects.toThrow(
      'Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.',
    );
    await expect(iteratorAt(StreamName, { ShardIteratorType: 'AT_TIMESTAMP' })).rejects.toThrow(
      'Must specify timestampInMillis',
    );
    await expect(
      iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: '0' }),
    ).rejects.toThrow('StartingSequenceNumber 0 used in GetShardIterator on shard shardId-000000000000');
    const other = `shardId-00000000000${(await client.send(new PutRecordCommand({ StreamName, Data: Buffer.from(''), PartitionKey: 'k' }))).ShardId === 'shardId-000000000000' ? 1 : 0}`;
    await expect(
      iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: number }, other),
    ).rejects.toThrow('Invalid StartingSequenceNumber. It encodes');
    await expect(iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, 'shardId-000000000009')).rejects.toThrow(
      `Shard shardId-000000000009 in stream ${StreamName} under account 000000000000 does not exist`,
    );
    await expect(iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, 'shardId-nine')).rejects.toThrow(
      `Could not find shard shardId-nine in stream ${StreamName} under account 000000000000.`,
    );
    for (const ShardId of ['shardId-1', 'shard-1', '1']) {
      expect(await iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, ShardId)).toBeTypeOf('string');
    }
    await expect(textsFrom('AAAAAAAAAAE=')).rejects.toThrow('Invalid ShardIterator.');
    const good = await iteratorAt(StreamName, { ShardIteratorType: 'LATEST' });
    const altered = `${good.slice(0, 40)}${good[40] === 'A' ? 'B' : 'A'}${good.slice(41)}`;
    await expect(textsFrom(altered)).rejects.toThrow('Invalid ShardIterator.');
  });

  test('Limit cuts an answer, MillisBehindLatest tells the truth, and the same iterator reads the same again', async () => {
    const StreamName = await newStream();
    await put(StreamName, 'a', 'b', 'c');
    const ShardIterator = await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    const first = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }));
    expect(first.Records).toHaveLength(2);
    expect(first.MillisBehindLatest).toBeGreaterThanOrEqual(20);
    const again = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }));
    expect(again.Records?.map(({ SequenceNumber }) => SequenceNumber)).toEqual(
      first.Records?.map(({ SequenceNumber }) => SequenceNumber),
    );
    const second = await client.send(new GetRecordsCommand({ ShardIterator: first.NextShardIterator }));
    expect(second.Records?.map(({ Data }) => Buffer.from(Data ?? []).toString())).toEqual(['c']);
    expect(second.MillisBehindLatest).toBe(0);
    const idle = await client.send(new GetRecordsCommand({ ShardIterator: second.NextShardIterator }));
    expect(idle).toMatchObject({ Records: [], MillisBehindLatest: 0 });
    expect(idle.NextShardIterator).toBeTypeOf('string');
  });

  test('records come back byte for byte, with key and arrival time', async () => {
    const StreamName = await newStream();
    const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const before = Date.now();
    await client.send(new PutRecordCommand({ StreamName, Data: data, PartitionKey: 'ü€𝄞"\\\n' }));
    await client.send(new PutRecordCommand({ StreamName, Data: Buffer.alloc(0), PartitionKey: ' ' }));
    const ShardIterator = await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(Buffer.from(Records[0]?.Data ?? [])).toEqual(data);
    expect(Records[0]?.PartitionKey).toBe('ü€𝄞"\\\n');
    expect(Records[1]?.Data).toHaveLength(0);
    const arrival = Records[0]?.ApproximateArrivalTimestamp?.getTime() ?? 0;
    expect(arrival).toBeGreaterThanOrEqual(before);
    expect(arrival).toBeLessThanOrEqual(Date.now());
  });

  test('an answer holds at most 10 MiB, and a record at most what the stream takes', async () => {
    const StreamName = await newStream();
    const mebibyte = 1024 * 1024;
    const full = { StreamName, PartitionKey: 'k', Data: Buffer.alloc(mebibyte - 1, 1) };
    for (let i = 0; i < 12; i++) await client.send(new PutRecordCommand(full));
    await expect(client.send(new PutRecordCommand({ ...full, Data: Buffer.alloc(mebibyte) }))).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
    const ShardIterator = await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    const page = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(page.Records).toHaveLength(10);
    expect((await client.send(new GetRecordsCommand({ ShardIterator: page.NextShardIterator }))).Records).toHaveLength(
      2,
    );
    await client.send(new CreateStreamCommand({ StreamName: 'large', ShardCount: 1, MaxRecordSizeInKiB: 10_240 }));
    const largest = { StreamName: 'large', PartitionKey: 'k', Data: Buffer.alloc(10 * mebibyte - 1) };
    await client.send(new PutRecordCommand(largest));
    expect(await textsFrom(await iteratorAt('large', { ShardIteratorType: 'TRIM_HORIZON' }))).toHaveLength(1);
    await expect(
      client.send(new PutRecordCommand({ ...largest, Data: Buffer.alloc(10 * mebibyte) })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
  });

  test('SequenceNumberForOrdering takes numbers that were given, and no others', async () => {
    const StreamName = await newStream();
    const [SequenceNumberForOrdering = ''] = await put(StreamName, 'a');
    const record = { StreamName, Data: Buffer.from('b'), PartitionKey: 'k' };
    const { SequenceNumber } = await client.send(new PutRecordCommand({ ...record, SequenceNumberForOrdering }));
    expect(BigInt(SequenceNumber as string)).toBeGreaterThan(BigInt(SequenceNumberForOrdering));
    for (const bad of ['0', '1', String(BigInt(SequenceNumber as string) + 2n ** 90n)]) {
      await expect(client.send(new PutRecordCommand({ ...record, SequenceNumberForOrdering: bad }))).rejects.toThrow(
        `ExclusiveMinimumSequenceNumber ${bad} used in PutRecord on stream ${StreamName} under account 000000000000 is invalid.`,
      );
    }
  });

  test('DryRun checks everything and stores nothing', async () => {
    const StreamName = await newStream();
    const record = { Data: Buffer.from('b'), PartitionKey: 'k' };
    const dry = { name: 'DryRunOperationException' };
    await expect(client.send(new PutRecordCommand({ StreamName, ...record, DryRun: true }))).rejects.toMatchObject(dry);
    await expect(
      client.send(new PutRecordsCommand({ StreamName, Records: [record], DryRun: true })),
    ).rejects.toMatchObject(dry);
    const iterator = { StreamName, ShardId: '0', ShardIteratorType: 'TRIM_HORIZON', DryRun: true } as const;
    await expect(client.send(new GetShardIteratorCommand(iterator))).rejects.toMatchObject(dry);
    const ShardIterator = await iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await expect(client.send(new GetRecordsCommand({ ShardIterator, DryRun: true }))).rejects.toMatchObject(dry);
    expect(await textsFrom(ShardIterator)).toEqual([]);
    await expect(
      client.send(new PutRecordCommand({ StreamName: 'none', ...record, DryRun: true })),
    ).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});

describe('settings of a stream', () => {
  test('retention goes from 24 to 8760 hours, up and down by the call that says so', async () => {
    const StreamName = await newStream();
    const increase = (RetentionPeriodHours: number) =>
      client.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours }));
    const decrease = (RetentionPeriodHours: number) =>
      client.send(new DecreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours }));
    await increase(24);
    await increase(8760);
    await expect(increase(8761)).rejects.toThrow(
      'Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.',
    );
    await expect(increase(8759)).rejects.toThrow(
      `Requested retention period (8759 hours) for stream ${StreamName} can not be shorter than existing retention period (8760 hours). Use DecreaseRetentionPeriod API.`,
    );
    await decrease(25);
    await expect(decrease(26)).rejects.toThrow(
      'can not be longer than existing retention period (25 hours). Use IncreaseRetentionPeriod API.',
    );
    await decrease(24);
    await expect(decrease(23)).rejects.toThrow(
      'Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.',
    );
    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamName }));
    expect(StreamDescription?.RetentionPeriodHours).toBe(24);
  });

  test('tags by both families of calls', async () => {
    const StreamName = await newStream();
    const ResourceARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${StreamName}`;
    await client.send(new AddTagsToStreamCommand({ StreamName, Tags: { b: '2', a: '1', ['__proto__']: 'own' } }));
    await client.send(new TagResourceCommand({ ResourceARN, Tags: { c: '', a: 'new' } }));
    const Tags = [
      { Key: '__proto__', Value: 'own' },
      { Key: 'a', Value: 'new' },
      { Key: 'b', Value: '2' },
      { Key: 'c', Value: '' },
    ];
    const listed = (await client.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags;
    expect(listed?.filter(({ Key }) => Key !== '__proto__')).toEqual(Tags.slice(1));
    const page = await client.send(new ListTagsForStreamCommand({ StreamName, Limit: 2, ExclusiveStartTagKey: 'a' }));
    expect(page).toMatchObject({ Tags: Tags.slice(2), HasMoreTags: false });
    await client.send(new RemoveTagsFromStreamCommand({ StreamName, TagKeys: ['a', 'none'] }));
    await client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['b'] }));
    const left = (await client.send(new ListTagsForStreamCommand({ StreamName }))).Tags ?? [];
    expect(left.filter(({ Key }) => Key !== '__proto__')).toEqual([{ Key: 'c', Value: '' }]);
  });

  test('tags are bounded: 50 of them, of the characters that are allowed', async () => {
    const StreamName = await newStream();
    const tags = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
    await client.send(new AddTagsToStreamCommand({ StreamName, Tags: tags(49) }));
    await client.send(new AddTagsToStreamCommand({ StreamName, Tags: tags(50) }));
    await expect(client.send(new AddTagsToStreamCommand({ StreamName, Tags: { one: 'more' } }))).rejects.toThrow(
      `Failed to add tags to stream ${StreamName} under account 000000000000 because`,
    );
    await expect(client.send(new AddTagsToStreamCommand({ StreamName, Tags: { 'a;b': '' } }))).rejects.toThrow(
      'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.',
    );
    await expect(client.send(new AddTagsToStreamCommand({ StreamName, Tags: { 'aws:x': '' } }))).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
    await expect(
      client.send(new CreateStreamCommand({ StreamName: 'tagged', ShardCount: 1, Tags: { '*': '' } })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
  });
});
