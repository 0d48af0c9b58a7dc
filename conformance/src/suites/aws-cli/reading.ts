import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import type { AwsCli } from './aws.ts';

const recordCount = 2000;
const batchCount = 500;

/** A record as `get-records` prints it. */
export interface ReadRecord {
  readonly SequenceNumber: string;
  readonly PartitionKey: string;
  /** base64 */
  readonly Data: string;
  readonly ApproximateArrivalTimestamp?: number | string;
}

/** Puts records from JSON files; answers for those of the first shard, in order. */
export async function putFiles(aws: AwsCli, name: string, folder: string): Promise<ReadRecord[]> {
  const stored: ReadRecord[] = [];
  for (let start = 0; start < recordCount; start += batchCount) {
    const records = Array.from({ length: batchCount }, (_, index) => ({
      PartitionKey: `key-${start + index}`,
      Data: `record ${start + index}`,
    }));
    const file = join(folder, 'records.json');
    writeFileSync(file, JSON.stringify(records));
    const { FailedRecordCount, Records } = await aws.json<{
      FailedRecordCount: number;
      Records: { ShardId: string; SequenceNumber: string }[];
    }>('put-records', '--stream-name', name, '--records', `file://${file}`);
    assert.equal(FailedRecordCount, 0);
    for (const [index, { ShardId, SequenceNumber }] of Records.entries()) {
      const { PartitionKey, Data } = records[index] as (typeof records)[number];
      if (ShardId !== 'shardId-000000000000') continue;
      stored.push({ SequenceNumber, PartitionKey, Data: Buffer.from(Data).toString('base64') });
    }
  }
  return stored.sort((a, b) => Number(BigInt(a.SequenceNumber) - BigInt(b.SequenceNumber)));
}

interface Reading {
  readonly name: string;
  /** Iterator of type LATEST from before the puts. */
  readonly latest: string;
  readonly stored: readonly ReadRecord[];
}

export async function checkReading(aws: AwsCli, checks: Checks, { name, latest, stored }: Reading): Promise<void> {
  const read = async (what: string, start: () => Promise<string>, from: () => number): Promise<ReadRecord[]> => {
    let found: ReadRecord[] = [];
    await checks.check(`get-records from ${what}`, async () => {
      found = await readToTip(aws, await start());
      const expected = stored.slice(from());
      assert.deepEqual(
        found.map(({ SequenceNumber, PartitionKey, Data }) => ({ SequenceNumber, PartitionKey, Data })),
        expected,
      );
    });
    return found;
  };
  const middle = Math.floor(stored.length / 2);
  const number = ['--starting-sequence-number', stored[middle]?.SequenceNumber ?? '0'];
  const all = await read(
    'TRIM_HORIZON',
    () => aws.iterator(name, 'TRIM_HORIZON'),
    () => 0,
  );
  // The CLI sends whole seconds.
  const seconds = all.map(({ ApproximateArrivalTimestamp: time }) => secondOf(time));
  await Promise.all([
    read(
      'LATEST, taken before the puts',
      async () => latest,
      () => 0,
    ),
    read(
      'AT_SEQUENCE_NUMBER',
      () => aws.iterator(name, 'AT_SEQUENCE_NUMBER', ...number),
      () => middle,
    ),
    read(
      'AFTER_SEQUENCE_NUMBER',
      () => aws.iterator(name, 'AFTER_SEQUENCE_NUMBER', ...number),
      () => middle + 1,
    ),
    read(
      'AT_TIMESTAMP',
      () => aws.iterator(name, 'AT_TIMESTAMP', '--timestamp', String(seconds[middle])),
      () => seconds.findIndex((second) => second >= (seconds[middle] as number)),
    ),
  ]);
}

async function readToTip(aws: AwsCli, iterator: string): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  let next = iterator;
  for (;;) {
    const page = await aws.json<{ Records: ReadRecord[]; NextShardIterator: string; MillisBehindLatest: number }>(
      'get-records',
      '--shard-iterator',
      next,
    );
    records.push(...page.Records);
    if (page.MillisBehindLatest === 0) return records;
    next = page.NextShardIterator;
  }
}

/** The CLI prints epoch seconds, or ISO 8601 when configured so. */
function secondOf(time: number | string | undefined): number {
  assert.ok(time !== undefined, 'a record has its arrival time');
  return Math.floor(typeof time === 'number' ? time : Date.parse(time) / 1000);
}
