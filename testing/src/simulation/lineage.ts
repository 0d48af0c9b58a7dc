import { parseSequenceNumber } from '../../../platform/src/streams/shard/sequence-number.ts';
import type { Ledger, ListedShard } from './ledger.ts';

/** Where a reader is in one shard. */
export interface FollowedShard {
  readonly id: string;
  /** Records that it has read: the offset of the next. */
  count: number;
  /** Sequence number of the last of them. */
  after: string | undefined;
}

export interface ChildShard {
  readonly ShardId: string;
  readonly ParentShards: readonly string[];
}

/** What a reader is given of a shard at a time. */
export interface Given {
  readonly records: ReadonlyArray<{ readonly data: string; readonly sequenceNumber: string }>;
  /** With what ends the shard. */
  readonly children?: readonly ChildShard[] | undefined;
}

/**
 * What one reader gets that follows a stream's lineage, a child when its parents have ended: it must be every record, once, and in order
 * for each key whatever shard it is in. Outlives the server.
 */
export class LineageReading {
  readonly #ledger: Ledger;
  readonly #stream: string;
  readonly #unfinished = new Map<string, FollowedShard>();
  readonly #finished = new Map<string, FollowedShard & { readonly children: readonly string[] }>();
  /** By key: of the records that were read, the one that was sent last. */
  readonly #newest = new Map<string, { readonly data: string; readonly sentAt: number }>();

  /** @param roots   the shards that the stream began with */
  constructor(ledger: Ledger, stream: string, roots: readonly string[]) {
    this.#ledger = ledger;
    this.#stream = stream;
    for (const id of roots) this.#begin(id);
  }

  /** Shards to be read. */
  get unfinished(): FollowedShard[] {
    return [...this.#unfinished.values()];
  }

  take({ id }: FollowedShard, { records, children }: Given): void {
    const shard = this.#unfinished.get(id);
    if (shard === undefined) throw new Error(`${this.#stream}: ${id} has ended, and goes on`);
    this.#ledger.read(this.#stream, records, false, id);
    for (const { data, sequenceNumber } of records) {
      const offset = parseSequenceNumber(sequenceNumber)?.offset;
      if (offset !== shard.count)
        throw new Error(`${this.#stream}: ${id} gives ${offset} where ${shard.count} is next`);
      shard.count++;
      shard.after = sequenceNumber;
      this.#checkOrder(data);
    }
    if (children !== undefined) this.#end(shard, children);
  }

  /** Holds what it has read, when it has read all, against what there is. */
  compare(shards: readonly ListedShard[]): void {
    for (const { id, key, isOpen } of shards) {
      const count = this.#ledger.countOf(key);
      const place = this.#unfinished.get(id) ?? this.#finished.get(id);
      if (place === undefined) throw new Error(`${this.#stream}: no parent has named ${id}`);
      if (this.#finished.has(id) === isOpen)
        throw new Error(`${this.#stream}: ${id} ${isOpen ? 'ended' : 'does not end'}`);
      if (place.count !== count)
        throw new Error(`${this.#stream}: ${place.count} of ${count} records of ${id} were read`);
      const named = this.#finished.get(id)?.children.join() ?? '';
      const right = shards.filter(({ parents }) => parents.includes(id)).map((each) => each.id);
      if (named !== right.join())
        throw new Error(`${this.#stream}: ${id} named ${named} as its children, not ${right.join()}`);
    }
  }

  #begin(id: string): void {
    this.#unfinished.set(id, { id, count: 0, after: undefined });
  }

  #end(shard: FollowedShard, children: readonly ChildShard[]): void {
    this.#unfinished.delete(shard.id);
    this.#finished.set(shard.id, { ...shard, children: children.map(({ ShardId }) => ShardId).sort() });
    for (const { ShardId, ParentShards } of children)
      if (ParentShards.every((id) => this.#finished.has(id))) this.#begin(ShardId);
  }

  /** A record that was answered before another of its key was sent comes before that one. */
  #checkOrder(data: string): void {
    const { key, sentAt, answeredAt } = this.#ledger.timesOf(data);
    const newest = this.#newest.get(key);
    if (newest !== undefined && answeredAt < newest.sentAt) {
      throw new Error(`${this.#stream}: ${data} comes after ${newest.data}, which was sent when it had been answered`);
    }
    if (newest === undefined || sentAt > newest.sentAt) this.#newest.set(key, { data, sentAt });
  }
}
