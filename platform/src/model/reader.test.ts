import { describe, expect, it } from 'vitest';
import {
  compileReader,
  kinesis,
  SerializationException,
  ValidationException,
  type Encoding,
  type GetShardIteratorInput,
  type PutRecordInput,
  type PutRecordsInput,
} from './index.ts';

function read(operation: string, value: unknown, encoding: Encoding = 'json'): object {
  return compileReader(kinesis, operation)(value, encoding);
}

function failure(operation: string, value: unknown, encoding: Encoding = 'json'): Error {
  try {
    read(operation, value, encoding);
  } catch (error) {
    return error as Error;
  }
  throw new Error('the reader accepted the value');
}

describe('reading a request', () => {
  it('reads JSON into a new object with all members of the model in order, and no others', () => {
    const body = { Extra: { deep: [1] }, PartitionKey: 'k', Data: 'aGk=', StreamName: 's' };
    const input = read('PutRecord', body) as PutRecordInput;
    expect(Object.keys(input)).toEqual([
      'StreamName',
      'Data',
      'PartitionKey',
      'ExplicitHashKey',
      'SequenceNumberForOrdering',
      'StreamARN',
      'StreamId',
      'DryRun',
    ]);
    expect(Buffer.from(input.Data).toString()).toBe('hi');
    expect(input.ExplicitHashKey).toBeUndefined();
  });

  it.each([
    ['plain objects', { Records: [{ Data: Buffer.from('hi'), PartitionKey: 'k' }] }],
    [
      'maps',
      new Map<unknown, unknown>([
        ['Records', [new Map<string, unknown>([['Data', Buffer.from('hi')], ['PartitionKey', 'k']])]], // oxfmt-ignore
        [Object.create(null), 1],
      ]),
    ],
    ['objects without prototype', Object.assign(Object.create(null), { Records: [{ Data: Buffer.from('hi'), PartitionKey: 'k' }] })], // oxfmt-ignore
  ])('reads CBOR decoded to %s', (_form, value) => {
    const input = read('PutRecords', value, 'cbor') as PutRecordsInput;
    expect(input.Records.map((record) => [Buffer.from(record.Data).toString(), record.PartitionKey])).toEqual([
      ['hi', 'k'],
    ]);
  });

  it('treats null and undefined members as absent', () => {
    expect(read('ListStreams', { Limit: null, NextToken: undefined })).toEqual({});
    expect(failure('PutRecord', { Data: null }).message).toBe(
      "1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null",
    );
  });

  it('reads timestamps: epoch seconds in JSON, dates or numbers of milliseconds in CBOR', () => {
    const at = (value: unknown, encoding: Encoding): number | undefined => {
      const body = { ShardId: 's', ShardIteratorType: 'AT_TIMESTAMP', Timestamp: value };
      return (read('GetShardIterator', body, encoding) as GetShardIteratorInput).Timestamp;
    };
    expect(at(1441215410.867, 'json')).toBe(1441215410867);
    expect(at(0.0004, 'json')).toBe(0);
    expect(at(1e300, 'json')).toBe(8.64e15);
    expect(at(1441215410867, 'cbor')).toBe(1441215410867);
    expect(at(1441215410867n, 'cbor')).toBe(1441215410867);
    expect(at(new Date(1441215410867), 'cbor')).toBe(1441215410867);
  });

  it('floors fractions and clamps what does not fit an integer', () => {
    const hours = (value: unknown, encoding: Encoding = 'json'): unknown =>
      read('IncreaseStreamRetentionPeriod', { RetentionPeriodHours: value }, encoding);
    expect(hours(25.9)).toMatchObject({ RetentionPeriodHours: 25 });
    expect(hours(-0.5)).toMatchObject({ RetentionPeriodHours: -1 });
    expect(hours(1e30)).toMatchObject({ RetentionPeriodHours: 2147483647 });
    expect(hours(-1e30)).toMatchObject({ RetentionPeriodHours: -2147483648 });
    expect(hours(2n ** 64n, 'cbor')).toMatchObject({ RetentionPeriodHours: 2147483647 });
    expect(hours(Number.NaN, 'cbor')).toMatchObject({ RetentionPeriodHours: 0 });
  });

  it('takes the words for booleans that the service takes, in any case', () => {
    const flag = (value: unknown): unknown => read('DeleteStream', { EnforceConsumerDeletion: value });
    for (const yes of [true, 'true', 'TRUE', 'Yes', '1'])
      expect(flag(yes)).toMatchObject({ EnforceConsumerDeletion: true });
    for (const no of [false, 'false', 'No', '0']) expect(flag(no)).toMatchObject({ EnforceConsumerDeletion: false });
  });

  it('keeps any key of a map as a mere key', () => {
    const body: unknown = JSON.parse(
      '{"Tags": {"__proto__": "a", "constructor": "b"}, "__proto__": {"StreamName": "s"}}',
    );
    const input = read('AddTagsToStream', body) as { Tags: Record<string, string>; StreamName?: string };
    expect(Object.entries(input.Tags)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(Object.getPrototypeOf(input.Tags)).toBeNull();
    expect(input.StreamName).toBeUndefined();
    expect(Object.getPrototypeOf(input)).toBe(Object.prototype);
  });
});

describe('type errors, as recorded', () => {
  it.each([null, undefined, true, 1, 'a', [], [{}]])('refuses the body %j without a message', (body) => {
    for (const encoding of ['json', 'cbor'] as const) {
      const error = failure('ListStreams', body, encoding);
      expect(error).toBeInstanceOf(SerializationException);
      expect(error.message).toBe('');
    }
  });

  const number = 'class com.amazon.coral.value.json.numbers.TruncatingBigNumber';
  const list = 'Start of list found where not expected';
  const map = 'Start of structure or map found where not expected.';
  it.each([
    ['PutRecord', 'StreamName', 23, `${number} can not be converted to an String`],
    ['PutRecord', 'StreamName', true, 'class java.lang.Boolean can not be converted to an String'],
    ['PutRecord', 'StreamName', [], list],
    ['PutRecord', 'StreamName', {}, map],
    ['CreateStream', 'ShardCount', '23', 'class java.lang.String can not be converted to an Integer'],
    ['CreateStream', 'ShardCount', true, 'class java.lang.Boolean can not be converted to an Integer'],
    ['CreateStream', 'ShardCount', [], list],
    ['CreateStream', 'ShardCount', {}, map],
    ['PutRecords', 'Records', '23', 'Expected list or null'],
    ['PutRecords', 'Records', true, 'Expected list or null'],
    ['PutRecords', 'Records', 23, 'Expected list or null'],
    ['PutRecords', 'Records', {}, map],
    ['AddTagsToStream', 'Tags', '23', 'Expected map or null'],
    ['AddTagsToStream', 'Tags', 23, 'Expected map or null'],
    ['AddTagsToStream', 'Tags', [], list],
    ['AddTagsToStream', 'Tags', { a: 1 }, `${number} can not be converted to an String`],
    ['CreateStream', 'StreamModeDetails', 'a', 'Expected null'],
    ['CreateStream', 'StreamModeDetails', true, 'Expected null'],
    ['CreateStream', 'StreamModeDetails', 23, 'Expected null'],
    ['CreateStream', 'StreamModeDetails', [], list],
    ['PutRecord', 'Data', true, 'class java.lang.Boolean can not be converted to a Blob'],
    ['PutRecord', 'Data', 23, `${number} can not be converted to a Blob`],
    ['PutRecord', 'Data', [], list],
    ['PutRecord', 'Data', {}, map],
    [
      'PutRecord',
      'Data',
      '23456',
      "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5",
    ],
    ['PutRecord', 'Data', '=+/=', "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"],
    [
      'PutRecord',
      'Data',
      '+/+=',
      "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
    ],
    ['GetShardIterator', 'Timestamp', '1', 'class java.lang.String can not be converted to milliseconds since epoch'],
    ['GetShardIterator', 'Timestamp', true, 'class java.lang.Boolean can not be converted to milliseconds since epoch'],
    ['GetShardIterator', 'Timestamp', [], list],
    ['GetShardIterator', 'Timestamp', {}, map],
    ['DeleteStream', 'EnforceConsumerDeletion', 'hello', "'HELLO' can not be converted to an Boolean"],
    ['DeleteStream', 'EnforceConsumerDeletion', 1, `${number} can not be converted to an Boolean`],
    ['DeleteStream', 'EnforceConsumerDeletion', [], list],
    ['DeleteStream', 'EnforceConsumerDeletion', {}, map],
  ])('%s.%s = %j', (operation, member, value, message) => {
    const error = failure(operation, { [member]: value });
    expect(error).toBeInstanceOf(SerializationException);
    expect(error.message).toBe(message);
  });

  it.each([
    ['PutRecord', 'Data', 'aGk=', 'class java.lang.String can not be converted to a Blob'],
    ['PutRecord', 'StreamName', new Uint8Array(1), 'class java.nio.HeapByteBuffer can not be converted to an String'],
    ['PutRecord', 'StreamName', new Date(0), 'class java.util.Date can not be converted to an String'],
    ['PutRecord', 'StreamName', new Map(), map],
    ['PutRecords', 'Records', new Uint8Array(1), 'Expected list or null'],
    ['AddTagsToStream', 'Tags', new Map([[1, 'a']]), `${number} can not be converted to an String`],
    [
      'GetShardIterator',
      'Timestamp',
      new Date(Number.NaN),
      'class java.util.Date can not be converted to milliseconds since epoch',
    ],
  ])('in CBOR: %s.%s = %s', (operation, member, value, message) => {
    const error = failure(operation, { [member]: value }, 'cbor');
    expect(error).toBeInstanceOf(SerializationException);
    expect(error.message).toBe(message);
  });

  it.each(['A-_A', 'AA A', 'A\nAA', 'AAA\u0141', '\u0141\u0141\u0141\u0141', 'AA\u00e9A', 'AA==AAAA', '====', 'A==='])(
    'refuses the foreign characters of %j',
    (data) => {
      const foreign = /[^A-Za-z0-9+/]/.exec(data)?.[0];
      expect(failure('PutRecord', { Data: data }).message).toBe(
        `'${data}' can not be converted to a Blob: Invalid Base64 character: '${foreign}'`,
      );
    },
  );

  it('repeats only the beginning of a huge value', () => {
    expect(failure('PutRecord', { Data: 'a'.repeat(1_000_001) }).message.length).toBeLessThan(70_000);
  });
});

describe('constraint violations, as recorded', () => {
  it('reports the pattern and then the length of an empty name', () => {
    expect(failure('DescribeStream', { StreamName: '' })).toBeInstanceOf(ValidationException);
    expect(failure('DescribeStream', { StreamName: '' }).message).toBe(
      "2 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; ' +
        "Value '' at 'streamName' failed to satisfy constraint: " +
        'Member must have length greater than or equal to 1',
    );
  });

  it('prints blobs as Java buffers, and paths with element numbers from 1', () => {
    const records = [{ Data: new Uint8Array(10_485_761), PartitionKey: 'k' }];
    expect(failure('PutRecords', { Records: records }, 'cbor').message).toBe(
      '1 validation error detected: ' +
        "Value 'java.nio.HeapByteBuffer[pos=0 lim=10485761 cap=10485761]' at 'records.1.member.data' failed to satisfy " +
        'constraint: Member must have length less than or equal to 10485760',
    );
  });

  it('reports bad keys and values of a map, and bad strings of a list, once and with all their constraints', () => {
    expect(failure('AddTagsToStream', { Tags: { '': 'a', b: 'c'.repeat(257) } }).message).toBe(
      `2 validation errors detected: Value '{=a, b=${'c'.repeat(257)}}' at 'tags' failed to satisfy constraint: ` +
        'Map keys must satisfy constraint: [Member must have length less than or equal to 128, ' +
        'Member must have length greater than or equal to 1]; ' +
        `Value '{=a, b=${'c'.repeat(257)}}' at 'tags' failed to satisfy constraint: ` +
        'Map value must satisfy constraint: [Member must have length less than or equal to 256, ' +
        'Member must have length greater than or equal to 0]',
    );
    expect(failure('RemoveTagsFromStream', { TagKeys: ['a', '', ''] }).message).toBe(
      "1 validation error detected: Value '[a, , ]' at 'tagKeys' failed to satisfy constraint: " +
        'Member must satisfy constraint: [Member must have length less than or equal to 128, ' +
        'Member must have length greater than or equal to 1]',
    );
  });

  it('prints all of 501 records', () => {
    const { message } = failure('PutRecords', { Records: Array.from({ length: 501 }, () => ({ Data: '' })) });
    const entry = 'com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@[a-f0-9]+';
    expect(message).toMatch(
      new RegExp(
        `^1 validation error detected: Value '\\[(${entry}, ){500}${entry}\\]' at 'records' failed to satisfy ` +
          'constraint: Member must have length less than or equal to 500$',
      ),
    );
  });

  it('names null elements and null map values by their place', () => {
    expect(failure('PutRecords', { Records: [{ Data: '' }, null] }).message).toBe(
      "1 validation error detected: Value null at 'records.2.member' failed to satisfy constraint: Member must not be null",
    );
    expect(failure('AddTagsToStream', { Tags: { k: null } }).message).toBe(
      "1 validation error detected: Value null at 'tags.k.member' failed to satisfy constraint: Member must not be null",
    );
    expect(failure('RemoveTagsFromStream', { TagKeys: [null] }).message).toBe(
      "1 validation error detected: Value null at 'tagKeys.1.member' failed to satisfy constraint: Member must not be null",
    );
  });

  it('reports at most ten', () => {
    const { message } = failure('PutRecords', { Records: Array.from({ length: 400 }, () => ({ PartitionKey: '' })) });
    expect(message).toMatch(/^10 validation errors detected: /);
    expect(message.split('; ')).toHaveLength(10);
  });

  it('bounds the message', () => {
    const huge = 'é'.repeat(1_000_000);
    const { message } = failure('DescribeStream', { StreamName: huge, StreamARN: huge, ExclusiveStartShardId: huge });
    expect(message).toMatch(/^3 validation errors detected: /);
    expect(message.length).toBeLessThan(70_000);
  });

  it('looks only at as many elements of an over-long list as it may have', () => {
    const list = Array.from({ length: 600 }, () => ({ Data: '' }) as Record<string, unknown>);
    list[550] = { Data: '', PartitionKey: '' };
    const { message } = failure('PutRecords', { Records: list });
    expect(message).toMatch(/^1 validation error /);
  });
});
