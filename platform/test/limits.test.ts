import { expect, test } from 'vitest';
import { caller, startStreams, type StreamsHarness } from '../../testing/src/streams-harness.ts';
import { rateLimitProfile, rateLimits, type RateLimitName } from '../src/streams/index.ts';

/** Rates and quotas under `--limits aws`, on a simulated clock: each just below, at and above. */
async function underAwsLimits(change: Partial<Record<RateLimitName, number>> = {}): Promise<StreamsHarness> {
  const harness = await startStreams({ limits: { ...rateLimitProfile('off'), ...change } });
  await harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  return harness;
}

const aws = rateLimitProfile('aws');
const record = (bytes: number) => ({ Data: new Uint8Array(bytes - 1), PartitionKey: 'k' });

test('records into a shard: a thousand a second, then ProvisionedThroughputExceededException, and again a second later', async () => {
  const { streams, clock, close } = await underAwsLimits({ 'shard-write-records': aws['shard-write-records'] });
  const put = async (count: number): Promise<number> =>
    (await streams.putRecords({ StreamName: 's', Records: Array.from({ length: count }, () => record(2)) }, caller))
      .FailedRecordCount ?? 0;
  expect(await put(500)).toBe(0);
  expect(await put(499)).toBe(0);
  await streams.putRecord({ StreamName: 's', ...record(2) }, caller);
  await expect(streams.putRecord({ StreamName: 's', ...record(2) }, caller)).rejects.toMatchObject({
    code: 'ProvisionedThroughputExceededException',
    message: `Rate exceeded for shard shardId-000000000000 in stream s under account ${caller.account}.`,
  });
  clock.advance(250);
  expect(await put(300)).toBe(50);
  clock.advance(1000);
  expect(await put(500)).toBe(0);
  await close();
});

test('a PutRecords over the rate stores what fits and names the rest', async () => {
  const { streams, close } = await underAwsLimits({ 'shard-write-bytes': aws['shard-write-bytes'] });
  const Records = Array.from({ length: 5 }, () => record(256 * 1024));
  const answer = await streams.putRecords({ StreamName: 's', Records }, caller);
  expect(answer.FailedRecordCount).toBe(1);
  expect(answer.Records.slice(0, 4).every(({ SequenceNumber }) => SequenceNumber !== undefined)).toBe(true);
  expect(answer.Records[4]).toEqual({
    ErrorCode: 'ProvisionedThroughputExceededException',
    ErrorMessage: `Rate exceeded for shard shardId-000000000000 in stream s under account ${caller.account}.`,
  });
  await close();
});

test('bytes into a shard: a mebibyte a second, keys included', async () => {
  const { streams, clock, close } = await underAwsLimits({ 'shard-write-bytes': aws['shard-write-bytes'] });
  const put = (bytes: number) => streams.putRecord({ StreamName: 's', ...record(bytes) }, caller);
  await put(1_048_575);
  await expect(put(2)).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
  await put(1);
  await expect(put(1)).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
  clock.advance(1000);
  await put(1_048_576);
  await close();
});

test('bytes out of a shard: an answer may exceed the rate, and is then waited for', async () => {
  const { streams, clock, close } = await underAwsLimits({ 'shard-read-bytes': aws['shard-read-bytes'] });
  for (let i = 0; i < 6; i++) await streams.putRecord({ StreamName: 's', ...record(1_048_576) }, caller);
  const iterator = { StreamName: 's', ShardId: '0', ShardIteratorType: 'TRIM_HORIZON' } as const;
  const { ShardIterator = '' } = await streams.getShardIterator(iterator, caller);
  expect((await streams.getRecords({ ShardIterator }, caller)).Records).toHaveLength(6);
  clock.advance(1990);
  await expect(streams.getRecords({ ShardIterator }, caller)).rejects.toMatchObject({
    code: 'ProvisionedThroughputExceededException',
  });
  clock.advance(20);
  expect((await streams.getRecords({ ShardIterator }, caller)).Records).toHaveLength(6);
  await close();
});

test('calls on a shard: five GetRecords and five GetShardIterator a second', async () => {
  const { streams, clock, close } = await underAwsLimits({
    'shard-read-calls': aws['shard-read-calls'],
    'get-shard-iterator-calls': aws['get-shard-iterator-calls'],
  });
  const iterator = { StreamName: 's', ShardId: '0', ShardIteratorType: 'LATEST' } as const;
  const ShardIterator = (await streams.getShardIterator(iterator, caller)).ShardIterator ?? '';
  for (let i = 0; i < 4; i++) await streams.getShardIterator(iterator, caller);
  await expect(streams.getShardIterator(iterator, caller)).rejects.toMatchObject({
    code: 'ProvisionedThroughputExceededException',
  });
  for (let i = 0; i < 5; i++) await streams.getRecords({ ShardIterator }, caller);
  await expect(streams.getRecords({ ShardIterator }, caller)).rejects.toMatchObject({
    code: 'ProvisionedThroughputExceededException',
  });
  clock.advance(200);
  await streams.getRecords({ ShardIterator }, caller);
  await close();
});

const arn = { ResourceARN: `arn:aws:kinesis:${caller.region}:${caller.account}:stream/s` };

/** A call of each operation that has a rate of its own. */
const controlCalls: Readonly<Partial<Record<RateLimitName, (streams: StreamsHarness['streams']) => Promise<unknown>>>> =
  {
    'create-stream-calls': (streams) => streams.createStream({ StreamName: 's', ShardCount: 1 }, caller),
    'delete-stream-calls': (streams) => streams.deleteStream({ StreamName: 'none' }, caller),
    'describe-stream-calls': (streams) => streams.describeStream({ StreamName: 's' }, caller),
    'describe-stream-summary-calls': (streams) => streams.describeStreamSummary({ StreamName: 's' }, caller),
    'list-streams-calls': (streams) => streams.listStreams({}, caller),
    'list-shards-calls': (streams) => streams.listShards({ StreamName: 's' }, caller),
    'describe-limits-calls': (streams) => streams.describeLimits({}, caller),
    'increase-stream-retention-period-calls': (streams) =>
      streams.increaseStreamRetentionPeriod({ StreamName: 's', RetentionPeriodHours: 24 }, caller),
    'decrease-stream-retention-period-calls': (streams) =>
      streams.decreaseStreamRetentionPeriod({ StreamName: 's', RetentionPeriodHours: 24 }, caller),
    'add-tags-to-stream-calls': (streams) => streams.addTagsToStream({ StreamName: 's', Tags: { a: 'b' } }, caller),
    'remove-tags-from-stream-calls': (streams) =>
      streams.removeTagsFromStream({ StreamName: 's', TagKeys: ['a'] }, caller),
    'list-tags-for-stream-calls': (streams) => streams.listTagsForStream({ StreamName: 's' }, caller),
    'tag-resource-calls': (streams) => streams.tagResource({ ...arn, Tags: { a: 'b' } }, caller),
    'untag-resource-calls': (streams) => streams.untagResource({ ...arn, TagKeys: ['a'] }, caller),
    'list-tags-for-resource-calls': (streams) => streams.listTagsForResource(arn, caller),
    'split-shard-calls': (streams) =>
      streams.splitShard({ StreamName: 's', ShardToSplit: 'shardId-000000000009', NewStartingHashKey: '5' }, caller),
    'merge-shards-calls': (streams) =>
      streams.mergeShards({ StreamName: 's', ShardToMerge: '8', AdjacentShardToMerge: '9' }, caller),
    'update-shard-count-calls': (streams) =>
      streams.updateShardCount({ StreamName: 's', TargetShardCount: 1, ScalingType: 'UNIFORM_SCALING' }, caller),
    'register-stream-consumer-calls': (streams) =>
      streams.registerStreamConsumer({ StreamARN: arn.ResourceARN, ConsumerName: 'c' }, caller),
    'deregister-stream-consumer-calls': async (streams) => {
      const consumer = { StreamARN: arn.ResourceARN, ConsumerName: 'passing' };
      await streams.registerStreamConsumer(consumer, caller).catch(() => undefined);
      await streams.deregisterStreamConsumer(consumer, caller);
    },
    'describe-stream-consumer-calls': (streams) =>
      streams.describeStreamConsumer({ StreamARN: arn.ResourceARN, ConsumerName: 'consumer' }, caller),
    'list-stream-consumers-calls': (streams) => streams.listStreamConsumers({ StreamARN: arn.ResourceARN }, caller),
    'subscribe-to-shard-calls': async (streams) => {
      const named = { StreamARN: arn.ResourceARN, ConsumerName: 'consumer' };
      const { ConsumerDescription } = await streams.describeStreamConsumer(named, caller);
      const { ConsumerARN } = ConsumerDescription;
      const subscription = { ConsumerARN, ShardId: '0', StartingPosition: { Type: 'LATEST' } } as const;
      await streams.subscribeToShard(subscription, caller);
    },
  };

test('every control call has its rate: LimitExceededException above it, and again when time has passed', async () => {
  const rates = (Object.keys(rateLimits) as RateLimitName[]).filter(
    (name) => name.endsWith('-calls') && name !== 'shard-read-calls' && name !== 'get-shard-iterator-calls',
  );
  expect(Object.keys(controlCalls).sort()).toEqual([...rates].sort());
  for (const name of rates) {
    const harness = await startStreams({ limits: { ...rateLimitProfile('off'), [name]: aws[name] } });
    // Making the stream takes one of the calls of its own rate.
    await harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
    const consumer = { StreamARN: arn.ResourceARN, ConsumerName: 'consumer' };
    await harness.streams.registerStreamConsumer(consumer, caller);
    harness.clock.advance(1000);
    const call = async (): Promise<string> => {
      try {
        await controlCalls[name]?.(harness.streams);
        return 'done';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    for (let i = 0; i < aws[name]; i++)
      expect(await call(), `${name} call ${i + 1}`).not.toBe('LimitExceededException');
    expect(await call(), `${name} above`).toBe('LimitExceededException');
    harness.clock.advance(1000);
    expect(await call(), `${name} later`).not.toBe('LimitExceededException');
    await harness.close();
  }
});

test('account quotas: shards, on-demand streams, streams in creation', async () => {
  const limits = { ...rateLimitProfile('off'), 'account-shards': 10, 'account-on-demand-streams': 2 };
  const { streams, close } = await startStreams({ limits });
  const create = (StreamName: string, ShardCount: number) => streams.createStream({ StreamName, ShardCount }, caller);
  await create('a', 9);
  await expect(create('b', 2)).rejects.toMatchObject({
    code: 'LimitExceededException',
    message: expect.stringContaining(
      `This request would exceed the shard limit for the account ${caller.account} in ${caller.region}. Current shard count for the account: 9. Limit: 10. Number of additional shards that would have resulted from this request: 2.`,
    ) as string,
  });
  await create('b', 1);
  await streams.deleteStream({ StreamName: 'a' }, caller);
  const onDemand = (StreamName: string) =>
    streams.createStream({ StreamName, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }, caller);
  await onDemand('c');
  await onDemand('d');
  await expect(onDemand('e')).rejects.toMatchObject({ code: 'LimitExceededException' });
  await close();
  const slow = await startStreams({
    limits: { ...rateLimitProfile('off'), 'account-creating-streams': 5 },
    lifecycleDelayMs: 1000,
  });
  for (let i = 0; i < 5; i++) await slow.streams.createStream({ StreamName: `s${i}`, ShardCount: 1 }, caller);
  await expect(slow.streams.createStream({ StreamName: 's5', ShardCount: 1 }, caller)).rejects.toMatchObject({
    code: 'LimitExceededException',
  });
  slow.clock.advance(1000);
  await slow.streams.createStream({ StreamName: 's5', ShardCount: 1 }, caller);
  await slow.close();
});

test('shards of an account are bounded also where no quota is set', async () => {
  const { streams, close } = await startStreams();
  const create = (StreamName: string, ShardCount: number) => streams.createStream({ StreamName, ShardCount }, caller);
  for (const count of [20_001, 2 ** 31 - 1]) {
    await expect(create('huge', count)).rejects.toMatchObject({ code: 'LimitExceededException' });
  }
  await create('large', 20_000);
  await expect(create('one', 1)).rejects.toMatchObject({ code: 'LimitExceededException' });
  expect(await streams.describeLimits({}, caller)).toMatchObject({ ShardLimit: 20_000, OpenShardCount: 20_000 });
  await close();
});
