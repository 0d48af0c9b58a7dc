import { describe, expect, test } from 'vitest';
import type { GetRecordsOutput, Shard } from '../src/model/index.ts';
import { rateLimitProfile } from '../src/streams/limits.ts';
import { SeededRandom } from '../../testing/src/seeded-random.ts';
import { SimDisk } from '../../testing/src/sim-disk.ts';
import { caller, startStreams, type StreamsHarness } from '../../testing/src/streams-harness.ts';

const StreamName = 'orders';
const hashMax = 2n ** 128n - 1n;
const middle = String(2n ** 127n);
const id = (number: number): string => `shardId-${String(number).padStart(12, '0')}`;
const hourMs = 3_600_000;

async function started(shards: number, options: Parameters<typeof startStreams>[0] = {}): Promise<StreamsHarness> {
  const harness = await startStreams(options);
  await harness.streams.createStream({ StreamName, ShardCount: shards }, caller);
  return harness;
}

async function shardsOf({ streams }: StreamsHarness, filter?: object): Promise<readonly Shard[]> {
  const input = { StreamName, ...(filter && { ShardFilter: filter }) } as never;
  return (await streams.listShards(input, caller)).Shards ?? [];
}

async function openOf(harness: StreamsHarness): Promise<Shard[]> {
  const shards = await shardsOf(harness, { Type: 'AT_LATEST' });
  const start = ({ HashKeyRange: range }: Shard): bigint => BigInt(range.StartingHashKey);
  return [...shards].sort((a, b) => (start(a) < start(b) ? -1 : 1));
}

/** All pages of a shard to its end, or to where it is now. */
async function readShard(
  { streams }: StreamsHarness,
  ShardId: string,
): Promise<{ texts: string[]; last: GetRecordsOutput }> {
  const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
  let { ShardIterator: iterator } = await streams.getShardIterator(start, caller);
  const texts: string[] = [];
  for (;;) {
    const last = await streams.getRecords({ ShardIterator: iterator as string, Limit: 3 }, caller);
    texts.push(...last.Records.map(({ Data }) => Buffer.from(Data).toString()));
    iterator = last.NextShardIterator;
    if (iterator === undefined || last.Records.length === 0) return { texts, last };
  }
}

function put(
  { streams }: StreamsHarness,
  text: string,
  PartitionKey = text,
): Promise<{ ShardId: string; SequenceNumber: string }> {
  return streams.putRecord({ StreamName, PartitionKey, Data: Buffer.from(text) }, caller);
}

/** Open shards cover every hash key once. */
function expectWhole(open: readonly Shard[]): void {
  let next = 0n;
  for (const { HashKeyRange: range } of open) {
    expect(BigInt(range.StartingHashKey)).toBe(next);
    next = BigInt(range.EndingHashKey) + 1n;
  }
  expect(next).toBe(hashMax + 1n);
}

describe('SplitShard', () => {
  test('closes the parent and makes two children, which its last answer names', async () => {
    const harness = await started(1);
    const before = await Promise.all(Array.from({ length: 7 }, (_, i) => put(harness, `before ${i}`)));
    await harness.streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    const after = await Promise.all(Array.from({ length: 7 }, (_, i) => put(harness, `after ${i}`)));
    const [parent, lower, upper] = (await shardsOf(harness)) as [Shard, Shard, Shard];
    expect(parent.SequenceNumberRange.EndingSequenceNumber).toBeDefined();
    expect(lower).toMatchObject({ ShardId: id(1), ParentShardId: id(0) });
    expect(lower.HashKeyRange).toEqual({ StartingHashKey: '0', EndingHashKey: String(2n ** 127n - 1n) });
    expect(upper.HashKeyRange).toEqual({ StartingHashKey: middle, EndingHashKey: String(hashMax) });
    expect(upper.AdjacentParentShardId).toBeUndefined();
    expect(after.map(({ ShardId }) => ShardId)).not.toContain(id(0));
    const newest = before.map(({ SequenceNumber }) => BigInt(SequenceNumber)).reduce((a, b) => (a > b ? a : b));
    for (const { SequenceNumber } of after) expect(BigInt(SequenceNumber)).toBeGreaterThan(newest);
    expect(BigInt(lower.SequenceNumberRange.StartingSequenceNumber)).toBeGreaterThan(
      BigInt(parent.SequenceNumberRange.EndingSequenceNumber as string),
    );
    const { texts, last } = await readShard(harness, id(0));
    expect(texts).toEqual(Array.from({ length: 7 }, (_, i) => `before ${i}`));
    expect(last.NextShardIterator).toBeUndefined();
    expect(last.MillisBehindLatest).toBe(0);
    expect(last.ChildShards).toEqual(
      [lower, upper].map(({ ShardId, HashKeyRange }) => ({ ShardId, ParentShards: [id(0)], HashKeyRange })),
    );
    const ofChild = await readShard(harness, id(1));
    expect(ofChild.last.NextShardIterator).toBeDefined();
    expect(ofChild.last.ChildShards).toBeUndefined();
    const { StreamDescriptionSummary: summary } = await harness.streams.describeStreamSummary({ StreamName }, caller);
    expect(summary.OpenShardCount).toBe(2);
  });

  test.each([
    [
      'shardId-000000000009',
      middle,
      'ResourceNotFoundException',
      /Could not find shard shardId-000000000009 in stream orders/,
    ],
    ['shardId-000000000000', '1', 'InvalidArgumentException', /is not both greater than one plus/],
    ['shardId-000000000000', String(hashMax), 'InvalidArgumentException', /less than the shard's EndingHashKey/],
    ['shardId-000000000000', String(hashMax + 1n), 'InvalidArgumentException', /is not both/],
  ])('of %s at %s is refused', async (ShardToSplit, NewStartingHashKey, code, message) => {
    const harness = await started(1);
    const call = harness.streams.splitShard({ StreamName, ShardToSplit, NewStartingHashKey }, caller);
    await expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(await shardsOf(harness)).toHaveLength(1);
  });

  test.each(['2', String(hashMax - 1n)])('at %s, the outermost keys, is done', async (NewStartingHashKey) => {
    const harness = await started(1);
    await harness.streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey }, caller);
    expectWhole(await openOf(harness));
  });

  test('of a closed shard is refused, and of two at once one is', async () => {
    const harness = await started(1);
    const split = (): Promise<void> =>
      harness.streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    const outcomes = await Promise.allSettled([split(), split()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'ResourceInUseException' } });
    await expect(split()).rejects.toMatchObject({
      code: 'InvalidArgumentException',
      message: expect.stringContaining('has already been merged or split') as string,
    });
    expect(await shardsOf(harness)).toHaveLength(3);
  });

  test('with a delay the stream is UPDATING meanwhile, takes records, and no other change', async () => {
    const harness = await started(1, { lifecycleDelayMs: 500 });
    harness.clock.advance(600);
    const split = { StreamName, ShardToSplit: id(0), NewStartingHashKey: middle };
    await harness.streams.splitShard(split, caller);
    const status = async (): Promise<string> =>
      (await harness.streams.describeStreamSummary({ StreamName }, caller)).StreamDescriptionSummary.StreamStatus;
    expect(await status()).toBe('UPDATING');
    expect((await put(harness, 'x')).ShardId).not.toBe(id(0));
    const merge = { StreamName, ShardToMerge: id(1), AdjacentShardToMerge: id(2) };
    await expect(harness.streams.mergeShards(merge, caller)).rejects.toMatchObject({ code: 'ResourceInUseException' });
    harness.clock.advance(600);
    expect(await status()).toBe('ACTIVE');
    await harness.streams.mergeShards(merge, caller);
  });

  test('counts against the shards of the account', async () => {
    const limits = { ...rateLimitProfile('off'), 'account-shards': 3 };
    const harness = await started(2, { limits });
    await harness.streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: '100' }, caller);
    const again = harness.streams.splitShard(
      { StreamName, ShardToSplit: id(1), NewStartingHashKey: String(hashMax - 9n) },
      caller,
    );
    await expect(again).rejects.toMatchObject({ code: 'LimitExceededException' });
  });
});

describe('MergeShards', () => {
  test('makes one child of two neighbours, which both of them name', async () => {
    const harness = await started(2);
    for (let i = 0; i < 10; i++) await put(harness, `before ${i}`);
    await harness.streams.mergeShards({ StreamName, ShardToMerge: id(0), AdjacentShardToMerge: id(1) }, caller);
    const [child] = await openOf(harness);
    expect(child).toMatchObject({ ShardId: id(2), ParentShardId: id(0), AdjacentParentShardId: id(1) });
    expectWhole(await openOf(harness));
    expect((await put(harness, 'after')).ShardId).toBe(id(2));
    for (const parent of [id(0), id(1)]) {
      const { last } = await readShard(harness, parent);
      expect(last.ChildShards).toEqual([
        { ShardId: id(2), ParentShards: [id(0), id(1)], HashKeyRange: child?.HashKeyRange },
      ]);
    }
  });

  test.each([
    [1, 0],
    [0, 2],
    [0, 0],
  ])('of %i and %i, which are no neighbours in this order, is refused', async (a, b) => {
    const harness = await started(3);
    const call = harness.streams.mergeShards({ StreamName, ShardToMerge: id(a), AdjacentShardToMerge: id(b) }, caller);
    await expect(call).rejects.toMatchObject({
      code: 'InvalidArgumentException',
      message: expect.stringContaining('are not an adjacent pair of shards eligible for merging') as string,
    });
  });
});

describe('UpdateShardCount', () => {
  test('makes even shards of any count up to double and down to half, by splits and merges', async () => {
    const harness = await started(4);
    for (const TargetShardCount of [6, 7, 14, 13, 7, 4, 5, 5, 3, 6, 3, 2, 1, 2]) {
      const current = (await openOf(harness)).length;
      const input = { StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' } as const;
      const answer = await harness.streams.updateShardCount(input, caller);
      expect(answer).toMatchObject({ StreamName, CurrentShardCount: current, TargetShardCount });
      const open = await openOf(harness);
      expect(open).toHaveLength(TargetShardCount);
      expectWhole(open);
      const width = (hashMax + 1n) / BigInt(TargetShardCount);
      open.forEach(({ HashKeyRange: range }, i) => {
        const offBy = BigInt(range.StartingHashKey) - BigInt(i) * width;
        expect(offBy >= -(1n << 20n) && offBy <= 1n << 20n).toBe(true);
      });
      await put(harness, `at ${TargetShardCount}`);
    }
    const all = await shardsOf(harness);
    const closed = all.filter(({ SequenceNumberRange: range }) => range.EndingSequenceNumber !== undefined);
    for (const { ShardId } of closed) expect((await readShard(harness, ShardId)).last.ChildShards).not.toEqual([]);
  });

  test('never makes a shard of a single hash key, not even in between: the Kinesis Client Library refuses its range', async () => {
    const harness = await started(3);
    for (const TargetShardCount of [5, 3, 6, 7, 10, 5, 8, 11, 6, 9, 13, 7, 12, 6, 4]) {
      const scaling = { StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' } as const;
      await harness.streams.updateShardCount(scaling, caller);
    }
    for (const { HashKeyRange: range } of await shardsOf(harness))
      expect(BigInt(range.EndingHashKey) - BigInt(range.StartingHashKey)).toBeGreaterThan(1n << 20n);
  });

  test.each([
    [9, /double your current open shard count. Current open shard count: 4 Target shard count: 9/],
    [1, /below half your current open shard count. Current open shard count: 4 Target shard count: 1/],
  ])('of 4 to %i is refused', async (TargetShardCount, message) => {
    const { streams } = await started(4);
    const call = streams.updateShardCount({ StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' }, caller);
    await expect(call).rejects.toMatchObject({
      code: 'LimitExceededException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('ten times in 24 hours under the limits of AWS', async () => {
    const limits = { ...rateLimitProfile('off'), 'stream-daily-shard-updates': 10 };
    const { streams, clock } = await started(2, { limits });
    const update = (i: number): Promise<unknown> =>
      streams.updateShardCount({ StreamName, TargetShardCount: 2 + (i % 2), ScalingType: 'UNIFORM_SCALING' }, caller);
    for (let i = 1; i <= 10; i++) await update(i);
    await expect(update(11)).rejects.toMatchObject({ code: 'LimitExceededException' });
    clock.advance(24 * hourMs);
    await update(11);
  });
});

test('an on-demand stream is refused all three', async () => {
  const { streams } = await startStreams();
  await streams.createStream({ StreamName, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }, caller);
  const refusal = {
    code: 'ValidationException',
    message: `Request is invalid. Stream orders under account ${caller.account} is in On-Demand mode.`,
  };
  const split = { StreamName, ShardToSplit: id(0), NewStartingHashKey: '5' };
  await expect(streams.splitShard(split, caller)).rejects.toMatchObject(refusal);
  const merge = { StreamName, ShardToMerge: id(0), AdjacentShardToMerge: id(1) };
  await expect(streams.mergeShards(merge, caller)).rejects.toMatchObject(refusal);
  const scale = { StreamName, TargetShardCount: 5, ScalingType: 'UNIFORM_SCALING' } as const;
  await expect(streams.updateShardCount(scale, caller)).rejects.toMatchObject(refusal);
});

describe('closed shards', () => {
  test('are listed until retention has passed, by each filter as it says', async () => {
    const harness = await started(1);
    const { clock, streams } = harness;
    await put(harness, 'x');
    const createdMs = clock.now();
    clock.advance(hourMs);
    await streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    const splitMs = clock.now();
    clock.advance(hourMs);
    const ids = async (filter?: object): Promise<string[]> =>
      (await shardsOf(harness, filter)).map(({ ShardId }) => ShardId);
    const [parent, ...children] = [id(0), id(1), id(2)];
    expect(await ids()).toEqual([parent, ...children]);
    expect(await ids({ Type: 'AT_LATEST' })).toEqual(children);
    expect(await ids({ Type: 'AT_TRIM_HORIZON' })).toEqual([parent]);
    expect(await ids({ Type: 'FROM_TRIM_HORIZON' })).toEqual([parent, ...children]);
    expect(await ids({ Type: 'AT_TIMESTAMP', Timestamp: createdMs + 5 })).toEqual([parent]);
    expect(await ids({ Type: 'AT_TIMESTAMP', Timestamp: splitMs + 5 })).toEqual(children);
    expect(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: splitMs + 5 })).toEqual(children);
    expect(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: splitMs - 5 })).toEqual([parent, ...children]);
    expect(await ids({ Type: 'AFTER_SHARD_ID', ShardId: id(1) })).toEqual([id(2)]);
    clock.advance(23 * hourMs - 1);
    expect(await ids()).toEqual([parent, ...children]);
    clock.advance(2);
    expect(await ids()).toEqual(children);
    expect(await ids({ Type: 'AT_TRIM_HORIZON' })).toEqual(children);
    const start = { StreamName, ShardId: id(0), ShardIteratorType: 'TRIM_HORIZON' } as const;
    await expect(streams.getShardIterator(start, caller)).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
    // The number of a shard that is gone is not given again.
    await streams.splitShard({ StreamName, ShardToSplit: id(1), NewStartingHashKey: '1000' }, caller);
    expect(await ids({ Type: 'AT_LATEST' })).toEqual([id(2), id(3), id(4)]);
  });

  test('and their children share no millisecond by the filter AT_TIMESTAMP, and leave none out', async () => {
    const harness = await started(1);
    const { clock, streams } = harness;
    clock.advance(5);
    const splitMs = clock.now();
    await streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    await streams.mergeShards({ StreamName, ShardToMerge: id(1), AdjacentShardToMerge: id(2) }, caller);
    clock.advance(5);
    const at = async (Timestamp: number): Promise<string[]> =>
      (await shardsOf(harness, { Type: 'AT_TIMESTAMP', Timestamp })).map(({ ShardId }) => ShardId);
    expect(await at(splitMs - 1)).toEqual([id(0)]);
    expect(await at(splitMs)).toEqual([id(0)]);
    expect(await at(splitMs + 1)).toEqual([id(3)]);
  });

  test('AT_TIMESTAMP of a time before the stream or its oldest record lists the shards that hold the oldest', async () => {
    const harness = await started(1);
    const { clock, streams } = harness;
    const at = async (Timestamp: number): Promise<string[]> =>
      (await shardsOf(harness, { Type: 'AT_TIMESTAMP', Timestamp })).map(({ ShardId }) => ShardId);
    expect(await at(clock.now() - 60_000)).toEqual([id(0)]);
    await streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    const splitMs = clock.now();
    clock.advance(25 * 3_600_000);
    expect(await at(splitMs)).toEqual([id(1), id(2)]);
  });

  test('are read from any iterator, the one behind their ending number too', async () => {
    const harness = await started(1);
    const { streams } = harness;
    const { SequenceNumber } = await put(harness, 'x');
    await streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller);
    const [parent] = await shardsOf(harness);
    const end = parent?.SequenceNumberRange.EndingSequenceNumber as string;
    for (const how of [
      { ShardIteratorType: 'LATEST' },
      { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: SequenceNumber },
      { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: end },
      { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: end },
    ] as const) {
      const { ShardIterator } = await streams.getShardIterator({ StreamName, ShardId: id(0), ...how }, caller);
      const page = await streams.getRecords({ ShardIterator: ShardIterator as string }, caller);
      expect(page.Records).toEqual([]);
      expect(page.NextShardIterator).toBeUndefined();
      expect(page.ChildShards).toHaveLength(2);
    }
  });
});

test('records under way when their shard closes go to its children, once', async () => {
  const disk = new SimDisk(1, { isSlow: true });
  const harness = await started(1, { disk, durability: 'fsync' });
  const entries = Array.from({ length: 20 }, (_, i) => ({ PartitionKey: `${i}`, Data: Buffer.from(`many ${i}`) }));
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 10; i++) {
    calls.push(put(harness, `early ${i}`));
    calls.push(
      harness.streams.putRecords(
        { StreamName, Records: entries.map((each) => ({ ...each, Data: Buffer.from(`${i}-${each.PartitionKey}`) })) },
        caller,
      ),
    );
    if (i === 4)
      calls.push(harness.streams.splitShard({ StreamName, ShardToSplit: id(0), NewStartingHashKey: middle }, caller));
  }
  const answers = await Promise.all(calls);
  const failed = answers.map((each) => (each as { FailedRecordCount?: number } | undefined)?.FailedRecordCount ?? 0);
  expect(failed.every((count) => count === 0)).toBe(true);
  const texts = (await Promise.all([0, 1, 2].map((n) => readShard(harness, id(n))))).map((each) => each.texts);
  expect(texts[0]?.length).toBeGreaterThan(0);
  expect((texts[1]?.length ?? 0) + (texts[2]?.length ?? 0)).toBeGreaterThan(0);
  const wanted = Array.from({ length: 10 }, (_, i) => [
    `early ${i}`,
    ...entries.map((each) => `${i}-${each.PartitionKey}`),
  ]);
  expect(texts.flat().sort()).toEqual(wanted.flat().sort());
});

test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  'random reshards, puts and crashes, seed %i: nothing is lost, nothing is there twice, order per key holds along the lineage',
  async (seed) => {
    const random = new SeededRandom(seed);
    let disk = new SimDisk(seed);
    const engine = { fileBytes: 64 * 1024, firstFileBytes: 64 * 1024, flushBytes: 8 * 1024, reserveBytes: 0 };
    let harness = await started(2, { disk, durability: 'fsync', engine });
    const acknowledged = new Map<string, number[]>();
    const counts = new Map<string, number>();
    let reshards = 0;
    for (let step = 0; step < 120; step++) {
      const kind = random.below(10);
      if (kind < 6) {
        const key = `key ${random.below(12)}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        await put(harness, `${key}/${count}`, key);
        acknowledged.set(key, [...(acknowledged.get(key) ?? []), count]);
      } else if (kind < 9) {
        const putting = Promise.all([put(harness, `side/${step}`, `side ${step}`), reshardOnce(harness, random)]);
        await putting;
        reshards++;
      } else {
        disk = random.chance(0.5) ? disk.kill() : disk.powerCut();
        harness = await startStreams({ disk, durability: 'fsync', engine });
      }
      harness.clock.advance(random.below(1500));
    }
    expectWhole(await openOf(harness));
    const read = await readAlongLineage(harness);
    for (const [key, list] of acknowledged) {
      const own = read.filter((text) => text.startsWith(`${key}/`)).map((text) => Number(text.split('/')[1]));
      expect(own, key).toEqual(list);
    }
    expect(read.filter((text) => text.startsWith('side/'))).toHaveLength(reshards);
    expect(new Set(read).size).toBe(read.length);
  },
);

async function reshardOnce(harness: StreamsHarness, random: SeededRandom): Promise<void> {
  const open = await openOf(harness);
  const at = random.below(open.length);
  const { ShardId, HashKeyRange: range } = open[at] as Shard;
  const kind = random.below(3);
  if (kind === 0) {
    const width = BigInt(range.EndingHashKey) - BigInt(range.StartingHashKey);
    const NewStartingHashKey = String(BigInt(range.StartingHashKey) + (width * BigInt(random.between(1, 9))) / 10n);
    await harness.streams.splitShard({ StreamName, ShardToSplit: ShardId, NewStartingHashKey }, caller);
  } else if (kind === 1 && open.length > 2 && at + 1 < open.length) {
    const AdjacentShardToMerge = (open[at + 1] as Shard).ShardId;
    await harness.streams.mergeShards({ StreamName, ShardToMerge: ShardId, AdjacentShardToMerge }, caller);
  } else {
    const TargetShardCount = random.between(Math.ceil(open.length / 2), Math.min(open.length * 2, 8));
    await harness.streams.updateShardCount({ StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' }, caller);
  }
}

/** As a consumer reads: children only when all their parents have been read to their end. */
async function readAlongLineage(harness: StreamsHarness): Promise<string[]> {
  const texts: string[] = [];
  const finished = new Set<string>();
  const roots = (await shardsOf(harness)).filter(({ ParentShardId }) => ParentShardId === undefined);
  const waiting = roots.map(({ ShardId }) => ({ ShardId, parents: [] as readonly string[] }));
  for (let next; (next = waiting.shift()) !== undefined;) {
    const { ShardId } = next;
    if (finished.has(ShardId)) continue;
    if (!next.parents.every((each) => finished.has(each))) {
      waiting.push(next);
      continue;
    }
    const shard = await readShard(harness, ShardId);
    texts.push(...shard.texts);
    finished.add(ShardId);
    for (const child of shard.last.ChildShards ?? [])
      waiting.push({ ShardId: child.ShardId, parents: child.ParentShards });
  }
  return texts;
}
