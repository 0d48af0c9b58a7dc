import assert from 'node:assert/strict';
import { PutRecordsCommand, type KinesisClient, type ShardIteratorType, type _Record } from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { readToTip, takeIterator, withStream } from './stream.ts';

const shardCount = 4;
const batchCount = 500;

/** What one PutRecords answer said of one record. */
interface Stored {
  readonly sequenceNumber: string;
  readonly number: number;
}
type StoredByShard = ReadonlyMap<string, readonly Stored[]>;

/** Puts many records over four shards and reads them back by each iterator type: in order, nothing missing, nothing twice. */
export async function checkReading(client: KinesisClient, checks: Checks, name: string, count: number): Promise<void> {
  await withStream(client, { name, shardCount }, async () => {
    const shardIds = Array.from({ length: shardCount }, (_, shard) => `shardId-${String(shard).padStart(12, '0')}`);
    const latest = new Map<string, string>();
    for (const ShardId of shardIds) {
      latest.set(ShardId, await takeIterator(client, { StreamName: name, ShardId, ShardIteratorType: 'LATEST' }));
    }
    const stored = new Map(shardIds.map((shardId) => [shardId, [] as Stored[]]));
    await checks.check(`PutRecords of ${count} records over ${shardCount} shards`, () =>
      putAll(client, name, count, stored),
    );

    const arrivals = new Map<string, Date[]>();
    const type = (ShardIteratorType: ShardIteratorType) => (ShardId: string) =>
      takeIterator(client, { StreamName: name, ShardId, ShardIteratorType });
    const isRead = { client, checks, stored };
    await readAll(isRead, 'TRIM_HORIZON', type('TRIM_HORIZON'), {
      onShard: (shardId, records) => arrivals.set(shardId, records.map(arrivalOf)),
    });
    await readAll(isRead, 'LATEST, taken before the puts', async (shardId) => latest.get(shardId) as string);
    for (const [ShardIteratorType, from] of [
      ['AT_SEQUENCE_NUMBER', 0],
      ['AFTER_SEQUENCE_NUMBER', 1],
    ] as const) {
      for (const [place, index] of [
        ['the first record', () => 0],
        ['the middle', middleOf],
      ] as const) {
        const start = (ShardId: string): Promise<string> => {
          const all = stored.get(ShardId) as Stored[];
          const StartingSequenceNumber = all[index(all)]?.sequenceNumber as string;
          return takeIterator(client, { StreamName: name, ShardId, ShardIteratorType, StartingSequenceNumber });
        };
        await readAll(isRead, `${ShardIteratorType} of ${place}`, start, { firstOf: (_, all) => index(all) + from });
      }
    }
    const middle = (shardId: string): Date => {
      const times = arrivals.get(shardId) as Date[];
      return times[middleOf(times)] as Date;
    };
    const atTime = (ShardId: string): Promise<string> =>
      takeIterator(client, {
        StreamName: name,
        ShardId,
        ShardIteratorType: 'AT_TIMESTAMP',
        Timestamp: middle(ShardId),
      });
    await readAll(isRead, 'AT_TIMESTAMP of the middle', atTime, {
      firstOf: (shardId) => (arrivals.get(shardId) as Date[]).findIndex((time) => time >= middle(shardId)),
    });
  });
}

async function putAll(
  client: KinesisClient,
  StreamName: string,
  count: number,
  stored: Map<string, Stored[]>,
): Promise<void> {
  for (let start = 0; start < count; start += batchCount) {
    const numbers = Array.from({ length: Math.min(batchCount, count - start) }, (_, index) => start + index);
    const Records = numbers.map((number) => ({ PartitionKey: `key-${number}`, Data: dataOf(number) }));
    const answer = await client.send(new PutRecordsCommand({ StreamName, Records }));
    assert.equal(answer.FailedRecordCount, 0);
    for (const [index, { ShardId, SequenceNumber }] of (answer.Records ?? []).entries()) {
      stored.get(ShardId as string)?.push({ sequenceNumber: SequenceNumber as string, number: start + index });
    }
  }
  const inShards = [...stored.values()];
  assert.equal(
    inShards.reduce((sum, { length }) => sum + length, 0),
    count,
  );
  assert.ok(
    inShards.every(({ length }) => length > 0),
    'every shard gets records',
  );
  for (const list of inShards) list.sort((a, b) => Number(BigInt(a.sequenceNumber) - BigInt(b.sequenceNumber)));
}

interface Reading {
  readonly client: KinesisClient;
  readonly checks: Checks;
  readonly stored: StoredByShard;
}

interface ReadingOptions {
  /** Index of the first record expected; 0 unless said. */
  readonly firstOf?: (shardId: string, all: readonly Stored[]) => number;
  readonly onShard?: (shardId: string, records: readonly _Record[]) => void;
}

async function readAll(
  { client, checks, stored }: Reading,
  what: string,
  start: (shardId: string) => Promise<string>,
  { firstOf = () => 0, onShard }: ReadingOptions = {},
): Promise<void> {
  await checks.check(`reads ${what}`, async () => {
    for (const [shardId, all] of stored) {
      const records = await readToTip(client, await start(shardId));
      assertSame(records, all.slice(firstOf(shardId, all)));
      onShard?.(shardId, records);
    }
  });
}

function assertSame(records: readonly _Record[], expected: readonly Stored[]): void {
  assert.equal(records.length, expected.length, 'count of records');
  let last = -1n;
  for (const [index, { SequenceNumber, PartitionKey, Data }] of records.entries()) {
    const { sequenceNumber, number } = expected[index] as Stored;
    assert.equal(SequenceNumber, sequenceNumber);
    assert.equal(PartitionKey, `key-${number}`);
    assert.ok(Buffer.from(Data as Uint8Array).equals(dataOf(number)), `data of record ${number}`);
    assert.ok(BigInt(sequenceNumber) > last, 'sequence numbers increase');
    last = BigInt(sequenceNumber);
  }
}

function dataOf(number: number): Buffer {
  return Buffer.from(`record ${number} `.padEnd(100, '.'));
}

function arrivalOf({ ApproximateArrivalTimestamp: time }: _Record): Date {
  assert.ok(time instanceof Date, 'a record has its arrival time');
  return time;
}

function middleOf(list: readonly unknown[]): number {
  return Math.floor(list.length / 2);
}
