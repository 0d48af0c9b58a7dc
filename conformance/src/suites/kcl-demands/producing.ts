import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Checks } from '../../harness/checks.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client } from './client.ts';
import { registered } from './registration.ts';
import { bytesOf, parentsOf, type Shard } from './shapes.ts';
import { listShards, mergeOf, middle, readShard, reshard, splitOf, type StreamNames } from './streams.ts';

interface Entry {
  readonly PartitionKey: string;
  readonly ExplicitHashKey?: string;
  readonly Data: Uint8Array;
}

interface Result {
  readonly ShardId?: string;
  readonly SequenceNumber?: string;
}

/** What the KPL does with its map of shards. Source: clients reference §1.1 and §1.3. */
export async function checkProducing(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: 5 }, async ({ name, arn }) => {
    const stream = { StreamName: name, StreamARN: arn };
    await checks.check('500 records have 500 results in their order, each on the shard predicted from the map', () =>
      predicted(client, stream),
    );
  });
  await withStream(client, { ShardCount: 2 }, async ({ name, arn }) => {
    const stream = { StreamName: name, StreamARN: arn };
    await checks.check('a record predicted for a shard that was closed goes to its child, and none to the closed', () =>
      overtaken(client, stream),
    );
    await checks.check('an aggregated record comes back byte for byte, from where its explicit hash key put it', () =>
      aggregated(client, stream),
    );
  });
}

/** The first shard whose last hash key is not below the record's. */
function predict(shards: readonly Shard[], entry: Entry): string | undefined {
  const hash = hashKeyOf(entry);
  return shards
    .map(({ ShardId, HashKeyRange: range }) => ({ ShardId, end: BigInt(range.EndingHashKey) }))
    .sort((a, b) => (a.end < b.end ? -1 : 1))
    .find(({ end }) => end >= hash)?.ShardId;
}

function hashKeyOf({ PartitionKey, ExplicitHashKey }: Entry): bigint {
  if (ExplicitHashKey !== undefined) return BigInt(ExplicitHashKey);
  return BigInt(`0x${createHash('md5').update(PartitionKey, 'utf8').digest('hex')}`);
}

/** Half with keys of their own, half as the KPL sends aggregates: the key "a", and an explicit hash key. */
function entries(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => {
    const Data = Uint8Array.of(index & 255, index >> 8);
    if (index % 2 === 0) return { PartitionKey: `schlüssel ${randomInt(1e9)}`, Data };
    return { PartitionKey: 'a', ExplicitHashKey: String(BigInt(`0x${randomBytes(16).toString('hex')}`)), Data };
  });
}

function openShards(client: Client, stream: StreamNames): Promise<Shard[]> {
  return listShards(client, { ...stream, MaxResults: 1000, ShardFilter: { Type: 'AT_LATEST' } });
}

async function put(client: Client, stream: StreamNames, Records: readonly Entry[]): Promise<Result[]> {
  const answer = await client.mustCall('PutRecords', { ...stream, Records });
  assert.equal(answer['FailedRecordCount'] ?? 0, 0);
  const results = answer['Records'] as Result[];
  assert.equal(results.length, Records.length);
  return results;
}

async function predicted(client: Client, stream: StreamNames): Promise<void> {
  const shards = await openShards(client, stream);
  const Records = entries(500);
  const results = await put(client, stream, Records);
  const numbers = new Map<string, bigint>();
  results.forEach(({ ShardId = '', SequenceNumber }, index) => {
    assert.equal(ShardId, predict(shards, Records[index] as Entry), `record ${index}`);
    // The KPL reads the number behind the dash.
    assert.match(ShardId, /^shardId-\d{12}$/);
    const number = BigInt(SequenceNumber as string);
    assert.ok(number > (numbers.get(ShardId) ?? 0n), `number of record ${index}`);
    numbers.set(ShardId, number);
  });
  for (const { ShardId } of shards) {
    const stored = (await readShard(client, stream, ShardId)).map((record) => bytesOf(record).toString('hex'));
    const sent = Records.filter((_, index) => results[index]?.ShardId === ShardId);
    assert.deepEqual(
      stored,
      sent.map(({ Data }) => Buffer.from(Data).toString('hex')),
      ShardId,
    );
  }
}

/** The map is of before; puts go on while shards are split and merged. */
async function overtaken(client: Client, stream: StreamNames): Promise<void> {
  const before = await openShards(client, stream);
  const steps = [splitOf(0, '2'), splitOf(1, String(BigInt(middle) + 2n)), mergeOf(3, 4)];
  let isOver = false;
  const placed: { entry: Entry; ShardId: string }[] = [];
  const produce = async (): Promise<void> => {
    for (let calls = 0; !isOver || calls < 5; calls++) {
      const Records = entries(50);
      const results = await put(client, stream, Records);
      results.forEach((each, index) =>
        placed.push({ entry: Records[index] as Entry, ShardId: each.ShardId as string }),
      );
    }
  };
  const change = async (): Promise<void> => {
    try {
      for (const step of steps) await reshard(client, stream.StreamName, step);
    } finally {
      isOver = true;
    }
  };
  await Promise.all([produce(), change()]);
  const all = new Map((await listShards(client, stream)).map((shard) => [shard.ShardId, shard]));
  for (const { entry, ShardId } of placed) {
    const range = all.get(ShardId)?.HashKeyRange;
    const hash = hashKeyOf(entry);
    assert.ok(range !== undefined && BigInt(range.StartingHashKey) <= hash && hash <= BigInt(range.EndingHashKey));
    assert.ok(isDescendant(all, ShardId, predict(before, entry) as string), `${ShardId} of ${predict(before, entry)}`);
  }
  const Records = entries(200);
  const now = await openShards(client, stream);
  (await put(client, stream, Records)).forEach(({ ShardId }, index) =>
    assert.equal(ShardId, predict(now, Records[index] as Entry), 'after the reshards'),
  );
}

/** Itself, or by way of any parent. */
function isDescendant(all: ReadonlyMap<string, Shard>, id: string, ancestor: string): boolean {
  if (id === ancestor) return true;
  const shard = all.get(id);
  return shard !== undefined && parentsOf(shard).some((parent) => isDescendant(all, parent, ancestor));
}

/** An aggregate of two records. Layout: magic, protobuf, MD5 of the protobuf. Source: clients reference §1.1. */
function aggregateOf(keys: readonly string[], texts: readonly string[]): Uint8Array {
  const field = (number: number, bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
  const records = texts.map((text, index) => Buffer.concat([Buffer.of(8, index), field(3, Buffer.from(text))]));
  const body = Buffer.concat([
    ...keys.map((key) => field(1, Buffer.from(key))),
    ...records.map((record) => field(3, record)),
  ]);
  const md5 = createHash('md5').update(body).digest();
  return new Uint8Array(Buffer.concat([Buffer.of(0xf3, 0x89, 0x9a, 0xc2), body, md5]));
}

async function aggregated(client: Client, stream: StreamNames): Promise<void> {
  const shards = await openShards(client, stream);
  const Data = aggregateOf(['one', 'two'], ['first of two', 'second of two']);
  for (const { ShardId, HashKeyRange: range } of shards) {
    const ExplicitHashKey = range.EndingHashKey;
    const [result] = await put(client, stream, [{ PartitionKey: 'a', ExplicitHashKey, Data }]);
    assert.equal(result?.ShardId, ShardId);
    const record = (await readShard(client, stream, ShardId)).at(-1);
    assert.equal(record?.PartitionKey, 'a');
    assert.ok(bytesOf(record).equals(Data), `GetRecords of ${ShardId}`);
    const ConsumerARN = await registered(client, stream.StreamARN, `of-${ShardId}`);
    const position = { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: result.SequenceNumber };
    const subscription = await client.subscribe(ConsumerARN, ShardId, position);
    const [pushed] = (await subscription.take(1)).records;
    subscription.cancel();
    assert.ok(pushed !== undefined && bytesOf(pushed).equals(Data), `SubscribeToShard to ${ShardId}`);
  }
}
