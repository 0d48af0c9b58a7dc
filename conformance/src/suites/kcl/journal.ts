/** One record as a worker processed it. */
interface Processed {
  /** Of the machine's monotonic clock, which all workers share. */
  readonly nanos: bigint;
  readonly shard: string;
  readonly key: string;
  readonly number: number;
}

/** What the producer was told: for each key how many records, numbered from 0, were acknowledged. */
export type Acknowledged = ReadonlyMap<string, number>;

/** What the workers of one application said that they did. */
export class Journal {
  readonly #processed: Processed[] = [];
  /** By key: which numbers were processed. */
  readonly #numbers = new Map<string, Set<number>>();
  readonly begun = new Set<string>();
  readonly ended = new Set<string>();
  /** Those that have processed a record. */
  readonly workers = new Set<string>();
  /** Lines that no worker should say. */
  readonly strange: string[] = [];

  note(line: string, worker: string): void {
    const [what, ...parts] = line.split(' ');
    if (what === 'record' && parts.length === 5) {
      this.workers.add(worker);
      this.#noteRecord(parts as [string, string, string, string, string]);
    } else if (what === 'begun') this.begun.add(parts[0] as string);
    else if (what === 'ended') this.ended.add(parts[0] as string);
    else if (what !== 'lost') this.strange.push(line);
  }

  /** Records processed, each counted once. */
  get distinct(): number {
    let count = 0;
    for (const numbers of this.#numbers.values()) count += numbers.size;
    return count;
  }

  /** Records processed again, as happens behind the last checkpoint of a worker that died. */
  get again(): number {
    return this.#processed.length - this.distinct;
  }

  /** Acknowledged records that nobody has processed. */
  missing(acknowledged: Acknowledged): string[] {
    const missing: string[] = [];
    for (const [key, count] of acknowledged) {
      const numbers = this.#numbers.get(key);
      for (let number = 0; number < count; number++) if (!numbers?.has(number)) missing.push(`${key}/${number}`);
    }
    return missing;
  }

  /** Records processed that were never put. */
  invented(acknowledged: Acknowledged): string[] {
    return this.#processed
      .filter(({ key, number }) => number >= (acknowledged.get(key) ?? 0))
      .map(({ key, number }) => `${key}/${number}`);
  }

  /** Records processed for the first time when a later one of their key had been. */
  outOfOrder(): string[] {
    const newest = new Map<string, Processed>();
    const found: string[] = [];
    for (const each of this.#processed.toSorted((a, b) => (a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0))) {
      const before = newest.get(each.key);
      const next = before === undefined ? 0 : before.number + 1;
      if (each.number > next) {
        const last = before === undefined ? 'nothing' : `${before.number} of ${before.shard}`;
        found.push(`${each.key}/${each.number} of ${each.shard} behind ${last}`);
      }
      if (each.number >= next) newest.set(each.key, each);
    }
    return found;
  }

  #noteRecord([nanos, shard, , key, number]: [string, string, string, string, string]): void {
    this.#processed.push({ nanos: BigInt(nanos), shard, key, number: Number(number) });
    const numbers = this.#numbers.get(key) ?? new Set();
    this.#numbers.set(key, numbers.add(Number(number)));
  }
}
