import assert from 'node:assert/strict';
import type { Checks } from '../harness/checks.ts';
import type { Target } from '../harness/target.ts';
import { Caller, type Answer, type Encoding } from '../wire/call.ts';
import { withStream, type TestStream } from '../wire/stream.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const callBytesMax = 10 * mebibyte;
const answerRecordsMax = 10_000;

/** Source: data-streams reference §4, §6.2 and §8. */
export async function sizesSuite(target: Target, checks: Checks): Promise<void> {
  const caller = new Caller(target.transport);
  const onStream = (recordKiBMax: number | undefined, use: (stream: TestStream) => Promise<void>): Promise<void> =>
    withStream(
      caller,
      { ShardCount: 1, ...(recordKiBMax === undefined ? {} : { MaxRecordSizeInKiB: recordKiBMax }) },
      use,
    );
  try {
    for (const recordKiBMax of [undefined, 1024, 2048, 10_240]) {
      await onStream(recordKiBMax, (stream) => recordSizes(caller, checks, stream, recordKiBMax ?? 1024));
    }
    await onStream(undefined, (stream) => requestSizes(caller, checks, stream));
    await onStream(undefined, (stream) => answerBytes(caller, checks, stream));
    await onStream(undefined, (stream) => answerRecords(caller, checks, stream));
  } finally {
    caller.close();
  }
}

async function recordSizes(caller: Caller, checks: Checks, { name }: TestStream, recordKiBMax: number): Promise<void> {
  const max = recordKiBMax * kibibyte;
  for (const [size, isAllowed] of [
    [max - 1, true],
    [max, true],
    [max + 1, false],
  ] as const) {
    for (const PartitionKey of ['k', 'é'.repeat(256)]) {
      const keyBytes = Buffer.byteLength(PartitionKey);
      const record = { PartitionKey, Data: new Uint8Array(size - keyBytes) };
      const what = `a record of ${size} bytes, ${keyBytes} of them the key, where ${max} are allowed`;
      for (const encoding of encodingsOf(size)) {
        await checks.check(`PutRecord in ${encoding} of ${what}`, async () =>
          assertOutcome(await caller.call('PutRecord', { StreamName: name, ...record }, encoding), isAllowed),
        );
        await checks.check(`PutRecords in ${encoding} of ${what}`, async () =>
          assertOutcome(await caller.call('PutRecords', { StreamName: name, Records: [record] }, encoding), isAllowed),
        );
      }
    }
  }
}

/** Large bodies are sent in one encoding, to save time. */
function encodingsOf(size: number): readonly Encoding[] {
  return size > 2 * mebibyte ? ['cbor'] : ['json', 'cbor'];
}

async function requestSizes(caller: Caller, checks: Checks, { name }: TestStream): Promise<void> {
  const record = { PartitionKey: 'k', Data: Uint8Array.of(1) };
  for (const [count, type] of [
    [1, undefined],
    [499, undefined],
    [500, undefined],
    [501, 'ValidationException'],
    [0, 'ValidationException'],
  ] as const) {
    await checks.check(`PutRecords of ${count} records`, async () => {
      const answer = await caller.call('PutRecords', { StreamName: name, Records: Array<object>(count).fill(record) });
      assert.equal(answer.type, type, answer.message);
      if (type === undefined) assert.equal((answer.body['Records'] as unknown[]).length, count);
    });
  }
  for (const [total, isAllowed] of [
    [callBytesMax - 1, true],
    [callBytesMax, true],
    [callBytesMax + 1, false],
  ] as const) {
    for (const encoding of ['json', 'cbor'] as const) {
      await checks.check(`PutRecords in ${encoding} of ${total} bytes, keys among them`, async () => {
        const Records = recordsOfTotal(total);
        assertOutcome(await caller.call('PutRecords', { StreamName: name, Records }, encoding), isAllowed);
      });
    }
  }
}

/** Eleven records of together so many bytes, with keys of one. */
function recordsOfTotal(total: number): object[] {
  const count = 11;
  const each = Math.floor(total / count);
  return Array.from({ length: count }, (_, index) => ({
    PartitionKey: 'k',
    Data: new Uint8Array((index === 0 ? total - each * (count - 1) : each) - 1),
  }));
}

function assertOutcome({ status, type, message, body }: Answer, isAllowed: boolean): void {
  if (isAllowed) {
    assert.equal(status, 200, `${type}: ${message}`);
    assert.equal(body['FailedRecordCount'] ?? 0, 0);
  } else {
    assert.deepEqual([status, type], [400, 'InvalidArgumentException'], message);
  }
}

interface Page {
  readonly Records: { readonly Data: string; readonly PartitionKey: string }[];
  readonly NextShardIterator: string;
}

async function answerBytes(caller: Caller, checks: Checks, { name }: TestStream): Promise<void> {
  const half = { PartitionKey: 'k', Data: new Uint8Array(mebibyte / 2 - 1) };
  for (let put = 0; put < 3; put++) {
    await caller.mustCall('PutRecords', { StreamName: name, Records: Array<object>(10).fill(half) });
  }
  await checks.check('GetRecords answers with at most 10 MiB, and with all by and by', async () => {
    let iterator = await trimHorizon(caller, name);
    const counts: number[] = [];
    for (let page = 0; page < 4; page++) {
      const { Records, NextShardIterator } = await getRecords(caller, { ShardIterator: iterator });
      const bytes = Records.reduce(
        (sum, { Data, PartitionKey }) => sum + Buffer.byteLength(Data, 'base64') + PartitionKey.length,
        0,
      );
      assert.ok(bytes <= callBytesMax, `an answer holds ${bytes} bytes`);
      counts.push(Records.length);
      iterator = NextShardIterator;
    }
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      30,
      `records a page: ${counts.join(', ')}`,
    );
    assert.equal(counts[0], 20, 'the first page holds exactly 10 MiB');
  });
}

async function answerRecords(caller: Caller, checks: Checks, { name }: TestStream): Promise<void> {
  const Records = Array.from({ length: 500 }, (_, index) => ({ PartitionKey: 'k', Data: Uint8Array.of(index & 255) }));
  const puts = Array.from({ length: 21 }, () => caller.mustCall('PutRecords', { StreamName: name, Records }));
  await Promise.all(puts);
  const ShardIterator = await trimHorizon(caller, name);
  for (const [limit, count] of [
    [1, 1],
    [2, 2],
    [9999, 9999],
    [10_000, answerRecordsMax],
    [undefined, answerRecordsMax],
  ] as const) {
    await checks.check(`GetRecords with Limit ${limit ?? 'absent'}`, async () => {
      const page = await getRecords(caller, { ShardIterator, ...(limit === undefined ? {} : { Limit: limit }) });
      assert.equal(page.Records.length, count);
    });
  }
  for (const Limit of [0, -1, 10_001]) {
    await checks.check(`GetRecords with Limit ${Limit}`, async () => {
      assert.equal((await caller.call('GetRecords', { ShardIterator, Limit })).type, 'ValidationException');
    });
  }
}

async function getRecords(caller: Caller, input: object): Promise<Page> {
  return (await caller.mustCall('GetRecords', input)) as unknown as Page;
}

async function trimHorizon(caller: Caller, StreamName: string): Promise<string> {
  const start = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  return (await caller.mustCall('GetShardIterator', start))['ShardIterator'] as string;
}
