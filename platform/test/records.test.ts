import {
  CreateStreamCommand,
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  PutRecordCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SdkFixture } from './sdk-fixture.ts';

const sdk = SdkFixture.use();

describe('records', () => {
  test('a partition key goes where its MD5 says, an explicit hash key overrides it', async () => {
    const StreamName = await sdk.newStream(7);
    const width = 2n ** 128n / 7n;
    for (const PartitionKey of ['', 'a', 'ü€𝄞', 'x'.repeat(256)].filter((key) => key !== '')) {
      const hash = BigInt(`0x${createHash('md5').update(PartitionKey).digest('hex')}`);
      const shard = hash / width > 6n ? 6n : hash / width;
      const { ShardId } = await sdk.client.send(
        new PutRecordCommand({ StreamName, Data: Buffer.from('x'), PartitionKey }),
      );
      expect(ShardId).toBe(`shardId-${String(shard).padStart(12, '0')}`);
    }
    for (const [hash, shard] of [
      [0n, 0],
      [width - 1n, 0],
      [width, 1],
      [2n ** 128n - 1n, 6],
    ] as const) {
      const { ShardId } = await sdk.client.send(
        new PutRecordCommand({ StreamName, Data: Buffer.from('x'), PartitionKey: 'k', ExplicitHashKey: String(hash) }),
      );
      expect(Number(ShardId?.slice(8))).toBe(shard);
    }
    const above = { StreamName, Data: Buffer.from('x'), PartitionKey: 'k', ExplicitHashKey: String(2n ** 128n) };
    await expect(sdk.client.send(new PutRecordCommand(above))).rejects.toThrow(
      `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${2n ** 128n}`,
    );
  });

  test('every iterator type starts where it says', async () => {
    const StreamName = await sdk.newStream();
    const latest = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' });
    const numbers = await sdk.put(StreamName, 'a', 'b', 'c');
    const [, second] = numbers;
    expect(await sdk.textsFrom(latest)).toEqual(['a', 'b', 'c']);
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' }))).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }))).toEqual([]);
    const at = { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: second } as const;
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, at))).toEqual(['b', 'c']);
    const after = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: second } as const;
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, after))).toEqual(['c']);
    const old = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(0) } as const;
    expect(await sdk.textsFrom(await sdk.iteratorAt(StreamName, old))).toEqual(['a', 'b', 'c']);
    const future = sdk.iteratorAt(StreamName, {
      ShardIteratorType: 'AT_TIMESTAMP',
      Timestamp: new Date(Date.now() + 60_000),
    });
    await expect(future).rejects.toThrow(
      'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.',
    );
    const { StreamDescription } = await sdk.client.send(new DescribeStreamCommand({ StreamName }));
    const beginning = StreamDescription?.Shards?.[0]?.SequenceNumberRange?.StartingSequenceNumber;
    for (const ShardIteratorType of ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'] as const) {
      expect(
        await sdk.textsFrom(await sdk.iteratorAt(StreamName, { ShardIteratorType, StartingSequenceNumber: beginning })),
      ).toEqual(['a', 'b', 'c']);
    }
    expect(
      numbers
        .map(BigInt)
        .every((number, i) => number > BigInt(i === 0 ? (beginning as string) : (numbers[i - 1] as string))),
    ).toBe(true);
  });

  test('iterators ask for what their type needs', async () => {
    const StreamName = await sdk.newStream(2);
    const [number] = await sdk.put(StreamName, 'a');
    await expect(
      sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST', StartingSequenceNumber: number }),
    ).rejects.toThrow('Request specified LATEST and also a StartingSequenceNumber.');
    await expect(sdk.iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER' })).rejects.toThrow(
      'Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.',
    );
    await expect(sdk.iteratorAt(StreamName, { ShardIteratorType: 'AT_TIMESTAMP' })).rejects.toThrow(
      'Must specify timestampInMillis',
    );
    await expect(
      sdk.iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: '0' }),
    ).rejects.toThrow('StartingSequenceNumber 0 used in GetShardIterator on shard shardId-000000000000');
    const other = `shardId-00000000000${(await sdk.client.send(new PutRecordCommand({ StreamName, Data: Buffer.from(''), PartitionKey: 'k' }))).ShardId === 'shardId-000000000000' ? 1 : 0}`;
    await expect(
      sdk.iteratorAt(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: number }, other),
    ).rejects.toThrow('Invalid StartingSequenceNumber. It encodes');
    await expect(sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, 'shardId-000000000009')).rejects.toThrow(
      `Shard shardId-000000000009 in stream ${StreamName} under account 000000000000 does not exist`,
    );
    await expect(sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, 'shardId-nine')).rejects.toThrow(
      `Could not find shard shardId-nine in stream ${StreamName} under account 000000000000.`,
    );
    for (const ShardId of ['shardId-1', 'shard-1', '1']) {
      expect(await sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' }, ShardId)).toBeTypeOf('string');
    }
    await expect(sdk.textsFrom('AAAAAAAAAAE=')).rejects.toThrow('Invalid ShardIterator.');
    const good = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'LATEST' });
    const altered = `${good.slice(0, 40)}${good[40] === 'A' ? 'B' : 'A'}${good.slice(41)}`;
    await expect(sdk.textsFrom(altered)).rejects.toThrow('Invalid ShardIterator.');
  });

  test('Limit cuts an answer, MillisBehindLatest tells the truth, and the same iterator reads the same again', async () => {
    const StreamName = await sdk.newStream();
    await sdk.put(StreamName, 'a', 'b', 'c');
    const ShardIterator = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    const first = await sdk.client.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }));
    expect(first.Records).toHaveLength(2);
    expect(first.MillisBehindLatest).toBeGreaterThanOrEqual(20);
    const again = await sdk.client.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }));
    expect(again.Records?.map(({ SequenceNumber }) => SequenceNumber)).toEqual(
      first.Records?.map(({ SequenceNumber }) => SequenceNumber),
    );
    const second = await sdk.client.send(new GetRecordsCommand({ ShardIterator: first.NextShardIterator }));
    expect(second.Records?.map(({ Data }) => Buffer.from(Data ?? []).toString())).toEqual(['c']);
    expect(second.MillisBehindLatest).toBe(0);
    const idle = await sdk.client.send(new GetRecordsCommand({ ShardIterator: second.NextShardIterator }));
    expect(idle).toMatchObject({ Records: [], MillisBehindLatest: 0 });
    expect(idle.NextShardIterator).toBeTypeOf('string');
  });

  test('records come back byte for byte, with key and arrival time', async () => {
    const StreamName = await sdk.newStream();
    const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const before = Date.now();
    await sdk.client.send(new PutRecordCommand({ StreamName, Data: data, PartitionKey: 'ü€𝄞"\\\n' }));
    await sdk.client.send(new PutRecordCommand({ StreamName, Data: Buffer.alloc(0), PartitionKey: ' ' }));
    const ShardIterator = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    const { Records = [] } = await sdk.client.send(new GetRecordsCommand({ ShardIterator }));
    expect(Buffer.from(Records[0]?.Data ?? [])).toEqual(data);
    expect(Records[0]?.PartitionKey).toBe('ü€𝄞"\\\n');
    expect(Records[1]?.Data).toHaveLength(0);
    const arrival = Records[0]?.ApproximateArrivalTimestamp?.getTime() ?? 0;
    expect(arrival).toBeGreaterThanOrEqual(before);
    expect(arrival).toBeLessThanOrEqual(Date.now());
  });

  test('an answer holds at most 10 MiB, and a record at most what the stream takes', async () => {
    const StreamName = await sdk.newStream();
    const mebibyte = 1024 * 1024;
    const full = { StreamName, PartitionKey: 'k', Data: Buffer.alloc(mebibyte - 1, 1) };
    for (let i = 0; i < 12; i++) await sdk.client.send(new PutRecordCommand(full));
    await expect(
      sdk.client.send(new PutRecordCommand({ ...full, Data: Buffer.alloc(mebibyte) })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
    const ShardIterator = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    const page = await sdk.client.send(new GetRecordsCommand({ ShardIterator }));
    expect(page.Records).toHaveLength(10);
    expect(
      (await sdk.client.send(new GetRecordsCommand({ ShardIterator: page.NextShardIterator }))).Records,
    ).toHaveLength(2);
    await sdk.client.send(new CreateStreamCommand({ StreamName: 'large', ShardCount: 1, MaxRecordSizeInKiB: 10_240 }));
    const largest = { StreamName: 'large', PartitionKey: 'k', Data: Buffer.alloc(10 * mebibyte - 1) };
    await sdk.client.send(new PutRecordCommand(largest));
    expect(await sdk.textsFrom(await sdk.iteratorAt('large', { ShardIteratorType: 'TRIM_HORIZON' }))).toHaveLength(1);
    await expect(
      sdk.client.send(new PutRecordCommand({ ...largest, Data: Buffer.alloc(10 * mebibyte) })),
    ).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
  });

  test('SequenceNumberForOrdering takes numbers that were given, and no others', async () => {
    const StreamName = await sdk.newStream();
    const [SequenceNumberForOrdering = ''] = await sdk.put(StreamName, 'a');
    const record = { StreamName, Data: Buffer.from('b'), PartitionKey: 'k' };
    const { SequenceNumber } = await sdk.client.send(new PutRecordCommand({ ...record, SequenceNumberForOrdering }));
    expect(BigInt(SequenceNumber as string)).toBeGreaterThan(BigInt(SequenceNumberForOrdering));
    for (const bad of ['0', '1', String(BigInt(SequenceNumber as string) + 2n ** 90n)]) {
      await expect(
        sdk.client.send(new PutRecordCommand({ ...record, SequenceNumberForOrdering: bad })),
      ).rejects.toThrow(
        `ExclusiveMinimumSequenceNumber ${bad} used in PutRecord on stream ${StreamName} under account 000000000000 is invalid.`,
      );
    }
  });

  test('DryRun checks everything and stores nothing', async () => {
    const StreamName = await sdk.newStream();
    const record = { Data: Buffer.from('b'), PartitionKey: 'k' };
    const dry = { name: 'DryRunOperationException' };
    await expect(sdk.client.send(new PutRecordCommand({ StreamName, ...record, DryRun: true }))).rejects.toMatchObject(
      dry,
    );
    await expect(
      sdk.client.send(new PutRecordsCommand({ StreamName, Records: [record], DryRun: true })),
    ).rejects.toMatchObject(dry);
    const iterator = { StreamName, ShardId: '0', ShardIteratorType: 'TRIM_HORIZON', DryRun: true } as const;
    await expect(sdk.client.send(new GetShardIteratorCommand(iterator))).rejects.toMatchObject(dry);
    const ShardIterator = await sdk.iteratorAt(StreamName, { ShardIteratorType: 'TRIM_HORIZON' });
    await expect(sdk.client.send(new GetRecordsCommand({ ShardIterator, DryRun: true }))).rejects.toMatchObject(dry);
    expect(await sdk.textsFrom(ShardIterator)).toEqual([]);
    await expect(
      sdk.client.send(new PutRecordCommand({ StreamName: 'none', ...record, DryRun: true })),
    ).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});
