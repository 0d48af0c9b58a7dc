import type { ApplyContext } from '../../catalog/index.ts';
import { evenRanges, type HashKey, hashKeyOf } from '../shard/hash-key.ts';
import type { Shard, StreamRecord } from './stream.ts';

/**
 * Changes the shards of a stream while a command is applied. Parents are closed and children made in one step, and nothing is copied:
 * a crash leaves either all of it or nothing.
 */
class Reshard {
  readonly #record: StreamRecord;
  readonly #context: ApplyContext;
  readonly #shards: Map<number, Shard>;
  #next: number;

  constructor(record: StreamRecord, context: ApplyContext) {
    this.#record = record;
    this.#context = context;
    this.#shards = new Map(record.shards.map((each) => [each.number, each]));
    this.#next = record.nextShard ?? record.shards.length;
  }

  /** Two children share the range; the second begins at `at`. */
  split(shard: Shard, at: HashKey): readonly [Shard, Shard] {
    this.#close(shard);
    const before = hashKeyOf(valueOf(at) - 1n);
    return [
      this.#make({ startHash: shard.startHash, endHash: before }, [shard]),
      this.#make({ startHash: at, endHash: shard.endHash }, [shard]),
    ];
  }

  /** One child has the ranges of both; `lower` is its first parent. */
  merge(lower: Shard, upper: Shard): Shard {
    this.#close(lower);
    this.#close(upper);
    return this.#make({ startHash: lower.startHash, endHash: upper.endHash }, [lower, upper]);
  }

  finish(): void {
    this.#record.shards = [...this.#shards.values()];
    this.#record.nextShard = this.#next;
  }

  #close(shard: Shard): void {
    const { timeMs, log } = this.#context;
    const endOffset = log.closeShard({ group: this.#record.incarnation, shard: shard.number });
    this.#shards.set(shard.number, { ...shard, closed: { endOffset, timeMs } });
  }

  #make(range: { startHash: HashKey; endHash: HashKey }, parents: readonly Shard[]): Shard {
    const { timeMs, log } = this.#context;
    const [parent, adjacent] = parents as readonly [Shard, Shard?];
    const shard: Shard = {
      number: this.#next++,
      ...range,
      // In every sequence number: so those of a child are above those of its parents. Assumed: also ahead of the clock.
      createdSecond: Math.max(Math.floor(timeMs / 1000), ...parents.map((each) => each.createdSecond + 1)),
      openedMs: timeMs,
      parent: parent.number,
      ...(adjacent !== undefined && { adjacentParent: adjacent.number }),
    };
    log.provision({ group: this.#record.incarnation, shard: shard.number });
    this.#shards.set(shard.number, shard);
    return shard;
  }
}

/** Whether a shard of this range can be split there: neither part may be as small as a single hash key. Source: recorded by kinesalite. */
export function isSplittable({ startHash, endHash }: Shard, at: HashKey): boolean {
  return valueOf(at) > valueOf(startHash) + 1n && at < endHash;
}

export function isAdjacent(lower: Shard, upper: Shard): boolean {
  return valueOf(lower.endHash) + 1n === valueOf(upper.startHash);
}

export function splitShard(record: StreamRecord, shard: Shard, at: HashKey, context: ApplyContext): void {
  const reshard = new Reshard(record, context);
  reshard.split(shard, at);
  reshard.finish();
}

export function mergeShards(record: StreamRecord, lower: Shard, upper: Shard, context: ApplyContext): void {
  const reshard = new Reshard(record, context);
  reshard.merge(lower, upper);
  reshard.finish();
}

/**
 * A boundary this near to where an even one would be stays. They differ by roundings of earlier counts, and a shard as small as the
 * difference, even one that is closed at once, is refused by the KCL when it has a single hash key.
 */
const nearHashKeys = 1n << 20n;

/**
 * Makes `count` even shards of those that are open: first each is split wherever a new range begins in it, then pieces of one new range are
 * merged. What is in between is closed at once, and never holds a record.
 */
export function scaleShards(record: StreamRecord, count: number, context: ApplyContext): void {
  const reshard = new Reshard(record, context);
  const open = record.shards.filter((each) => each.closed === undefined);
  open.sort((a, b) => (a.startHash < b.startHash ? -1 : 1));
  const starts = evenStarts(count, open);
  const pieces: Shard[] = [];
  for (const shard of open) {
    let rest = shard;
    for (const start of starts) {
      if (start <= rest.startHash || start > rest.endHash) continue;
      const [piece, next] = reshard.split(rest, start);
      pieces.push(piece);
      rest = next;
    }
    pieces.push(rest);
  }
  starts.forEach((start, i) => {
    const next = starts[i + 1];
    const inside = pieces.filter(({ startHash }) => startHash >= start && (next === undefined || startHash < next));
    let whole = inside[0] as Shard;
    for (const piece of inside.slice(1)) whole = reshard.merge(whole, piece);
  });
  reshard.finish();
}

/** Where even ranges begin, or an open shard next to that. */
function evenStarts(count: number, open: readonly Shard[]): HashKey[] {
  const begun = open.map(({ startHash }) => ({ startHash, value: valueOf(startHash) }));
  let at = 0;
  return evenRanges(count).map(({ startHash }) => {
    const value = valueOf(startHash);
    while (at < begun.length && (begun[at] as { value: bigint }).value < value - nearHashKeys) at++;
    const near = begun[at];
    return near !== undefined && near.value <= value + nearHashKeys ? near.startHash : startHash;
  });
}

function valueOf(key: HashKey): bigint {
  return BigInt(`0x${key}`);
}
