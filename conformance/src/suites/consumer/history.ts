import { Journal } from '../kcl/journal.ts';

interface Processed {
  readonly nanos: bigint;
  readonly worker: string;
  readonly shard: string;
  readonly position: string;
}

interface Saved {
  readonly nanos: bigint;
  readonly position: string;
}

interface Taken {
  readonly nanos: bigint;
  readonly worker: string;
}

/**
 * What the workers of one application have said that they did. Each says it on a pipe of its own, so it is told in any order: what came before what is
 * decided by the times they give, of the machine's monotonic clock, and when all has been heard.
 */
export class History {
  readonly journal = new Journal();
  /** Workers. */
  readonly killed = new Set<string>();
  /** Worker and shard of leases that a worker could not renew in time: it was held up for as long as one that is dead. */
  readonly lost = new Set<string>();
  /** By key and number. */
  readonly #first = new Map<string, Processed>();
  /** Of records that were processed more than once: the other times. */
  readonly #again = new Map<string, Processed[]>();
  /** By worker and shard. */
  readonly #saved = new Map<string, Saved[]>();
  /** By shard. */
  readonly #taken = new Map<string, Taken[]>();

  note(line: string, worker: string): void {
    const [what, ...parts] = line.split(' ');
    const [shard, nanos, position] = parts as [string, string, string];
    if (what === 'saved') return addTo(this.#saved, `${worker} ${shard}`, { nanos: BigInt(nanos), position });
    if (what === 'begun') addTo(this.#taken, shard, { nanos: BigInt(nanos), worker });
    else if (what === 'lost') this.lost.add(`${worker} ${shard}`);
    else if (what === 'record') this.#noteRecord(parts as [string, string, string, string, string], worker);
    this.journal.note(line, worker);
  }

  /** Whether a shard was said to have ended, or the worker that had it last was killed, perhaps before it could say so. */
  hasEnded(shard: string): boolean {
    return this.journal.ended.has(shard) || this.killed.has(this.#takersOf(shard).at(-1)?.worker ?? '');
  }

  /** Who had a shard, what became of them, and up to where they had saved it. */
  tellOf(shard: string): string {
    const tell = ({ worker }: Taken): string =>
      [
        worker,
        this.killed.has(worker) ? 'killed' : '',
        this.lost.has(`${worker} ${shard}`) ? 'lease lost' : '',
        `saved ${this.#saved.get(`${worker} ${shard}`)?.at(-1)?.position ?? 'nothing'}`,
      ]
        .filter((part) => part !== '')
        .join(', ');
    const takers = this.#takersOf(shard).map(tell).join('; ');
    return `${shard} (${this.journal.ended.has(shard) ? 'ended' : 'not ended'}): ${takers || 'taken by nobody'}`;
  }

  /** Records processed again that should not be: only what a worker that was killed, or lost its lease, had not saved may come again. */
  unexplained(): string[] {
    const found: string[] = [];
    for (const [id, others] of this.#again) {
      const all = [this.#first.get(id) as Processed, ...others].toSorted(byTime);
      for (const [index, processed] of all.slice(0, -1).entries()) {
        const why = this.#isExplained(processed, (all[index + 1] as Processed).nanos);
        if (why !== undefined) found.push(`${id}: ${why}, of ${this.tellOf(processed.shard)}`);
      }
    }
    return found;
  }

  #isExplained({ worker, shard, position }: Processed, againNanos: bigint): string | undefined {
    if (!this.killed.has(worker) && !this.lost.has(`${worker} ${shard}`)) return `nothing befell ${worker}`;
    const saved = this.#saved.get(`${worker} ${shard}`) ?? [];
    const covers = saved.find((each) => each.nanos < againNanos && !isBehind(position, each.position));
    return covers === undefined ? undefined : `${worker} had saved ${covers.position}`;
  }

  #takersOf(shard: string): Taken[] {
    return (this.#taken.get(shard) ?? []).toSorted(byTime);
  }

  #noteRecord([nanos, shard, position, key, number]: [string, string, string, string, string], worker: string): void {
    const processed = { nanos: BigInt(nanos), worker, shard, position };
    const id = `${key}/${number}`;
    if (this.#first.has(id)) addTo(this.#again, id, processed);
    else this.#first.set(id, processed);
  }
}

function addTo<Item>(lists: Map<string, Item[]>, name: string, item: Item): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}

function byTime(a: { readonly nanos: bigint }, b: { readonly nanos: bigint }): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** Of positions in one shard. */
function isBehind(position: string, saved: string): boolean {
  const [[sequence, sub], [savedSequence, savedSub]] = [position, saved].map((text) => text.split('/')) as [
    string[],
    string[],
  ];
  if (sequence !== savedSequence) return BigInt(sequence as string) > BigInt(savedSequence as string);
  return Number(sub) > Number(savedSub);
}
