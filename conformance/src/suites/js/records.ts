import assert from 'node:assert/strict';
import {
  GetRecordsCommand,
  InvalidArgumentException,
  PutRecordCommand,
  PutRecordsCommand,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import { readToTip, takeIterator, withStream } from './stream.ts';

const mebibyte = 1024 * 1024;

/** Records of unusual content and size, and answers as large as they get. */
export async function checkRecords(client: KinesisClient, checks: Checks): Promise<void> {
  const onStream = (purpose: string, use: (name: string) => Promise<void>): Promise<void> =>
    checks.check(purpose, () =>
      withStream(client, { name: freshName('js-records'), shardCount: 1 }, ({ StreamName }) =>
        use(StreamName as string),
      ),
    );
  await onStream('every byte and no byte', (name) => bytes(client, name));
  await onStream('partition keys of any script', (name) => keys(client, name));
  await onStream('a record of exactly the largest size, and one byte more', (name) => largest(client, name));
  await onStream('answers of 10 MiB', (name) => largeAnswers(client, name));
}

async function bytes(client: KinesisClient, StreamName: string): Promise<void> {
  const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
  await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: all }));
  await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: new Uint8Array() }));
  const records = await readAll(client, StreamName);
  assert.deepEqual(
    records.map(({ Data }) => Buffer.from(Data as Uint8Array)),
    [all, Buffer.alloc(0)],
  );
}

async function keys(client: KinesisClient, StreamName: string): Promise<void> {
  const texts = ['ключ', '鍵', '🔑', 'e\u0301', '\u0000\u001f', '"\\/', '\u2028', ' ', 'é'.repeat(256)];
  const Records = texts.map((PartitionKey) => ({ PartitionKey, Data: Buffer.from(PartitionKey) }));
  const answer = await client.send(new PutRecordsCommand({ StreamName, Records }));
  assert.equal(answer.FailedRecordCount, 0);
  const records = await readAll(client, StreamName);
  assert.deepEqual(
    records.map(({ PartitionKey }) => PartitionKey),
    texts,
  );
}

async function largest(client: KinesisClient, StreamName: string): Promise<void> {
  const Data = Buffer.alloc(mebibyte - 1, 7);
  await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data }));
  const tooLarge = client.send(new PutRecordCommand({ StreamName, PartitionKey: 'kk', Data }));
  await assert.rejects(tooLarge, InvalidArgumentException);
  const [record, ...others] = await readAll(client, StreamName);
  assert.ok(Buffer.from(record?.Data as Uint8Array).equals(Data), 'the same bytes');
  assert.equal(others.length, 0);
}

async function largeAnswers(client: KinesisClient, StreamName: string): Promise<void> {
  const Records = Array.from({ length: 10 }, (_, index) => ({
    PartitionKey: 'k',
    Data: Buffer.alloc(mebibyte - 1, index),
  }));
  for (let round = 0; round < 2; round++) {
    const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }));
    assert.equal(FailedRecordCount, 0);
  }
  const page = await client.send(new GetRecordsCommand({ ShardIterator: await trimHorizon(client, StreamName) }));
  const sizes = (page.Records ?? []).map(({ Data }) => (Data as Uint8Array).length + 1);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total > 9 * mebibyte && total <= 10 * mebibyte, `the first answer holds ${total} bytes`);
  const all = await readAll(client, StreamName);
  assert.deepEqual(
    all.map(({ Data }) => Data?.[0]),
    [...Records, ...Records].map(({ Data }) => Data[0]),
  );
}

async function trimHorizon(client: KinesisClient, StreamName: string): Promise<string> {
  return takeIterator(client, { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' });
}

async function readAll(client: KinesisClient, name: string) {
  return readToTip(client, await trimHorizon(client, name));
}
