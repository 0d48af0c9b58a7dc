import { expect, test } from 'vitest';
import { SimClock, until } from '../../testing/src/sim-clock.ts';
import { SimDisk } from '../../testing/src/sim-disk.ts';
import { caller, startStreams } from '../../testing/src/streams-harness.ts';

/** What time does to streams and records, on a simulated clock. */
const hour = 3_600_000;
const at = { StreamName: 's', ShardId: '0', ShardIteratorType: 'TRIM_HORIZON' } as const;

test('states take their delay, and a delay goes on after a restart', async () => {
  const disk = new SimDisk(1);
  const clock = new SimClock();
  let harness = await startStreams({ disk, clock, lifecycleDelayMs: 1000, durability: 'fsync' });
  const status = async (): Promise<string> =>
    (await harness.streams.describeStreamSummary({ StreamName: 's' }, caller)).StreamDescriptionSummary.StreamStatus;
  await harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  expect(await status()).toBe('CREATING');
  const record = { StreamName: 's', Data: Buffer.from('x'), PartitionKey: 'k' };
  await expect(harness.streams.putRecord(record, caller)).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
  await expect(harness.streams.listShards({ StreamName: 's' }, caller)).rejects.toMatchObject({
    code: 'ResourceInUseException',
  });
  await expect(harness.streams.deleteStream({ StreamName: 's' }, caller)).rejects.toMatchObject({
    code: 'ResourceInUseException',
    message: `Stream s under account ${caller.account} not ACTIVE, instead in state CREATING`,
  });
  clock.advance(999);
  expect(await status()).toBe('CREATING');
  clock.advance(1);
  expect(await status()).toBe('ACTIVE');
  await harness.streams.putRecord(record, caller);
  await harness.streams.deleteStream({ StreamName: 's' }, caller);
  expect(await status()).toBe('DELETING');
  await expect(harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller)).rejects.toMatchObject({
    code: 'ResourceInUseException',
  });
  await harness.close();
  harness = await startStreams({ disk, clock, lifecycleDelayMs: 1000, durability: 'fsync' });
  expect(await status()).toBe('DELETING');
  clock.advance(1000);
  let isGone = false;
  await until(() => {
    void status().catch(() => (isGone = true));
    return isGone;
  });
  await harness.close();
});

test('an iterator lives for five minutes, also across a restart', async () => {
  const disk = new SimDisk(2);
  const clock = new SimClock(Date.UTC(2015, 0, 22, 1, 22, 2));
  let harness = await startStreams({ disk, clock, durability: 'fsync' });
  await harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  await harness.streams.putRecord({ StreamName: 's', Data: Buffer.from('x'), PartitionKey: 'k' }, caller);
  const { ShardIterator = '' } = await harness.streams.getShardIterator(at, caller);
  await harness.close();
  harness = await startStreams({ disk, clock, durability: 'fsync' });
  clock.advance(300_000);
  expect((await harness.streams.getRecords({ ShardIterator }, caller)).Records).toHaveLength(1);
  clock.advance(1);
  await expect(harness.streams.getRecords({ ShardIterator }, caller)).rejects.toMatchObject({
    code: 'ExpiredIteratorException',
    message:
      'Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 while right now it is Thu Jan 22 01:27:02 UTC 2015 ' +
      'which is further in the future than the tolerated delay of 300000 milliseconds.',
  });
  await harness.close();
});

test('iterators given lately and long ago are one: each is good for five minutes', async () => {
  const { streams, clock, close } = await startStreams();
  await streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  await streams.putRecord({ StreamName: 's', Data: Buffer.from('x'), PartitionKey: 'k' }, caller);
  const given: string[] = [];
  for (let i = 0; i < 9000; i++) given.push((await streams.getShardIterator(at, caller)).ShardIterator as string);
  clock.advance(300_000);
  const ends = [given[0], given.at(-1)] as [string, string];
  for (const ShardIterator of ends) {
    expect((await streams.getRecords({ ShardIterator }, caller)).Records).toHaveLength(1);
    const other = { ShardIterator, StreamARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/other' };
    await expect(streams.getRecords(other, caller)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
  }
  clock.advance(1);
  for (const ShardIterator of ends) {
    await expect(streams.getRecords({ ShardIterator }, caller)).rejects.toMatchObject({
      code: 'ExpiredIteratorException',
    });
  }
  await close();
});

test('a page token lives for five minutes', async () => {
  const { streams, clock, close } = await startStreams();
  await streams.createStream({ StreamName: 's', ShardCount: 3 }, caller);
  const { NextToken } = await streams.listShards({ StreamName: 's', MaxResults: 1 }, caller);
  clock.advance(300_000);
  expect((await streams.listShards({ NextToken }, caller)).Shards).toHaveLength(2);
  clock.advance(1);
  await expect(streams.listShards({ NextToken }, caller)).rejects.toMatchObject({ code: 'ExpiredNextTokenException' });
  await close();
});

test('a record past retention is never returned again, whatever the retention becomes', async () => {
  const { streams, clock, close } = await startStreams();
  await streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  const put = (text: string) =>
    streams.putRecord({ StreamName: 's', Data: Buffer.from(text), PartitionKey: 'k' }, caller);
  const texts = async (): Promise<string[]> => {
    const { ShardIterator = '' } = await streams.getShardIterator(at, caller);
    return (await streams.getRecords({ ShardIterator }, caller)).Records.map(({ Data }) =>
      Buffer.from(Data).toString(),
    );
  };
  const first = await put('a');
  clock.advance(12 * hour);
  await put('b');
  clock.advance(12 * hour);
  expect(await texts()).toEqual(['a', 'b']);
  clock.advance(1);
  expect(await texts()).toEqual(['b']);
  // Neither a longer period nor a clock that goes back revives it.
  await streams.increaseStreamRetentionPeriod({ StreamName: 's', RetentionPeriodHours: 48 }, caller);
  expect(await texts()).toEqual(['b']);
  clock.set(clock.now() - hour);
  expect(await texts()).toEqual(['b']);
  // An iterator before the trim point continues at it.
  const position = {
    ...at,
    ShardIteratorType: 'AT_SEQUENCE_NUMBER',
    StartingSequenceNumber: first.SequenceNumber,
  } as const;
  const { ShardIterator = '' } = await streams.getShardIterator(position, caller);
  expect((await streams.getRecords({ ShardIterator }, caller)).Records).toHaveLength(1);
  // A shorter one acts at once, and raising it again brings nothing back.
  clock.advance(30 * hour);
  await put('c');
  await streams.decreaseStreamRetentionPeriod({ StreamName: 's', RetentionPeriodHours: 24 }, caller);
  expect(await texts()).toEqual(['c']);
  await streams.increaseStreamRetentionPeriod({ StreamName: 's', RetentionPeriodHours: 8760 }, caller);
  expect(await texts()).toEqual(['c']);
  await close();
});

test('retention and deletion give the disk back', async () => {
  const disk = new SimDisk(3);
  const engine = {
    flushBytes: 64 * 1024,
    segmentBytesMax: 256 * 1024,
    fileBytes: 2 ** 20,
    firstFileBytes: 2 ** 20,
    reserveBytes: 0,
  };
  const { streams, clock, close } = await startStreams({ disk, engine, durability: 'fsync' });
  const segments = async (): Promise<number> => {
    let count = 0;
    for (const group of await disk.list('segments')) count += (await disk.list(`segments/${group}`)).length;
    return count;
  };
  for (const StreamName of ['s', 't']) {
    await streams.createStream({ StreamName, ShardCount: 2 }, caller);
    const Records = Array.from({ length: 200 }, (_, i) => ({ Data: Buffer.alloc(2000), PartitionKey: String(i) }));
    for (let i = 0; i < 8; i++) await streams.putRecords({ StreamName, Records }, caller);
  }
  const before = await segments();
  expect(before).toBeGreaterThan(10);
  await streams.deleteStream({ StreamName: 't' }, caller);
  let left = before;
  await until(() => {
    void segments().then((count) => (left = count));
    return left <= before / 2 + 1;
  });
  clock.advance(24 * hour + 61_000);
  await until(() => {
    void segments().then((count) => (left = count));
    return left === 0;
  });
  await streams.putRecord({ StreamName: 's', Data: Buffer.from('x'), PartitionKey: 'k' }, caller);
  const { ShardIterator = '' } = await streams.getShardIterator({ ...at, ShardIteratorType: 'TRIM_HORIZON' }, caller);
  expect((await streams.getRecords({ ShardIterator }, caller)).Records.length).toBeLessThanOrEqual(1);
  await close();
});

test('arrival times never go back, and MillisBehindLatest is never negative', async () => {
  const { streams, clock, close } = await startStreams();
  await streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  const put = () => streams.putRecord({ StreamName: 's', Data: Buffer.from('x'), PartitionKey: 'k' }, caller);
  const startMs = clock.now();
  await put();
  clock.set(startMs - hour);
  await put();
  const { ShardIterator = '' } = await streams.getShardIterator(at, caller);
  const page = await streams.getRecords({ ShardIterator, Limit: 1 }, caller);
  expect(page.MillisBehindLatest).toBe(0);
  const all = await streams.getRecords({ ShardIterator }, caller);
  expect(all.Records.map(({ ApproximateArrivalTimestamp }) => ApproximateArrivalTimestamp)).toEqual([startMs, startMs]);
  await close();
});
