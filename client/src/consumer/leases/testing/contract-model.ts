import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Lease, LeaseStore } from '../lease.ts';

/** One table, empty at first, and stores of it, which are not open yet. */
export interface LeaseTable {
  storeOf(): LeaseStore;
  cleanUp(): Promise<void>;
}

const workers = ['a', 'b', 'c'] as const;
const shards = ['s', 't', 'u'] as const;
const kinds = [
  'look',
  'look',
  'create',
  'take',
  'take',
  'ask',
  'ask',
  'adopt',
  'renew',
  'checkpoint',
  'checkpoint',
  'release',
  'ghost',
  'delete',
] as const;

interface Step {
  readonly kind: (typeof kinds)[number];
  readonly worker: number;
  readonly shardId: string;
  readonly number: number;
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...kinds),
    worker: fc.nat(workers.length - 1),
    shardId: fc.constantFrom(...shards),
    number: fc.nat(1000),
  }),
  { minLength: 10, maxLength: 60 },
);

/** What is known of a lease by whoever has seen all calls. */
interface Truth {
  owner: string | undefined;
  previousOwner: string | undefined;
  sequenceNumber: string;
  childShardIds: readonly string[];
  /** Is another one with each change of who processes. */
  term: number;
  fence: number;
  /** Counts changes of who is the owner, or the previous one, or who processes. */
  changes: number;
  /** Counts the holder's signs of life. */
  signs: number;
}

interface Seen {
  readonly lease: Lease;
  readonly writes: number;
  readonly changes: number;
  readonly signs: number;
}

interface Held {
  readonly lease: Lease;
  readonly term: number;
}

/** One that does what it is told, with what it knows, be that ever so old. */
interface Worker {
  readonly name: string;
  readonly store: LeaseStore;
  readonly seen: Map<string, Seen>;
  readonly held: Map<string, Held>;
  readonly lost: Held[];
}

type Expected = 'done' | 'refused' | 'either';

/** Workers that call in any order: what a store answers, and what it lists then, is what the calls before have led to. */
export function neverTwoHolders(make: () => Promise<LeaseTable>): void {
  it('has at most one holder, and nobody else changes anything', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const table = await make();
        const model = new Model(table);
        await model.open();
        try {
          for (const step of list) await model.run(step);
        } finally {
          await model.close();
          await table.cleanUp();
        }
      }),
      { numRuns: 100 },
    );
  });
}

class Model {
  readonly #workers: readonly Worker[];
  readonly #observer: LeaseStore;
  readonly #truth = new Map<string, Truth>();
  /** A shard never comes back. */
  readonly #made = new Set<string>();
  #writes = 0;

  constructor(table: LeaseTable) {
    this.#observer = table.storeOf();
    this.#workers = workers.map((name) => ({
      name,
      store: table.storeOf(),
      seen: new Map(),
      held: new Map(),
      lost: [],
    }));
  }

  async open(): Promise<void> {
    for (const store of this.#stores()) await store.open('application');
  }

  async close(): Promise<void> {
    for (const store of this.#stores()) await store.close();
  }

  async run(step: Step): Promise<void> {
    const before = await this.#list();
    const writes = this.#writes;
    await this.#do(step, this.#workers[step.worker] as Worker);
    const after = await this.#list();
    if (writes === this.#writes) expect(after).toEqual(before);
    const states = after.map(({ shardId, owner, previousOwner, checkpoint, childShardIds, fence }) => {
      const truth = this.#truth.get(shardId);
      if (truth !== undefined) {
        expect(fence).toBeGreaterThanOrEqual(truth.fence);
        truth.fence = fence;
      }
      return [shardId, { owner, previousOwner, sequenceNumber: checkpoint.sequenceNumber, childShardIds }];
    });
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(
        Array.from(this.#truth, ([shardId, { owner, previousOwner, sequenceNumber, childShardIds }]) => [
          shardId,
          { owner, previousOwner, sequenceNumber, childShardIds },
        ]),
      ),
    );
  }

  #do(step: Step, worker: Worker): Promise<void> {
    switch (step.kind) {
      case 'look':
        return this.#look(worker);
      case 'create':
        return this.#create(step, worker);
      case 'take':
        return this.#take(step, worker);
      case 'ask':
        return this.#ask(step, worker);
      case 'adopt':
        return this.#adopt(step, worker);
      case 'renew':
        return this.#renew(worker);
      case 'checkpoint':
        return this.#checkpoint(step, worker);
      case 'release':
        return this.#release(step, worker);
      case 'ghost':
        return this.#ghost(step, worker);
      case 'delete':
        return this.#delete(step, worker);
    }
  }

  async #look(worker: Worker): Promise<void> {
    for (const lease of await worker.store.list()) this.#sees(worker, lease);
  }

  async #create({ shardId }: Step, { store }: Worker): Promise<void> {
    if (this.#made.has(shardId) && !this.#truth.has(shardId)) return;
    const isMade = await store.create({
      shardId,
      checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
      parentShardIds: [],
      hashKeyRange: undefined,
    });
    expect(isMade).toBe(!this.#made.has(shardId));
    if (!isMade) return;
    this.#made.add(shardId);
    this.#writes++;
    const nobody = { owner: undefined, previousOwner: undefined, term: 0, fence: -1, changes: 0, signs: 0 };
    this.#truth.set(shardId, { ...nobody, sequenceNumber: 'TRIM_HORIZON', childShardIds: [] });
  }

  async #take({ shardId }: Step, worker: Worker): Promise<void> {
    const truth = this.#truth.get(shardId);
    // What is its own already it has not seen for the last time before its own writes.
    if (holderOf(truth) === worker.name) await this.#look(worker);
    const seen = worker.seen.get(shardId);
    if (seen === undefined) return;
    const isAlive = truth?.signs !== seen.signs;
    const taken = await worker.store.take(seen.lease, worker.name);
    check(taken, isAlive ? 'refused' : this.#expected(seen, truth));
    if (taken === undefined || truth === undefined) return;
    this.#writes++;
    Object.assign(truth, { owner: worker.name, previousOwner: undefined });
    this.#newTerm(truth, taken);
    this.#holds(worker, taken);
    expect(taken).toMatchObject({ owner: worker.name, previousOwner: undefined });
  }

  async #ask({ shardId }: Step, worker: Worker): Promise<void> {
    const seen = worker.seen.get(shardId);
    if (seen === undefined || seen.lease.owner === undefined || seen.lease.owner === worker.name) return;
    const truth = this.#truth.get(shardId);
    const asked = await worker.store.ask(seen.lease, worker.name);
    const isAlone = seen.lease.previousOwner === undefined && truth?.previousOwner === undefined;
    const isOwners = isAlone && seen.lease.owner === truth?.owner;
    // It gives no right before the owner is done, and so it may be of another term of the same owner.
    const ofOwner = seen.writes === this.#writes ? 'done' : 'either';
    check(asked, isOwners ? ofOwner : 'refused');
    if (asked === undefined || truth === undefined) return;
    this.#writes++;
    Object.assign(truth, { owner: worker.name, previousOwner: truth.owner, changes: truth.changes + 1 });
    expect(asked).toMatchObject({ owner: truth.owner, previousOwner: truth.previousOwner });
    this.#sees(worker, asked);
  }

  /** A successor finds that the lease is its own. */
  async #adopt({ shardId }: Step, worker: Worker): Promise<void> {
    const lease = (await worker.store.list()).find((each) => each.shardId === shardId);
    if (lease?.owner !== worker.name || lease.previousOwner !== undefined) return;
    this.#holds(worker, lease);
  }

  async #renew(worker: Worker): Promise<void> {
    const held = [...worker.held.values()];
    const renewed = await worker.store.renew(
      worker.name,
      held.map(({ lease }) => lease),
    );
    expect([...renewed.keys()].toSorted()).toEqual([...worker.held.keys()].toSorted());
    for (const each of held) {
      const { shardId } = each.lease;
      const lease = renewed.get(shardId);
      check(lease, this.#expectedOf(each));
      if (lease === undefined) this.#loses(worker, each);
      else this.#livesOn(worker, lease);
    }
  }

  async #checkpoint({ shardId, number }: Step, worker: Worker): Promise<void> {
    const held = worker.held.get(shardId);
    if (held === undefined) return;
    const sequenceNumber = String(number);
    const childShardIds = number % 5 === 0 ? [`${shardId}-${number}`] : undefined;
    const written = await worker.store.checkpoint(held.lease, { sequenceNumber, subSequenceNumber: 0 }, childShardIds);
    check(written, this.#expectedOf(held));
    if (written === undefined) return this.#loses(worker, held);
    const truth = this.#truth.get(shardId) as Truth;
    Object.assign(truth, { sequenceNumber, childShardIds: childShardIds ?? truth.childShardIds });
    this.#livesOn(worker, written);
  }

  async #release({ shardId }: Step, worker: Worker): Promise<void> {
    const held = worker.held.get(shardId);
    if (held === undefined) return;
    const released = await worker.store.release(held.lease, worker.name);
    check(released, this.#expectedOf(held));
    this.#loses(worker, held);
    if (released === undefined) return;
    this.#writes++;
    const truth = this.#truth.get(shardId) as Truth;
    const owner = truth.previousOwner === undefined ? undefined : truth.owner;
    Object.assign(truth, { owner, previousOwner: undefined });
    this.#newTerm(truth, released);
  }

  /** Writes with what is known to be lost. */
  async #ghost({ number }: Step, worker: Worker): Promise<void> {
    const held = worker.lost[number % worker.lost.length];
    // A store may know a holder's older lease for one of that holder, when it has made the writes between itself.
    if (held === undefined || holderOf(this.#truth.get(held.lease.shardId)) === worker.name) return;
    const { store, name } = worker;
    const { shardId } = held.lease;
    expect(await store.checkpoint(held.lease, { sequenceNumber: '666', subSequenceNumber: 0 })).toBeUndefined();
    expect(await store.renew(name, [held.lease])).toEqual(new Map([[shardId, undefined]]));
  }

  async #delete({ shardId, number }: Step, worker: Worker): Promise<void> {
    const seen = worker.seen.get(shardId);
    const truth = this.#truth.get(shardId);
    if (seen === undefined || truth === undefined || number % 4 > 0) return;
    const isDeleted = await worker.store.delete(seen.lease);
    const isMoved = truth.sequenceNumber !== seen.lease.checkpoint.sequenceNumber;
    check(isDeleted || undefined, isMoved ? 'refused' : this.#expected(seen, truth));
    if (!isDeleted) return;
    this.#writes++;
    this.#truth.delete(shardId);
  }

  /** Of a call with what has been seen. */
  #expected(seen: Seen, truth: Truth | undefined): Expected {
    if (truth?.changes !== seen.changes) return 'refused';
    // What a sign of life for one lease does to the others of the same worker is the store's affair.
    return this.#writes === seen.writes ? 'done' : 'either';
  }

  /** Of a call with what is held. */
  #expectedOf({ lease, term }: Held): Expected {
    return this.#truth.get(lease.shardId)?.term === term ? 'done' : 'refused';
  }

  #sees(worker: Worker, lease: Lease): void {
    const { changes, signs } = this.#truth.get(lease.shardId) as Truth;
    worker.seen.set(lease.shardId, { lease, writes: this.#writes, changes, signs });
  }

  #holds(worker: Worker, lease: Lease): void {
    const before = worker.held.get(lease.shardId);
    if (before !== undefined) worker.lost.push(before);
    worker.held.set(lease.shardId, { lease, term: (this.#truth.get(lease.shardId) as Truth).term });
    this.#sees(worker, lease);
  }

  #loses(worker: Worker, held: Held): void {
    worker.held.delete(held.lease.shardId);
    worker.lost.push(held);
  }

  #livesOn(worker: Worker, lease: Lease): void {
    const truth = this.#truth.get(lease.shardId) as Truth;
    this.#writes++;
    truth.signs++;
    const { owner, previousOwner } = truth;
    expect(lease).toMatchObject({ owner, previousOwner });
    expect(holderOf(truth)).toBe(worker.name);
    worker.held.set(lease.shardId, { lease, term: truth.term });
  }

  #newTerm(truth: Truth, { fence }: Lease): void {
    expect(fence).toBeGreaterThan(truth.fence);
    truth.term++;
    truth.changes++;
  }

  async #list(): Promise<Lease[]> {
    return (await this.#observer.list()).toSorted((x, y) => (x.shardId < y.shardId ? -1 : 1));
  }

  #stores(): LeaseStore[] {
    return [this.#observer, ...this.#workers.map(({ store }) => store)];
  }
}

function holderOf(truth: Truth | undefined): string | undefined {
  return truth?.previousOwner ?? truth?.owner;
}

function check(answer: unknown, expected: Expected): void {
  if (expected !== 'either') expect(answer === undefined ? 'refused' : 'done').toBe(expected);
}
