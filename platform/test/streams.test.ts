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
  ListShardsCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  RemoveTagsFromStreamCommand,
  StartStreamEncryptionCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-kinesis';
import { describe, expect, test } from 'vitest';
import { rawCall } from './raw-call.ts';
import { SdkFixture } from './sdk-fixture.ts';

const sdk = SdkFixture.use();

describe('streams', () => {
  test('a new stream is ACTIVE at once and described with all that clients look at', async () => {
    const StreamName = await sdk.newStream(3);
    const { StreamDescription: description } = await sdk.client.send(new DescribeStreamCommand({ StreamName }));
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
    const { StreamDescriptionSummary: summary } = await sdk.client.send(
      new DescribeStreamSummaryCommand({ StreamName }),
    );
    expect(summary).toMatchObject({ OpenShardCount: 3, ConsumerCount: 0, MaxRecordSizeInKiB: 1024 });
    expect(summary?.StreamId).toMatch(/^[a-z0-9]{20}-[a-z0-9]{3}$/);
  });

  test('an on-demand stream has four shards', async () => {
    await sdk.client.send(
      new CreateStreamCommand({ StreamName: 'od', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }),
    );
    const { StreamDescriptionSummary } = await sdk.client.send(new DescribeStreamSummaryCommand({ StreamName: 'od' }));
    expect(StreamDescriptionSummary).toMatchObject({
      OpenShardCount: 4,
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
    });
  });

  test('a name is taken once, and free again after a deletion', async () => {
    const StreamName = await sdk.newStream();
    const again = sdk.client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await expect(again).rejects.toMatchObject({
      name: 'ResourceInUseException',
      message: `Stream ${StreamName} under account 000000000000 already exists.`,
    });
    const [before] = await sdk.put(StreamName, 'old');
    const iterator = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await sdk.client.send(new DeleteStreamCommand({ StreamName }));
    await expect(sdk.client.send(new DescribeStreamCommand({ StreamName }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Stream ${StreamName} under account 000000000000 not found.`,
    });
    await sdk.client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await expect(sdk.client.send(new GetRecordsCommand({ ShardIterator: iterator }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const [after] = await sdk.put(StreamName, 'new');
    expect(BigInt(after as string)).toBeGreaterThan(BigInt(before as string));
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' }))).toEqual([
      'new',
    ]);
    const foreign = sdk.iteratorAt(StreamName, {
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: before,
    });
    await expect(foreign).rejects.toThrow('because it did not come from this stream.');
  });

  test('streams are found by name, ARN and id, which must agree', async () => {
    const StreamName = await sdk.newStream();
    const other = await sdk.newStream();
    // Without the SDK: given a StreamId it calls a host name made of it, whatever its endpoint.
    const summaryOf = async (reference: object): Promise<Record<string, string> | undefined> =>
      (await rawCall(sdk.endpoint, 'DescribeStreamSummary', reference))['StreamDescriptionSummary'] as Record<
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

  test('the Kinesis Client Library is told no StreamId, which would lead its SDK away from this endpoint', async () => {
    const StreamName = await sdk.newStream();
    const summaryFor = (userAgent: string): Promise<Record<string, unknown>> =>
      rawCall(sdk.endpoint, 'DescribeStreamSummary', { StreamName }, { userAgent });
    const answered = { StreamName, StreamStatus: 'ACTIVE' };
    expect(await summaryFor('aws-sdk-java/2.41.21 io/async')).toMatchObject({
      StreamDescriptionSummary: { ...answered, StreamId: expect.stringMatching(/^[a-z0-9]{20}-[a-z0-9]{3}$/) },
    });
    const library =
      'aws-sdk-java/2.41.21 io/async amazon-kinesis-client-library-java/amazon-kinesis-client-library-java-3.5.1';
    const { StreamDescriptionSummary } = await summaryFor(library);
    expect(StreamDescriptionSummary).toMatchObject(answered);
    expect(StreamDescriptionSummary).not.toHaveProperty('StreamId');
  });

  test('accounts and regions are apart', async () => {
    const StreamName = await sdk.newStream();
    const other = sdk.connect('us-east-1', '111122223333');
    const elsewhere = [sdk.connect('eu-west-1'), other];
    for (const each of elsewhere) {
      await expect(each.send(new DescribeStreamCommand({ StreamName }))).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
      });
      await each.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
      expect((await each.send(new ListStreamsCommand({}))).StreamNames).toEqual([StreamName]);
    }
    const arn = `arn:aws:kinesis:us-east-1:111122223333:stream/${StreamName}`;
    await expect(sdk.client.send(new DescribeStreamCommand({ StreamARN: arn }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    const summary = await other.send(new DescribeStreamSummaryCommand({ StreamARN: arn }));
    expect(summary.StreamDescriptionSummary?.OpenShardCount).toBe(2);
    const { ShardIterator } = await other.send(
      new GetShardIteratorCommand({ StreamName, ShardId: '0', ShardIteratorType: 'LATEST' }),
    );
    await expect(sdk.client.send(new GetRecordsCommand({ ShardIterator }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    for (const each of elsewhere) each.destroy();
  });

  test('ListStreams and ListShards page', async () => {
    const lister = sdk.connect('ap-south-1');
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
    const StreamName = await sdk.newStream();
    const encryption = { StreamName, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' } as const;
    await expect(sdk.client.send(new StartStreamEncryptionCommand(encryption))).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining('StartStreamEncryption'),
    });
    const warm = sdk.client.send(
      new CreateStreamCommand({ StreamName: 'warm', ShardCount: 1, WarmThroughputMiBps: 1 }),
    );
    await expect(warm).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining('WarmThroughputMiBps'),
    });
  });
});

describe('settings of a stream', () => {
  test('retention goes from 24 to 8760 hours, up and down by the call that says so', async () => {
    const StreamName = await sdk.newStream();
    const increase = (RetentionPeriodHours: number) =>
      sdk.client.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours }));
    const decrease = (RetentionPeriodHours: number) =>
      sdk.client.send(new DecreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours }));
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
    const { StreamDescription } = await sdk.client.send(new DescribeStreamCommand({ StreamName }));
    expect(StreamDescription?.RetentionPeriodHours).toBe(24);
  });

  test('tags by both families of calls', async () => {
    const StreamName = await sdk.newStream();
    const ResourceARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${StreamName}`;
    await sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: { b: '2', a: '1', ['__proto__']: 'own' } }));
    await sdk.client.send(new TagResourceCommand({ ResourceARN, Tags: { c: '', a: 'new' } }));
    const Tags = [
      { Key: '__proto__', Value: 'own' },
      { Key: 'a', Value: 'new' },
      { Key: 'b', Value: '2' },
      { Key: 'c', Value: '' },
    ];
    const listed = (await sdk.client.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags;
    expect(listed?.filter(({ Key }) => Key !== '__proto__')).toEqual(Tags.slice(1));
    const page = await sdk.client.send(
      new ListTagsForStreamCommand({ StreamName, Limit: 2, ExclusiveStartTagKey: 'a' }),
    );
    expect(page).toMatchObject({ Tags: Tags.slice(2), HasMoreTags: false });
    await sdk.client.send(new RemoveTagsFromStreamCommand({ StreamName, TagKeys: ['a', 'none'] }));
    await sdk.client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['b'] }));
    const left = (await sdk.client.send(new ListTagsForStreamCommand({ StreamName }))).Tags ?? [];
    expect(left.filter(({ Key }) => Key !== '__proto__')).toEqual([{ Key: 'c', Value: '' }]);
  });

  test('tags are bounded: 50 of them, of the characters that are allowed', async () => {
    const StreamName = await sdk.newStream();
    const tags = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
    await sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: tags(49) }));
    await sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: tags(50) }));
    await expect(sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: { one: 'more' } }))).rejects.toThrow(
      `Failed to add tags to stream ${StreamName} under account 000000000000 because`,
    );
    await expect(sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: { 'a;b': '' } }))).rejects.toThrow(
      'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.',
    );
    await expect(
      sdk.client.send(new AddTagsToStreamCommand({ StreamName, Tags: { 'aws:x': '' } })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
    await expect(
      sdk.client.send(new CreateStreamCommand({ StreamName: 'tagged', ShardCount: 1, Tags: { '*': '' } })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
  });
});
