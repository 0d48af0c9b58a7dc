import { parseSequenceNumber } from '../../../platform/src/streams/shard/sequence-number.ts';

/** What a client knows of a call that has ended. */
export type Fate = 'acknowledged' | 'refused' | 'unknown';

/** Where a record is: shards of one name are told apart over all incarnations by their creation second. */
export interface Place {
  readonly createdSecond: number;
  readonly shard: number;
  readonly offset: number;
}

interface KnownRecord {
  readonly stream: string;
  readonly key: string;
  /** Counts calls and answers. */
  readonly sentAt: number;
  answeredAt: number;
  fate: Fate | 'under way';
  place: Place | undefined;
  /** Count of records that were known in each shard of the stream when this one was sent. */
  readonly behind: ReadonlyMap<string, number>;
}

/** A shard as it is listed. */
export interface ListedShard {
  readonly id: string;
  /** See {@link shardKey}. */
  readonly key: string;
  readonly parents: readonly string[];
  readonly isOpen: boolean;
  readonly startHash: bigint;
  readonly endHash: bigint;
}

interface KnownStream {
  existence: 'absent' | 'present' | 'unknown';
  /** Of the incarnation that is present, once it has been seen. */
  createdSecond: number | undefined;
  /** The newest incarnation ever seen. */
  newestSecond: number;
  tags: Map<string, KnownTag>;
}

interface KnownTag {
  /** One of them is there: the newest that was acknowledged, or any whose call ended later without an answer. */
  readonly values: Set<string>;
  readonly mustBeThere: boolean;
}

/** Knows from outside what clients were told, and says what does not agree with it. */
export class Ledger {
  storedCount = 0;
  #time = 0;
  readonly #records = new Map<string, KnownRecord>();
  /** By shard: data of the records that are known to be there, by offset. */
  readonly #shards = new Map<string, string[]>();
  readonly #streams = new Map<string, KnownStream>();
  /** Shards that were split or merged, as far as that was answered or seen. */
  readonly #closed = new Set<string>();

  constructor(names: readonly string[]) {
    for (const name of names) {
      this.#streams.set(name, {
        existence: 'absent',
        createdSecond: undefined,
        newestSecond: 0,
        tags: new Map(),
      });
    }
  }

  existenceOf(name: string): KnownStream['existence'] {
    return this.#stream(name).existence;
  }

  putting(stream: string, data: string, key: string): void {
    const behind = new Map(
      [...this.#shards]
        .filter(([shard]) => shard.startsWith(`${stream}/`))
        .map(([shard, list]) => [shard, list.length]),
    );
    const times = { sentAt: ++this.#time, answeredAt: Infinity };
    this.#records.set(data, { stream, key, ...times, fate: 'under way', place: undefined, behind });
  }

  /** @param sequenceNumber   of the answer, when it was acknowledged */
  put(data: string, fate: Fate, sequenceNumber?: string): void {
    const record = this.#record(data);
    if (record.fate !== 'acknowledged') record.fate = fate;
    if (fate !== 'acknowledged') return;
    record.answeredAt = ++this.#time;
    const place = parseSequenceNumber(sequenceNumber ?? '0');
    if (place === undefined) throw new Error(`${data} was answered with the sequence number ${sequenceNumber}`);
    this.#take(data, record, place);
  }

  /** When a record was sent, and its put acknowledged, if it was. */
  timesOf(data: string): { readonly key: string; readonly sentAt: number; readonly answeredAt: number } {
    return this.#record(data);
  }

  /** How many records are known to be in a shard. */
  countOf(shard: string): number {
    return this.#shards.get(shard)?.length ?? 0;
  }

  /** @param exists   it was refused because the stream exists */
  created(name: string, fate: Fate, exists: boolean): void {
    const stream = this.#stream(name);
    if (fate === 'refused' && exists && stream.existence === 'absent') throw new Error(`${name} was gone and exists`);
    if (fate === 'acknowledged' && stream.existence === 'present') throw new Error(`${name} was made twice`);
    // A refusal says how things stand, not what a call without an answer may still do at the next start.
    if (fate === 'refused') return;
    if (fate === 'acknowledged') forgetIncarnation(stream);
    if (fate === 'acknowledged') stream.existence = 'present';
    else if (stream.existence === 'absent') stream.existence = 'unknown';
  }

  /** @param isAbsent   it was refused because there is no such stream */
  deleted(name: string, fate: Fate, isAbsent: boolean): void {
    const stream = this.#stream(name);
    if (fate === 'refused' && isAbsent && stream.existence === 'present')
      throw new Error(`${name} existed and is gone`);
    if (fate === 'refused') return;
    if (fate === 'acknowledged') forgetIncarnation(stream);
    if (fate === 'acknowledged') stream.existence = 'absent';
    else {
      if (stream.existence === 'present') stream.existence = 'unknown';
      // It may be gone, and made anew by a call without an answer.
      for (const [key, { values }] of stream.tags) stream.tags.set(key, { values, mustBeThere: false });
    }
  }

  tagged(name: string, key: string, value: string, fate: Fate): void {
    const stream = this.#stream(name);
    const known = stream.tags.get(key);
    if (fate === 'acknowledged') stream.tags.set(key, { values: new Set([value]), mustBeThere: true });
    if (fate === 'unknown') {
      const values = new Set([...(known?.values ?? []), value]);
      stream.tags.set(key, { values, mustBeThere: known?.mustBeThere ?? false });
    }
  }

  /** A split or merge of these was acknowledged. */
  closed(shards: readonly string[]): void {
    for (const each of shards) this.#closed.add(each);
  }

  /** What a client finds when it lists all shards of a stream while nobody changes it. */
  foundShards(name: string, shards: readonly ListedShard[]): void {
    for (const { key, isOpen } of shards) {
      if (isOpen && this.#closed.has(key)) throw new Error(`${key} was closed, and is open`);
      if (!isOpen) this.#closed.add(key);
    }
    const open = shards.filter(({ isOpen }) => isOpen).sort((a, b) => (a.startHash < b.startHash ? -1 : 1));
    const nextHashes = [...open.slice(1).map(({ startHash }) => startHash), 2n ** 128n];
    const isWhole = open[0]?.startHash === 0n && open.every(({ endHash }, i) => endHash + 1n === nextHashes[i]);
    if (!isWhole) throw new Error(`${name}: the open shards do not have each hash key once`);
  }

  /**
   * What a client finds when it asks for the stream while nobody changes it.
   *
   * @param isSettled   the server has been started since: a call without an answer has taken effect by now, or never will
   */
  found(name: string, createdSecond: number | undefined, tags: ReadonlyMap<string, string>, isSettled: boolean): void {
    const stream = this.#stream(name);
    const isThere = createdSecond !== undefined;
    if (stream.existence !== 'unknown' && (stream.existence === 'present') !== isThere) {
      throw new Error(`${name} is ${stream.existence} by all that was answered, and is ${isThere ? '' : 'not '}there`);
    }
    if (isThere) this.#foundThere(name, stream, createdSecond, tags, isSettled);
    else if (isSettled) forgetIncarnation(stream);
    if (isSettled) stream.existence = isThere ? 'present' : 'absent';
  }

  #foundThere(
    name: string,
    stream: KnownStream,
    createdSecond: number,
    tags: ReadonlyMap<string, string>,
    isSettled: boolean,
  ): void {
    const { createdSecond: known, newestSecond } = stream;
    // A stream that may have been made anew shows it by its creation second.
    if (known !== undefined && known !== createdSecond && stream.existence !== 'unknown') {
      throw new Error(`${name} is another stream than before: ${known} became ${createdSecond}`);
    }
    if (known !== createdSecond && createdSecond <= newestSecond) {
      throw new Error(`${name} was made anew with creation second ${createdSecond}, not above ${newestSecond}`);
    }
    if (known !== undefined && known !== createdSecond) {
      // Which of its tags were set before it was made anew is not known.
      for (const [key, { values }] of stream.tags) stream.tags.set(key, { values, mustBeThere: false });
    }
    stream.createdSecond = stream.newestSecond = createdSecond;
    for (const [key, { mustBeThere }] of stream.tags) {
      if (mustBeThere && !tags.has(key)) throw new Error(`${name}: tag ${key} is gone`);
      if (!tags.has(key) && isSettled) stream.tags.delete(key);
    }
    for (const [key, value] of tags) {
      if (stream.tags.get(key)?.values.has(value) !== true) throw new Error(`${name}: tag ${key}=${value} cannot be`);
      if (isSettled) stream.tags.set(key, { values: new Set([value]), mustBeThere: true });
    }
  }

  /**
   * Records as a reader got them, in a row.
   *
   * @param isAll   these are all that the shard has, from its first
   */
  read(
    name: string,
    records: ReadonlyArray<{ data: string; sequenceNumber: string }>,
    isAll: boolean,
    shard: string,
  ): void {
    let before: Place | undefined;
    for (const { data, sequenceNumber } of records) {
      const place = parseSequenceNumber(sequenceNumber);
      if (place === undefined) throw new Error(`${data} has the sequence number ${sequenceNumber}`);
      if (before !== undefined && place.offset !== before.offset + 1) {
        throw new Error(`${name}: ${place.offset} follows ${before.offset} in shard ${place.shard}`);
      }
      if (before === undefined && isAll && place.offset !== 0) {
        throw new Error(`${name}: shard ${place.shard} begins at ${place.offset}`);
      }
      before = place;
      const record = this.#records.get(data);
      if (record?.stream !== name) throw new Error(`${name}: nobody has put ${data} there`);
      if (record.fate === 'refused') throw new Error(`${name}: ${data} was refused and is there`);
      this.#take(data, record, place);
    }
    const known = this.countOf(shard);
    if (isAll && records.length < known) {
      throw new Error(`${shard}: ${known} records are known and ${records.length} are there`);
    }
  }

  /** Notes where a record is; it must be there from now on, and nowhere else. */
  #take(data: string, record: KnownRecord, place: Place): void {
    const { createdSecond, shard, offset } = place;
    const key = shardKey(record.stream, createdSecond, shard);
    if (record.place !== undefined) {
      const { place: known } = record;
      if (known.offset !== offset || known.shard !== shard || known.createdSecond !== createdSecond) {
        throw new Error(`${data} is at ${key} ${offset} and at ${JSON.stringify(known)}`);
      }
      return;
    }
    let list = this.#shards.get(key);
    if (list === undefined) this.#shards.set(key, (list = []));
    const other = list[offset];
    if (other !== undefined && other !== data) throw new Error(`${key} ${offset} is ${other} and ${data}`);
    // What was known to be there when this was sent is before it.
    if (offset < (record.behind.get(key) ?? 0)) throw new Error(`${data} at ${key} ${offset} has overtaken others`);
    list[offset] = data;
    record.place = place;
    this.storedCount++;
  }

  #record(data: string): KnownRecord {
    const record = this.#records.get(data);
    if (record === undefined) throw new Error(`nobody has put ${data}`);
    return record;
  }

  #stream(name: string): KnownStream {
    return this.#streams.get(name) as KnownStream;
  }
}

export function shardKey(name: string, createdSecond: number, shard: number): string {
  return `${name}/${createdSecond}/${shard}`;
}

function forgetIncarnation(stream: KnownStream): void {
  stream.createdSecond = undefined;
  stream.tags = new Map();
}
