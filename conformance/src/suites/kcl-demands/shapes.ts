import assert from 'node:assert/strict';

export interface HashKeyRange {
  readonly StartingHashKey: string;
  readonly EndingHashKey: string;
}

export interface Shard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
  readonly HashKeyRange: HashKeyRange;
  readonly SequenceNumberRange: { readonly StartingSequenceNumber: string; readonly EndingSequenceNumber?: string };
}

export interface ChildShard {
  readonly ShardId: string;
  readonly ParentShards: readonly string[];
  readonly HashKeyRange: HashKeyRange;
}

export interface WireRecord {
  readonly SequenceNumber: string;
  readonly PartitionKey: string;
  /** Base64 in JSON, bytes in CBOR. */
  readonly Data: string | Uint8Array;
}

export interface RecordsPage {
  readonly Records: readonly WireRecord[];
  readonly NextShardIterator?: string;
  readonly MillisBehindLatest: number;
  readonly ChildShards?: readonly ChildShard[];
}

export function bytesOf({ Data }: WireRecord): Buffer {
  return typeof Data === 'string' ? Buffer.from(Data, 'base64') : Buffer.from(Data);
}

export function textsOf(records: readonly WireRecord[]): string[] {
  return records.map((record) => bytesOf(record).toString());
}

/** Two parents are the mark of a merge. */
export function parentsOf({ ParentShardId, AdjacentParentShardId }: Shard): string[] {
  return [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined);
}

/**
 * The KCL takes an answer for invalid, and asks again for ever, unless a way on and children exclude each other, and each child names a
 * parent. Source: clients reference §2.5, "Iterators".
 *
 * @param next   NextShardIterator or ContinuationSequenceNumber
 */
export function assertEndRule(next: string | undefined, children: readonly ChildShard[] | undefined): void {
  const isEnd = next === undefined;
  assert.ok(isEnd || (typeof next === 'string' && next !== ''), 'where to go on is a text or absent');
  assert.equal((children?.length ?? 0) > 0, isEnd, 'children are given at the end of the shard, and only there');
  for (const { ShardId, ParentShards, HashKeyRange: range } of children ?? []) {
    assert.ok(ParentShards.length > 0, `${ShardId} has parents`);
    // A lease of a child gets its range from here.
    assert.ok(BigInt(range.StartingHashKey) <= BigInt(range.EndingHashKey), `range of ${ShardId}`);
  }
}

const hashKeyMax = 2n ** 128n - 1n;

/** The KCL starts with no set of shards that has a hole, or an overlap. Source: clients reference §2.5, "Shard sync". */
export function assertExactCover(
  shards: readonly { readonly ShardId: string; readonly HashKeyRange: HashKeyRange }[],
): void {
  const inOrder = shards
    .map(({ ShardId, HashKeyRange: range }) => ({
      ShardId,
      start: BigInt(range.StartingHashKey),
      end: BigInt(range.EndingHashKey),
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  let next = 0n;
  for (const { ShardId, start, end } of inOrder) {
    assert.equal(start, next, `start of ${ShardId} among ${inOrder.map((each) => each.ShardId).join(', ')}`);
    next = end + 1n;
  }
  assert.equal(next - 1n, hashKeyMax, 'the last hash key');
}

/** An open shard with children stops a shard sync. Source: clients reference §2.5, "Shard sync". */
export function assertLineage(shards: readonly Shard[]): void {
  const byId = new Map(shards.map((shard) => [shard.ShardId, shard]));
  assert.equal(byId.size, shards.length, 'each shard once');
  for (const shard of shards) {
    for (const id of parentsOf(shard)) {
      const parent = byId.get(id);
      assert.ok(parent !== undefined, `${id}, a parent of ${shard.ShardId}, is listed`);
      const end = parent.SequenceNumberRange.EndingSequenceNumber;
      assert.ok(end !== undefined, `${id}, a parent of ${shard.ShardId}, has an ending number`);
      // Leases are made in the order of the starting numbers.
      const start = shard.SequenceNumberRange.StartingSequenceNumber;
      assert.ok(BigInt(end) < BigInt(start), `${shard.ShardId} starts behind the end of ${id}`);
    }
  }
  assertExactCover(shards.filter((shard) => shard.SequenceNumberRange.EndingSequenceNumber === undefined));
}
