import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import type { Caller } from '../../wire/call.ts';
import type { TestStream } from '../../wire/stream.ts';

interface Row {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly type: string;
  /** Undefined: any text, the reference has none. */
  readonly message?: string | RegExp;
}

const data = Uint8Array.of(1);
const firstShard = 'shardId-000000000000';
const tagCharacters =
  'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.';

/** The rules that the model does not express, and their texts. Source: data-streams reference §2.4, §3.1, §6.1, §6.3. */
export async function checkDomainMessages(caller: Caller, checks: Checks, stream: TestStream): Promise<void> {
  const { name } = stream;
  const other = freshName('other');
  await caller.mustCall('IncreaseStreamRetentionPeriod', { StreamName: name, RetentionPeriodHours: 48 });
  const { SequenceNumber } = await caller.mustCall('PutRecord', { StreamName: name, PartitionKey: 'k', Data: data });
  await caller.mustCall('CreateStream', { StreamName: other, ShardCount: 2 });
  try {
    const put = { StreamName: other, PartitionKey: 'k', ExplicitHashKey: String(2n ** 128n - 1n), Data: data };
    const inSecondShard = (await caller.mustCall('PutRecord', put))['SequenceNumber'] as string;
    const rows = [
      ...absentRows(stream),
      ...targetRows(stream, other),
      ...iteratorRows(stream, { own: SequenceNumber as string, inSecondShard }),
      ...putRows(stream),
      ...retentionRows(stream),
      ...tagRows(stream),
      ...listRows(stream),
    ];
    for (const row of rows) {
      const input = JSON.stringify(row.input, (_, value: unknown) => (value instanceof Uint8Array ? 'bytes' : value));
      await checks.check(`${row.operation} ${input.replaceAll(name, 'X').slice(0, 160)}`, () => checkRow(caller, row));
    }
    await checks.check('ids of shards are taken in short forms', () => shortShardIds(caller, name));
  } finally {
    await caller.mustCall('DeleteStream', { StreamName: other });
  }
}

async function checkRow(caller: Caller, { operation, input, type, message }: Row): Promise<void> {
  const answer = await caller.call(operation, input);
  assert.deepEqual(
    [answer.status, answer.type],
    [400, type],
    `answered ${answer.status} ${answer.type}: ${answer.message}`,
  );
  if (typeof message === 'string') assert.equal(answer.message, message);
  if (message instanceof RegExp) assert.match(answer.message ?? '', message);
}

function absentRows({ name, account }: TestStream): Row[] {
  const StreamName = 'no-such';
  const inputs: Readonly<Record<string, object>> = {
    AddTagsToStream: { Tags: { a: 'b' } },
    DecreaseStreamRetentionPeriod: { RetentionPeriodHours: 24 },
    DeleteStream: {},
    DescribeStream: {},
    DescribeStreamSummary: {},
    GetShardIterator: { ShardId: firstShard, ShardIteratorType: 'LATEST' },
    IncreaseStreamRetentionPeriod: { RetentionPeriodHours: 24 },
    ListShards: {},
    ListTagsForStream: {},
    PutRecord: { PartitionKey: 'k', Data: data },
    PutRecords: { Records: [{ PartitionKey: 'k', Data: data }] },
    RemoveTagsFromStream: { TagKeys: ['a'] },
  };
  const type = 'ResourceNotFoundException';
  const rows: Row[] = Object.entries(inputs).map(([operation, input]) => ({
    operation,
    input: { StreamName, ...input },
    type,
    message: `Stream ${StreamName} under account ${account} not found.`,
  }));
  const at = { StreamName: name, ShardIteratorType: 'LATEST' };
  const absentShard = `Shard shardId-000000000007 in stream ${name} under account ${account} does not exist`;
  for (const ShardId of ['shardId-000000000007', 'shardId-7', '7']) {
    rows.push({ operation: 'GetShardIterator', input: { ...at, ShardId }, type, message: absentShard });
  }
  for (const ShardId of ['shardId-x', 'x', 'shardId-2147483648', 'shardId-']) {
    const message = `Could not find shard ${ShardId} in stream ${name} under account ${account}.`;
    rows.push({ operation: 'GetShardIterator', input: { ...at, ShardId }, type, message });
  }
  return rows;
}

function targetRows({ name, arn, account }: TestStream, other: string): Row[] {
  const type = 'InvalidArgumentException';
  const without = ['DescribeStream', 'DescribeStreamSummary', 'DeleteStream', 'ListTagsForStream'];
  return [
    {
      operation: 'CreateStream',
      input: { StreamName: name, ShardCount: 1 },
      type: 'ResourceInUseException',
      message: `Stream ${name} under account ${account} already exists.`,
    },
    ...without.map((operation) => ({ operation, input: {}, type })),
    { operation: 'PutRecord', input: { PartitionKey: 'k', Data: data }, type },
    { operation: 'DescribeStream', input: { StreamName: other, StreamARN: arn }, type },
  ];
}

function iteratorRows({ name, arn, account }: TestStream, numbers: { own: string; inSecondShard: string }): Row[] {
  const type = 'InvalidArgumentException';
  const combination = (kind: string, what: string): string =>
    'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST ' +
    `and no StartingSequenceNumber. Request specified ${kind} and ${what} StartingSequenceNumber.`;
  const row = (ShardIteratorType: string, more: object, message: string | RegExp): Row => ({
    operation: 'GetShardIterator',
    input: { StreamName: name, ShardId: firstShard, ShardIteratorType, ...more },
    type,
    message,
  });
  const invalid = (number: string, why = ''): string =>
    `StartingSequenceNumber ${number} used in GetShardIterator on shard ${firstShard} in stream ${name} under account ${account} is invalid${why}.`;
  const foreign = withOtherCreation(numbers.own);
  return [
    ...['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'].flatMap((kind) => [
      row(kind, {}, combination(kind, 'no')),
      row(kind, { StartingSequenceNumber: '5' }, invalid('5')),
      row(kind, { StartingSequenceNumber: foreign }, invalid(foreign, ' because it did not come from this stream')),
      row(
        kind,
        { StartingSequenceNumber: numbers.inSecondShard },
        `Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in a call to a shard with ${firstShard}`,
      ),
    ]),
    ...['TRIM_HORIZON', 'LATEST'].map((kind) =>
      row(kind, { StartingSequenceNumber: '5' }, combination(kind, 'also a')),
    ),
    row(
      'AT_TIMESTAMP',
      {},
      'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
    ),
    row(
      'AT_TIMESTAMP',
      { Timestamp: 4_000_000_000.5 },
      /^The timestampInMillis parameter cannot be greater than the currentTimestampInMillis\. timestampInMillis: 4000000000500, currentTimestampInMillis: \d{13}$/,
    ),
    { operation: 'GetRecords', input: { ShardIterator: 'nonsense' }, type, message: 'Invalid ShardIterator.' },
    {
      operation: 'GetRecords',
      input: { ShardIterator: Buffer.alloc(120, 1).toString('base64'), StreamARN: arn },
      type,
      message: 'Invalid ShardIterator.',
    },
  ];
}

/** The same number, of a shard created a second later. Source: data-streams reference §3.4. */
function withOtherCreation(sequenceNumber: string): string {
  const secondShift = 4n * 37n;
  return String(BigInt(sequenceNumber) + (1n << secondShift));
}

function putRows({ name, account }: TestStream): Row[] {
  const type = 'InvalidArgumentException';
  const message = `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${2n ** 128n}`;
  const record = { PartitionKey: 'k', Data: data };
  const ExplicitHashKey = String(2n ** 128n);
  return [
    { operation: 'PutRecord', input: { StreamName: name, ...record, ExplicitHashKey }, type, message },
    {
      operation: 'PutRecords',
      input: { StreamName: name, Records: [record, { ...record, ExplicitHashKey }] },
      type,
      message,
    },
    { operation: 'PutRecord', input: { StreamName: name, Data: data }, type },
    { operation: 'PutRecord', input: { StreamName: name, PartitionKey: 'k', Data: new Uint8Array(1024 * 1024) }, type },
    {
      operation: 'PutRecord',
      input: { StreamName: name, ...record, SequenceNumberForOrdering: '5' },
      type,
      message: `ExclusiveMinimumSequenceNumber 5 used in PutRecord on stream ${name} under account ${account} is invalid.`,
    },
  ];
}

/** The stream's period is 48 hours. */
function retentionRows({ name }: TestStream): Row[] {
  const row = (change: 'Increase' | 'Decrease', RetentionPeriodHours: number, message: string): Row => ({
    operation: `${change}StreamRetentionPeriod`,
    input: { StreamName: name, RetentionPeriodHours },
    type: 'InvalidArgumentException',
    message,
  });
  const against = (hours: number, relation: string, remedy: string): string =>
    `Requested retention period (${hours} hours) for stream ${name} can not be ${relation} than existing retention period (48 hours). Use ${remedy}RetentionPeriod API.`;
  return [
    ...[-1, 0, 23].flatMap((hours) => {
      const message = `Minimum allowed retention period is 24 hours. Requested retention period (${hours} hours) is too short.`;
      return [row('Increase', hours, message), row('Decrease', hours, message)];
    }),
    row(
      'Increase',
      8761,
      'Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.',
    ),
    row('Increase', 47, against(47, 'shorter', 'Decrease')),
    row('Decrease', 49, against(49, 'longer', 'Increase')),
  ];
}

function tagRows({ name, arn, account }: TestStream): Row[] {
  const type = 'InvalidArgumentException';
  const manyTags = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v']));
  const failed = new RegExp(`^Failed to add tags to stream ${name} under account ${account} because `);
  return [
    { operation: 'AddTagsToStream', input: { StreamName: name, Tags: { 'a*': 'b' } }, type, message: tagCharacters },
    { operation: 'TagResource', input: { ResourceARN: arn, Tags: { a: 'b;' } }, type, message: tagCharacters },
    { operation: 'RemoveTagsFromStream', input: { StreamName: name, TagKeys: ['a^'] }, type, message: tagCharacters },
    { operation: 'AddTagsToStream', input: { StreamName: name, Tags: manyTags }, type, message: failed },
    { operation: 'AddTagsToStream', input: { StreamName: name, Tags: { 'aws:a': 'b' } }, type },
  ];
}

function listRows({ name, arn }: TestStream): Row[] {
  const type = 'InvalidArgumentException';
  const both = 'NextToken and StreamName cannot be provided together.';
  const list = (input: Row['input'], message?: string): Row => ({
    operation: 'ListShards',
    input,
    type,
    ...(message === undefined ? {} : { message }),
  });
  return [
    list({}, 'Either NextToken or StreamName should be provided.'),
    list({ StreamName: name, NextToken: 'x' }, both),
    list({ NextToken: 'x', ExclusiveStartShardId: firstShard }),
    list({ NextToken: 'x', ShardFilter: { Type: 'AT_LATEST' } }),
    list({ NextToken: 'x', StreamCreationTimestamp: 1 }),
    list({ NextToken: 'x', StreamARN: arn }),
    list({ NextToken: 'x' }),
    list({ StreamName: name, ShardFilter: { Type: 'AFTER_SHARD_ID' } }),
    list({ StreamName: name, ShardFilter: { Type: 'AT_TIMESTAMP' } }),
    { operation: 'ListStreams', input: { NextToken: 'x', ExclusiveStartStreamName: 'a' }, type },
    { operation: 'ListStreams', input: { NextToken: 'x' }, type },
  ];
}

async function shortShardIds(caller: Caller, name: string): Promise<void> {
  for (const ShardId of ['shardId-000000000000', 'shardId-0', 'shard-0', '0', '00']) {
    const { status } = await caller.call('GetShardIterator', {
      StreamName: name,
      ShardId,
      ShardIteratorType: 'LATEST',
    });
    assert.equal(status, 200, ShardId);
  }
}
