import { NoAnswerError } from '../connection.ts';
import { isAbove } from '../kill/ledger.ts';
import { endOf, startOf, type HashKeyRange, type WireShard } from '../shard-list.ts';
import type { ShardTree } from '../shard-tree.ts';
import type { Life } from './life.ts';
import type { Oracle, Reading, ReadRecord, ShardRange } from './oracle.ts';

/** As the last answer of a closed shard names its children. */
export interface ChildShard {
  readonly ShardId: string;
  readonly ParentShards: readonly string[];
  readonly HashKeyRange: HashKeyRange;
}

/** Where and with what a shard is read. */
export interface ShardReader {
  readonly shardId: string;
  /** Sequence number of the last record that was taken; '' before the first. */
  readonly after: () => string;
  readonly take: (records: readonly ReadRecord[]) => void;
}

/**
 * Reads one shard on from where its reader stands. Resolves with its children at its end, or with nothing when the server's life is over.
 *
 * @throws NoAnswerError
 */
export type ReadShard = (reader: ShardReader) => Promise<readonly ChildShard[] | undefined>;

/**
 * Follows the lineage of a stream as consumers do: knows shards only from what ends of their parents told, and begins with one when all its
 * parents have been read. What it has read outlives the server.
 */
export class Follower {
  readonly #oracle: Oracle;
  readonly #reading: Reading;
  readonly #unfinished = new Map<string, ShardRange>();
  /** By finished shard: the children that it named. */
  readonly #childrenTold = new Map<string, readonly string[]>();

  constructor(oracle: Oracle, name: string, first: readonly WireShard[]) {
    this.#oracle = oracle;
    this.#reading = oracle.reading(name);
    for (const each of first) this.#unfinished.set(each.ShardId, rangeOf(each));
  }

  /** Reads all that is there to be read, and what comes, until the server's life is over. */
  async follow(life: Life, read: ReadShard): Promise<void> {
    const follow = async (shard: ShardRange): Promise<void> => {
      const children = await this.#read(shard, life, read);
      if (children !== undefined) await Promise.all(this.#finish(shard, children).map(follow));
    };
    await Promise.all([...this.#unfinished.values()].map(follow));
  }

  /** Holds the shards that it has come to against a list of them, at a time when it has read everything. */
  compare(tree: ShardTree, shards: readonly WireShard[]): void {
    for (const { ShardId: id, SequenceNumberRange: range } of shards) {
      const told = this.#childrenTold.get(id);
      const { EndingSequenceNumber: end } = range;
      if (told === undefined && !this.#unfinished.has(id)) this.#violate(`${id} was named by no parent`);
      if ((told === undefined) !== (end === undefined))
        this.#violate(
          `${id} is ${end === undefined ? 'open' : 'closed'}, and has ${told === undefined ? 'not ' : ''}ended`,
        );
      const last = this.#reading.lastOf(id);
      if (end !== undefined && isAbove(last, end)) this.#violate(`${id} ends at ${end} and has ${last}`);
      const right = tree.childrenOf(id).map(({ ShardId }) => ShardId);
      if (told !== undefined && told.join() !== right.join())
        this.#violate(`${id} named as its children ${told.join()}, which are ${right.join()}`);
    }
  }

  async #read(shard: ShardRange, life: Life, read: ReadShard): Promise<readonly ChildShard[] | undefined> {
    const reader: ShardReader = {
      shardId: shard.id,
      after: () => this.#reading.lastOf(shard.id),
      take: (records) => {
        for (const each of records) this.#reading.take(shard, each);
      },
    };
    try {
      return await read(reader);
    } catch (error) {
      const isExpected = error instanceof NoAnswerError && life.isOver;
      if (!isExpected) this.#violate(`reading ${shard.id} failed: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** The children that can be read now. */
  #finish(shard: ShardRange, children: readonly ChildShard[]): ShardRange[] {
    this.#reading.end(shard.id);
    this.#unfinished.delete(shard.id);
    this.#childrenTold.set(shard.id, children.map(({ ShardId }) => ShardId).sort());
    const ready = children.filter(({ ParentShards }) => ParentShards.every((id) => this.#childrenTold.has(id)));
    const ranges = ready.map(rangeOf);
    for (const each of ranges) this.#unfinished.set(each.id, each);
    return ranges;
  }

  #violate(sentence: string): void {
    this.#oracle.violate(`${this.#reading.name}: ${sentence}`);
  }
}

function rangeOf(shard: { readonly ShardId: string; readonly HashKeyRange: HashKeyRange }): ShardRange {
  return { id: shard.ShardId, startHash: startOf(shard), endHash: endOf(shard) };
}
