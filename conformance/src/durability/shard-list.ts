import type { Connection } from './connection.ts';

/** The highest hash key. */
export const hashKeyMax: bigint = 2n ** 128n - 1n;

/** A shard as ListShards describes it. */
export interface WireShard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
  readonly HashKeyRange: HashKeyRange;
  readonly SequenceNumberRange: { readonly StartingSequenceNumber: string; readonly EndingSequenceNumber?: string };
}

export interface HashKeyRange {
  readonly StartingHashKey: string;
  readonly EndingHashKey: string;
}

/** All of a stream, in the order of their numbers, in which parents come before children; or those that a filter lets through. */
export async function listShards(
  connection: Connection,
  StreamName: string,
  ShardFilter?: { readonly Type: string },
): Promise<WireShard[]> {
  const shards: WireShard[] = [];
  let page: { Shards?: WireShard[]; NextToken?: string } = {};
  do {
    const first = ShardFilter === undefined ? { StreamName } : { StreamName, ShardFilter };
    page = await connection.mustCall(
      'ListShards',
      page.NextToken === undefined ? first : { NextToken: page.NextToken },
    );
    shards.push(...(page.Shards ?? []));
  } while (page.NextToken !== undefined);
  return shards;
}

export function listOpenShards(connection: Connection, streamName: string): Promise<WireShard[]> {
  return listShards(connection, streamName, { Type: 'AT_LATEST' });
}

export function isOpen({ SequenceNumberRange: range }: WireShard): boolean {
  return range.EndingSequenceNumber === undefined;
}

/** In the order of their ranges. */
export function openOnes(shards: readonly WireShard[]): WireShard[] {
  return shards.filter(isOpen).sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
}

export function parentsOf({ ParentShardId, AdjacentParentShardId }: WireShard): string[] {
  return [ParentShardId, AdjacentParentShardId].filter((each) => each !== undefined);
}

export function startOf({ HashKeyRange }: { readonly HashKeyRange: HashKeyRange }): bigint {
  return BigInt(HashKeyRange.StartingHashKey);
}

export function endOf({ HashKeyRange }: { readonly HashKeyRange: HashKeyRange }): bigint {
  return BigInt(HashKeyRange.EndingHashKey);
}
