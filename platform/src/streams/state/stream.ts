import { partitionOf, type StreamMode } from '../../model/index.ts';
import { type HashKey, type HashWords, writeHashWords } from '../shard/hash-key.ts';
import { SequenceWriter } from '../shard/sequence-number.ts';

/** One shard as the catalog keeps it; plain data, part of the snapshot. */
export interface Shard {
  readonly number: number;
  readonly startHash: HashKey;
  readonly endHash: HashKey;
  /** Seconds since the epoch: above its parents' and above that of all shards of a former stream of this name. */
  readonly createdSecond: number;
  /** When it began to take records, where that was not with its stream; milliseconds since the epoch. */
  readonly openedMs?: number;
  readonly parent?: number;
  readonly adjacentParent?: number;
  /** Set when the shard takes no more records. */
  readonly closed?: { readonly endOffset: number; readonly timeMs: number };
}

/** What a stream's name is unique in. */
export interface StreamScope {
  readonly account: string;
  readonly region: string;
}

/** A registered consumer of a stream, for enhanced fan-out; plain data, part of the snapshot. Times are milliseconds since the epoch. */
export interface Consumer {
  readonly name: string;
  /** Part of the ARN: tells it from a former consumer of its name. Seconds since the epoch. */
  readonly createdSecond: number;
  readonly createdMs: number;
  /** CREATING before this time. */
  readonly readyMs: number;
  /** DELETING when set; gone at this time. */
  readonly deleteMs?: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** One incarnation of a stream; plain data, part of the snapshot. Times are milliseconds since the epoch. */
export interface StreamRecord extends StreamScope {
  readonly name: string;
  /** Unique over all streams ever; names its files. */
  readonly incarnation: number;
  /** The API's StreamId. */
  readonly streamId: string;
  readonly createdMs: number;
  /** CREATING before this time. */
  readonly readyMs: number;
  readonly mode: StreamMode;
  readonly maxRecordKiB: number;
  /** Those whose records are all past retention may be gone. In the order of their numbers. */
  shards: readonly Shard[];
  /** Number of the next shard; without it that of `shards`. */
  nextShard?: number;
  /** UPDATING before this time. */
  updatedMs?: number;
  consumers?: readonly Consumer[];
  /** The latest `createdSecond` of a consumer. */
  consumerSecond?: number;
  /** When UpdateShardCount was called in the last 24 hours. */
  scaledMs?: readonly number[];
  retentionHours: number;
  /** Records that arrived before this are gone, whatever the retention becomes. */
  trimMs: number;
  /** DELETING when set; gone at this time. */
  deleteMs?: number;
  tags: Record<string, string>;
}

/** The open shards of a stream in the order of their ranges: where a hash key goes. */
export class ShardRoutes {
  readonly shards: readonly Shard[];
  /** Four words for each shard. */
  readonly #starts: Uint32Array;

  constructor(shards: readonly Shard[]) {
    this.shards = shards
      .filter((each) => each.closed === undefined)
      .sort((a, b) => (a.startHash < b.startHash ? -1 : 1));
    this.#starts = new Uint32Array(this.shards.length * 4);
    this.shards.forEach(({ startHash }, i) => writeHashWords(startHash, this.#starts.subarray(i * 4, i * 4 + 4)));
  }

  /** Index in `shards` of the one that owns the hash key. */
  indexOf(key: HashWords): number {
    let low = 0;
    let high = this.shards.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#isAtOrBehind(middle, key)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Whether `key` is not before the start of a shard. */
  #isAtOrBehind(index: number, key: HashWords): boolean {
    const starts = this.#starts;
    for (let i = 0; i < 4; i++) {
      const start = starts[index * 4 + i] as number;
      const word = key[i] as number;
      if (word !== start) return word > start;
    }
    return true;
  }
}

/** A stream with what is derived from its record. */
export class Stream {
  readonly record: StreamRecord;
  readonly arn: string;
  #routes: ShardRoutes;
  #shards: Map<number, Shard>;
  readonly #writers = new Map<number, SequenceWriter>();
  #horizonMs = 0;

  constructor(record: StreamRecord) {
    this.record = record;
    this.arn = streamArn(record, record.name);
    this.#routes = new ShardRoutes(record.shards);
    this.#shards = new Map(record.shards.map((each) => [each.number, each]));
  }

  /** Replaced as a whole when the shards change. */
  get routes(): ShardRoutes {
    return this.#routes;
  }

  /** To be called when the shards of the record have changed. */
  shardsChanged(): void {
    this.#routes = new ShardRoutes(this.record.shards);
    this.#shards = new Map(this.record.shards.map((each) => [each.number, each]));
  }

  /** Writes the sequence numbers of a shard; kept, since numbers in a row are much cheaper to write than single ones. */
  sequenceNumbers(shard: Shard): SequenceWriter {
    let writer = this.#writers.get(shard.number);
    if (writer === undefined) {
      writer = new SequenceWriter({ shard: shard.number, createdSecond: shard.createdSecond });
      this.#writers.set(shard.number, writer);
    }
    return writer;
  }

  shard(number: number): Shard | undefined {
    return this.#shards.get(number);
  }

  /** The shard's children; none while it is open. */
  childrenOf({ number }: Shard): Shard[] {
    return this.record.shards.filter((each) => each.parent === number || each.adjacentParent === number);
  }

  /** Whether all its records are past retention, and it takes no more. */
  isExpired({ closed }: Shard, nowMs: number): boolean {
    return closed !== undefined && closed.timeMs < this.horizonMs(nowMs);
  }

  status(nowMs: number): 'CREATING' | 'ACTIVE' | 'UPDATING' | 'DELETING' {
    if (this.record.deleteMs !== undefined) return 'DELETING';
    if (nowMs < this.record.readyMs) return 'CREATING';
    return nowMs < (this.record.updatedMs ?? 0) ? 'UPDATING' : 'ACTIVE';
  }

  /** Records that arrived before this time are not readable any more. Never goes back, whatever the clock does. */
  horizonMs(nowMs: number): number {
    this.#horizonMs = Math.max(this.#horizonMs, this.record.trimMs, nowMs - this.record.retentionHours * 3_600_000);
    return this.#horizonMs;
  }
}

export function streamArn(scope: StreamScope, name: string): string {
  return `arn:${partitionOf(scope.region)}:kinesis:${scope.region}:${scope.account}:stream/${name}`;
}
