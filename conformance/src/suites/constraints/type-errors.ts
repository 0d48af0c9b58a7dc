import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import type { Caller } from '../../wire/call.ts';
import type { TestStream } from '../../wire/stream.ts';

const bigNumber = 'class com.amazon.coral.value.json.numbers.TruncatingBigNumber';
const listFound = 'Start of list found where not expected';
const mapFound = 'Start of structure or map found where not expected.';

/** Operation, member and value of another type, and the text. Source: data-streams reference §2.3. */
const rows: readonly [operation: string, input: object, message: string][] = [
  ['DescribeStream', { StreamName: 23 }, `${bigNumber} can not be converted to an String`],
  ['DescribeStream', { StreamName: true }, 'class java.lang.Boolean can not be converted to an String'],
  ['DescribeStream', { StreamName: [] }, listFound],
  ['DescribeStream', { StreamName: {} }, mapFound],
  ['DescribeStream', { Limit: '5' }, 'class java.lang.String can not be converted to an Integer'],
  ['DescribeStream', { Limit: true }, 'class java.lang.Boolean can not be converted to an Integer'],
  ['DescribeStream', { Limit: [] }, listFound],
  ['PutRecords', { Records: 'x' }, 'Expected list or null'],
  ['PutRecords', { Records: 1 }, 'Expected list or null'],
  ['PutRecords', { Records: {} }, mapFound],
  ['PutRecords', { Records: [1] }, 'Expected null'],
  ['PutRecords', { Records: ['x'] }, 'Expected null'],
  ['AddTagsToStream', { Tags: 'x' }, 'Expected map or null'],
  ['AddTagsToStream', { Tags: 1 }, 'Expected map or null'],
  ['AddTagsToStream', { Tags: [] }, listFound],
  ['AddTagsToStream', { Tags: { a: 1 } }, `${bigNumber} can not be converted to an String`],
  ['ListShards', { ShardFilter: 'x' }, 'Expected null'],
  ['PutRecord', { Data: 1 }, `${bigNumber} can not be converted to a Blob`],
  [
    'PutRecord',
    { Data: 'aaa' },
    "'aaa' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3",
  ],
  ['PutRecord', { Data: 'a*==' }, "'a*==' can not be converted to a Blob: Invalid Base64 character: '*'"],
  ['GetShardIterator', { Timestamp: 'now' }, 'class java.lang.String can not be converted to milliseconds since epoch'],
  ['DeleteStream', { EnforceConsumerDeletion: 'maybe' }, "'MAYBE' can not be converted to an Boolean"],
];

export async function checkTypeErrors(caller: Caller, checks: Checks, { name }: TestStream): Promise<void> {
  for (const [operation, input, Message] of rows) {
    await checks.check(`${operation} ${JSON.stringify(input)}`, async () => {
      const { status, raw } = await caller.call(operation, input);
      assert.equal(status, 400);
      assert.equal(raw.body.toString(), JSON.stringify({ __type: 'SerializationException', Message }));
    });
  }
  await checks.check('a fraction for an integer is floored, one too large is clamped', async () => {
    assert.equal((await caller.call('DescribeStream', { StreamName: name, Limit: 1.9 })).status, 200);
    const { message } = await caller.call('DescribeStream', { StreamName: name, Limit: 1e12 });
    assert.match(message ?? '', /^1 validation error detected: Value '2147483647' at 'limit'/);
  });
  await checks.check('strings are taken for booleans', async () => {
    for (const EnforceConsumerDeletion of ['true', 'FALSE', 'yes', 'no', '1', '0']) {
      const { type } = await caller.call('DeleteStream', { StreamName: 'no-such', EnforceConsumerDeletion });
      assert.equal(type, 'ResourceNotFoundException', EnforceConsumerDeletion);
    }
  });
  await checks.check('unknown members are ignored, null is absent', async () => {
    const { status } = await caller.call('DescribeStream', { StreamName: name, NoSuch: { a: [1] }, Limit: null });
    assert.equal(status, 200);
  });
}
