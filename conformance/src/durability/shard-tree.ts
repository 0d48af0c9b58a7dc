import { isAbove } from './kill/ledger.ts';
import { endOf, hashKeyMax, isOpen, openOnes, parentsOf, startOf, type WireShard } from './shard-list.ts';

/** All shards of a stream that is resharded: each list must be right in itself, and go on from the one before. */
export class ShardTree {
  #shards: ReadonlyMap<string, WireShard> = new Map();
  /** By parent. */
  #children = new Map<string, WireShard[]>();

  /** Takes a whole list; says what is wrong with it. */
  take(shards: readonly WireShard[]): string[] {
    const before = this.#shards;
    this.#shards = new Map(shards.map((each) => [each.ShardId, each]));
    this.#children = new Map();
    for (const each of shards) for (const id of parentsOf(each)) this.#children.set(id, [...this.childrenOf(id), each]);
    return [
      ...(isWhole(openOnes(shards)) ? [] : ['the open shards do not cover all keys exactly once']),
      ...[...before.values()].flatMap((each) => this.#changesOf(each)),
      ...shards.flatMap((each) => this.#faultsOfParents(each)),
      ...shards.flatMap((each) => this.#faultsOfChildren(each)),
    ];
  }

  get(shardId: string): WireShard | undefined {
    return this.#shards.get(shardId);
  }

  get size(): number {
    return this.#shards.size;
  }

  childrenOf(shardId: string): readonly WireShard[] {
    return this.#children.get(shardId) ?? [];
  }

  /** Nothing about a shard changes but that it is closed, once. */
  #changesOf(before: WireShard): string[] {
    const now = this.get(before.ShardId);
    if (now === undefined) return [`${before.ShardId} is gone`];
    const { EndingSequenceNumber } = now.SequenceNumberRange;
    const expected = isOpen(before)
      ? { ...before, SequenceNumberRange: { ...before.SequenceNumberRange, EndingSequenceNumber } }
      : before;
    return textOf(now) === textOf(expected) ? [] : [`${before.ShardId} was ${textOf(before)} and is ${textOf(now)}`];
  }

  #faultsOfParents(shard: WireShard): string[] {
    return parentsOf(shard).flatMap((id) => {
      const parent = this.get(id);
      if (parent === undefined || isOpen(parent))
        return [`${id}, parent of ${shard.ShardId}, is not there, or is open`];
      const { EndingSequenceNumber: end = '' } = parent.SequenceNumberRange;
      const { StartingSequenceNumber: start } = shard.SequenceNumberRange;
      return isAbove(start, end) ? [] : [`${shard.ShardId} begins at ${start}, its parent ${id} ends at ${end}`];
    });
  }

  /** A closed shard has been split into two that share its range, or merged with the one beside it. */
  #faultsOfChildren(shard: WireShard): string[] {
    const children = this.childrenOf(shard.ShardId).toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    const [first, second, third] = children;
    const wrong = [`${shard.ShardId} (${isOpen(shard) ? 'open' : 'closed'}) has as its children ${textOf(children)}`];
    if (isOpen(shard)) return first === undefined ? [] : wrong;
    if (first === undefined || third !== undefined) return wrong;
    const family = second === undefined ? parentsOf(first).map((id) => this.get(id)) : [shard];
    const [lower, upper = lower] = family;
    if (lower === undefined || upper === undefined || (second === undefined) === (family.length === 1)) return wrong;
    const isRight =
      startOf(first) === startOf(lower) &&
      endOf(second ?? first) === endOf(upper) &&
      (second === undefined ? areNeighbours(lower, upper) : areNeighbours(first, second)) &&
      children.every((each) => parentsOf(each).length === family.length);
    return isRight ? [] : wrong;
  }
}

function isWhole(open: readonly WireShard[]): boolean {
  const [first] = open;
  const last = open.at(-1);
  if (first === undefined || last === undefined) return false;
  if (startOf(first) !== 0n || endOf(last) !== hashKeyMax) return false;
  return open.every((each, i) => i === 0 || areNeighbours(open[i - 1] as WireShard, each));
}

function areNeighbours(lower: WireShard, upper: WireShard): boolean {
  return endOf(lower) + 1n === startOf(upper);
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
