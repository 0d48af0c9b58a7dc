import { Journal } from '../kcl/journal.ts';

/** A record that was processed again from the same place. */
export interface Repeat {
  readonly shard: string;
  readonly sequenceNumber: string;
  readonly key: string;
  /** Who had processed it the time before. */
  readonly before: string;
  readonly by: string;
}

/** A record that a worker has processed. */
export interface Passage {
  readonly nanos: bigint;
  readonly worker: string;
  readonly sequenceNumber: string;
}

/** What the workers of an application said that they did: which of them, and when. Each worker has a name that no other has. */
export class Account {
  readonly journal = new Journal();
  readonly repeats: Repeat[] = [];
  /** Records, as `KEY/NUMBER`, that came from a second place: they were put more than once. */
  readonly twins: string[] = [];
  /** By shard, in the order in which lines came. */
  readonly #passages = new Map<string, Passage[]>();
  /** Records that have come. */
  readonly #seen = new Set<string>();
  /** By record and sequence number: who has processed it last. */
  readonly #last = new Map<string, string>();

  note(line: string, worker: string): void {
    this.journal.note(line, worker);
    const [what, nanos, shard, sequenceNumber, key, number] = line.split(' ');
    if (what !== 'record' || number === undefined) return;
    const passages = this.#passages.get(shard as string) ?? [];
    this.#passages.set(shard as string, passages);
    passages.push({ nanos: BigInt(nanos as string), worker, sequenceNumber: sequenceNumber as string });
    const record = `${key}/${number}`;
    const place = `${record} ${sequenceNumber}`;
    const before = this.#last.get(place);
    this.#last.set(place, worker);
    if (before === undefined) {
      if (this.#seen.has(record)) this.twins.push(record);
      this.#seen.add(record);
      return;
    }
    this.repeats.push({
      shard: shard as string,
      sequenceNumber: sequenceNumber as string,
      key: key as string,
      before,
      by: worker,
    });
  }

  get shards(): readonly string[] {
    return [...this.#passages.keys()];
  }

  /** Who has processed the newest record of a shard, and when. */
  latest(shard: string): Passage | undefined {
    return this.#passages.get(shard)?.at(-1);
  }

  /** The first record of a shard that a worker has processed. */
  firstOf(shard: string, worker: string): Passage | undefined {
    return this.#passages.get(shard)?.find((each) => each.worker === worker);
  }

  /** The first record of a shard that another worker has processed since then. */
  firstOfOther(shard: string, worker: string, sinceNanos: bigint): Passage | undefined {
    return this.#passages.get(shard)?.find((each) => each.nanos > sinceNanos && each.worker !== worker);
  }
}
