import type { Lease } from '../leases/lease.ts';

export interface BalanceInput {
  readonly worker: string;
  /** Of shards that have not been processed to their end, in any order. */
  readonly leases: readonly Lease[];
  /** Nobody processes these. */
  readonly free: ReadonlySet<Lease>;
  /** Have been free for so long that nobody else can be about to take them: taken beyond the worker's share. */
  readonly overdue: ReadonlySet<Lease>;
  /** May not be taken now. */
  readonly isBarred: (lease: Lease) => boolean;
  /** Of this worker, at most. */
  readonly leasesMax: number;
  /** That others are asked for at a time; undefined: a quarter of what is lacking, at least one. */
  readonly movesMax: number | undefined;
  /** From 0 to below 1: workers that look at the same time should not all want the same. */
  readonly random: () => number;
}

export interface BalanceStep {
  /** To be taken: nobody has them. */
  readonly take: readonly Lease[];
  /** Their owners are to hand them over. */
  readonly ask: readonly Lease[];
}

/**
 * What a worker does for its share: as many leases as all workers have on average, rounded up. Free ones are taken first; then those of the
 * workers that have most, as long as they have two more than this one.
 *
 * Every worker decides for itself; leases change by compare-and-set, so one who comes second gets nothing.
 */
export function balance(input: BalanceInput): BalanceStep {
  const { worker, leases, free, overdue, isBarred, leasesMax, random } = input;
  const byOwner = new Map<string, Lease[]>([[worker, []]]);
  for (const lease of leases) {
    if (lease.owner === undefined || free.has(lease)) continue;
    const owned = byOwner.get(lease.owner);
    if (owned === undefined) byOwner.set(lease.owner, [lease]);
    else owned.push(lease);
  }
  let mine = byOwner.get(worker)?.length ?? 0;
  const target = Math.min(Math.ceil(leases.length / byOwner.size), leasesMax);
  const take: Lease[] = [];
  for (const lease of shuffled(
    [...free].filter((each) => !isBarred(each)),
    random,
  )) {
    if (mine >= (overdue.has(lease) ? leasesMax : target)) continue;
    take.push(lease);
    mine++;
  }
  const ask: Lease[] = [];
  // While there are free ones others may be about to take them.
  const lacking = free.size > 0 ? 0 : target - mine;
  const movesMax = input.movesMax ?? Math.max(1, Math.ceil(lacking / 4));
  while (ask.length < Math.min(lacking, movesMax)) {
    const most = mostOf(byOwner, worker);
    if (most === undefined || most.length - mine < 2) break;
    const movable = most.filter((lease) => lease.previousOwner === undefined && !isBarred(lease));
    const chosen = movable[Math.floor(random() * movable.length)];
    if (chosen === undefined) break;
    most.splice(most.indexOf(chosen), 1);
    ask.push(chosen);
    mine++;
  }
  return { take, ask };
}

function mostOf(byOwner: ReadonlyMap<string, Lease[]>, worker: string): Lease[] | undefined {
  let most: Lease[] | undefined;
  for (const [owner, owned] of byOwner) {
    if (owner !== worker && owned.length > (most?.length ?? 0)) most = owned;
  }
  return most;
}

function shuffled<Item>(items: Item[], random: () => number): Item[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other] as Item, items[last] as Item];
  }
  return items;
}
