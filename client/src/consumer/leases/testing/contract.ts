import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Checkpoint, type Lease, type LeaseStore, type NewLease, shardEnd } from '../lease.ts';
import { type LeaseTable, neverTwoHolders } from './contract-model.ts';

export type { LeaseTable };

const newLease = (shardId: string, more: Partial<NewLease> = {}): NewLease => ({
  shardId,
  checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
  parentShardIds: [],
  hashKeyRange: undefined,
  ...more,
});

const at = (sequenceNumber: string, subSequenceNumber = 0): Checkpoint => ({ sequenceNumber, subSequenceNumber });

/** Two workers, each with a store of its own, and what both would say in short. */
class Pair {
  readonly a: LeaseStore;
  readonly b: LeaseStore;
  readonly #table: LeaseTable;

  constructor(table: LeaseTable) {
    this.#table = table;
    this.a = table.storeOf();
    this.b = table.storeOf();
  }

  async open(): Promise<void> {
    await this.a.open('application');
    await this.b.open('application');
  }

  async close(): Promise<void> {
    await this.a.close();
    await this.b.close();
    await this.#table.cleanUp();
  }

  /** As the other one sees it, so that writes are seen by all. */
  async seen(shardId = 's'): Promise<Lease> {
    const found = (await this.b.list()).find((lease) => lease.shardId === shardId);
    expect(await this.a.list()).toContainEqual(found);
    return found as Lease;
  }

  /** Held by the worker a. */
  async held(shardId = 's'): Promise<Lease> {
    await this.a.create(newLease(shardId));
    return (await this.a.take(await this.seen(shardId), 'a')) as Lease;
  }

  /** Held by the worker a, and b waits for it. */
  async asked(): Promise<{ held: Lease; asked: Lease }> {
    const held = await this.held();
    return { held, asked: (await this.b.ask(await this.seen(), 'b')) as Lease };
  }

  /** Every write of a worker that has lost what it holds is refused, and changes nothing. */
  async expectRefused(lost: Lease, { worker = 'a', isReleased = false } = {}): Promise<void> {
    const before = await this.seen();
    expect(await this.a.checkpoint(lost, at('666'), ['x'])).toBeUndefined();
    expect(await this.a.renew(worker, [lost])).toEqual(new Map([['s', undefined]]));
    expect(await this.a.take(lost, worker)).toBeUndefined();
    expect(await this.a.delete(lost)).toBe(false);
    // By who has released it already, it would be the same call again.
    if (!isReleased) expect(await this.a.release(lost, worker)).toBeUndefined();
    expect(await this.seen()).toEqual(before);
  }
}

/** What every {@link LeaseStore} does, whoever keeps the leases. */
export function leaseStoreContract(name: string, make: () => Promise<LeaseTable>): void {
  describe(`${name}: a lease store`, () => {
    let pair: Pair;
    beforeEach(async () => {
      pair = new Pair(await make());
      await pair.open();
    });
    afterEach(() => pair.close());
    const current = (): Pair => pair;

    describe('leases', () => leasesContract(current));
    describe('taking', () => takingContract(current));
    describe('holding', () => holdingContract(current));
    describe('handing over', () => handingOverContract(current));
    describe('a call that is made again', () => repetitionContract(current));
  });
  describe(`${name}: a lease store, whatever is done`, () => neverTwoHolders(make));
}

function leasesContract(current: () => Pair): void {
  it('are none at first', async () => {
    expect(await current().a.list()).toEqual([]);
  });

  it('are made once, and are nobody’s', async () => {
    const { a, b } = current();
    const lease = newLease('s', { parentShardIds: ['p', 'q'] });
    expect(await a.create(lease)).toBe(true);
    expect(await b.create(newLease('s', { checkpoint: at('LATEST') }))).toBe(false);
    expect(await b.list()).toEqual([
      {
        ...lease,
        owner: undefined,
        previousOwner: undefined,
        fence: expect.any(Number) as number,
        pulse: expect.any(Number) as number,
        childShardIds: [],
      },
    ]);
  });

  it.each([
    at('TRIM_HORIZON'),
    at('LATEST'),
    at('AT_TIMESTAMP'),
    shardEnd,
    at('49590338271490256608559692538361571095921575989136588898'),
    at('49590338271490256608559692538361571095921575989136588898', 499),
  ])('keep their position: %o', async (checkpoint) => {
    const { a } = current();
    await a.create(newLease('made', { checkpoint }));
    expect((await current().seen('made')).checkpoint).toEqual(checkpoint);
    expect((await a.checkpoint(await current().held(), checkpoint))?.checkpoint).toEqual(checkpoint);
    expect((await current().seen()).checkpoint).toEqual(checkpoint);
  });

  it('keep their hash keys', async () => {
    const hashKeyRange = { start: '0'.repeat(32), end: `7${'f'.repeat(31)}` };
    await current().a.create(newLease('s', { hashKeyRange }));
    const seen = await current().seen();
    expect(seen.hashKeyRange).toEqual(hashKeyRange);
    expect((await current().a.take(seen, 'a'))?.hashKeyRange).toEqual(hashKeyRange);
  });

  it('are deleted, and can be made again', async () => {
    const held = await current().held();
    const { a, b } = current();
    const ended = (await a.checkpoint(held, shardEnd)) as Lease;
    const released = (await a.release(ended, 'a')) as Lease;
    expect(await b.delete(released)).toBe(true);
    expect(await a.list()).toEqual([]);
    expect(await b.take(released, 'b')).toBeUndefined();
    expect(await b.create(newLease('s'))).toBe(true);
    expect((await current().seen()).checkpoint).toEqual(at('TRIM_HORIZON'));
  });

  it('that have changed are not deleted', async () => {
    const held = await current().held();
    const { a, b } = current();
    const seen = await current().seen();
    const moved = (await a.checkpoint(held, at('7'))) as Lease;
    expect(await b.delete(seen)).toBe(false);
    await a.release(moved, 'a');
    expect(await b.delete(moved)).toBe(false);
    expect(await b.delete(await current().seen())).toBe(true);
  });
}

function takingContract(current: () => Pair): void {
  it('makes a worker the owner of what nobody has', async () => {
    const held = await current().held();
    expect(held).toMatchObject({ shardId: 's', owner: 'a', previousOwner: undefined });
    expect(await current().seen()).toEqual(held);
  });

  it('makes a worker the owner of what has expired, and the old one is refused', async () => {
    const held = await current().held();
    const seen = await current().seen();
    const taken = (await current().b.take(seen, 'b')) as Lease;
    expect(taken).toMatchObject({ owner: 'b', previousOwner: undefined });
    expect(taken.fence).toBeGreaterThan(seen.fence);
    await current().expectRefused(held);
    expect(await current().seen()).toEqual(taken);
  });

  it('is refused to the second of two', async () => {
    await current().a.create(newLease('s'));
    const seen = await current().seen();
    expect(await current().b.take(seen, 'b')).toBeDefined();
    expect(await current().a.take(seen, 'a')).toBeUndefined();
    expect((await current().seen()).owner).toBe('b');
  });

  it('is refused after a sign of life', async () => {
    const held = await current().held();
    const { a, b } = current();
    const seen = await current().seen();
    const renewed = (await a.renew('a', [held])).get('s') as Lease;
    expect(await b.take(seen, 'b')).toBeUndefined();
    const again = await current().seen();
    expect(await a.checkpoint(renewed, at('7'))).toBeDefined();
    expect(await b.take(again, 'b')).toBeUndefined();
    expect(await b.take(await current().seen(), 'b')).toMatchObject({ owner: 'b', checkpoint: at('7') });
  });

  it('is refused after others have asked, or it was released', async () => {
    const held = await current().held();
    const { a, b } = current();
    const seen = await current().seen();
    await b.ask(seen, 'b');
    expect(await b.take(seen, 'c')).toBeUndefined();
    const asked = await current().seen();
    await a.release(held, 'a');
    expect(await b.take(asked, 'c')).toBeUndefined();
    expect((await current().seen()).owner).toBe('b');
  });

  it('of what is its own already shuts out what bore its name before', async () => {
    const held = await current().held();
    const taken = (await current().b.take(await current().seen(), 'a')) as Lease;
    expect(taken.fence).toBeGreaterThan(held.fence);
    const before = await current().seen();
    expect(await current().a.checkpoint(held, at('666'))).toBeUndefined();
    expect(await current().a.renew('a', [held])).toEqual(new Map([['s', undefined]]));
    expect(await current().a.release(held, 'a')).toBeUndefined();
    expect(await current().seen()).toEqual(before);
    expect(await current().b.checkpoint(taken, at('7'))).toMatchObject({ checkpoint: at('7') });
  });

  it('ends the wait for a previous owner that is gone', async () => {
    const { held, asked } = await current().asked();
    const taken = (await current().b.take(asked, 'b')) as Lease;
    expect(taken).toMatchObject({ owner: 'b', previousOwner: undefined });
    await current().expectRefused(held);
    expect(await current().b.checkpoint(taken, at('7'))).toBeDefined();
  });

  it('is possible for a third when both are gone', async () => {
    const { held, asked } = await current().asked();
    const taken = (await current().b.take(await current().seen(), 'c')) as Lease;
    expect(taken).toMatchObject({ owner: 'c', previousOwner: undefined });
    await current().expectRefused(held);
    await current().expectRefused(asked, { worker: 'b' });
  });
}

function holdingContract(current: () => Pair): void {
  it('goes on with renewals and checkpoints, each with another pulse', async () => {
    let held = await current().held();
    const { a } = current();
    const pulses = new Set([held.pulse]);
    for (let i = 1; i <= 5; i++) {
      held = (await a.renew('a', [held])).get('s') as Lease;
      expect(await current().seen()).toEqual(held);
      pulses.add(held.pulse);
      held = (await a.checkpoint(held, at(String(i), i))) as Lease;
      expect(held).toMatchObject({ owner: 'a', checkpoint: at(String(i), i) });
      expect(await current().seen()).toEqual(held);
      pulses.add(held.pulse);
    }
    expect(pulses.size).toBe(11);
  });

  it('is as it was while only others write', async () => {
    const held = await current().held();
    const { b } = current();
    await b.create(newLease('of b'));
    const taken = (await b.take(await current().seen('of b'), 'b')) as Lease;
    await b.renew('b', [taken]);
    expect(await current().seen()).toEqual(held);
  });

  it('is renewed for many at once, and tells what is lost', async () => {
    const { a, b } = current();
    const held: Lease[] = [];
    for (const shardId of ['s', 't', 'u', 'gone']) held.push(await current().held(shardId));
    const taken = await b.take(await current().seen('t'), 'b');
    expect(await a.delete(await current().seen('gone'))).toBe(true);
    const renewed = await a.renew('a', held);
    expect([...renewed.keys()].toSorted()).toEqual(['gone', 's', 't', 'u']);
    expect(renewed.get('t')).toBeUndefined();
    expect(renewed.get('gone')).toBeUndefined();
    expect(renewed.get('s')).toEqual(await current().seen('s'));
    expect(renewed.get('u')).toEqual(await current().seen('u'));
    expect(await current().seen('t')).toEqual(taken);
    expect(await a.renew('a', [])).toEqual(new Map());
  });

  it('ends with the children of the shard', async () => {
    const held = await current().held();
    const ended = (await current().a.checkpoint(held, shardEnd, ['c', 'd'])) as Lease;
    expect(ended).toMatchObject({ checkpoint: shardEnd, childShardIds: ['c', 'd'] });
    expect(await current().seen()).toEqual(ended);
    expect(await current().a.checkpoint(ended, shardEnd)).toMatchObject({ childShardIds: ['c', 'd'] });
  });

  it('ends with a release: it is nobody’s then, and what has been processed stays', async () => {
    const held = (await current().a.checkpoint(await current().held(), at('7', 3))) as Lease;
    const released = (await current().a.release(held, 'a')) as Lease;
    expect(released).toMatchObject({ owner: undefined, previousOwner: undefined, checkpoint: at('7', 3) });
    expect(released.fence).toBeGreaterThan(held.fence);
    expect(await current().seen()).toEqual(released);
    await current().expectRefused(held, { isReleased: true });
    expect(await current().b.take(released, 'b')).toMatchObject({ owner: 'b', checkpoint: at('7', 3) });
  });
}

function handingOverContract(current: () => Pair): void {
  it('lets the old owner go on, which hears of its successor', async () => {
    const { held, asked } = await current().asked();
    const { a } = current();
    expect(asked).toMatchObject({ owner: 'b', previousOwner: 'a' });
    expect(await current().seen()).toEqual(asked);
    const renewed = (await a.renew('a', [held])).get('s') as Lease;
    expect(renewed).toMatchObject({ owner: 'b', previousOwner: 'a' });
    expect(renewed.pulse).not.toBe(asked.pulse);
    expect(await a.checkpoint(renewed, at('7'))).toMatchObject({ owner: 'b', previousOwner: 'a', checkpoint: at('7') });
  });

  it.each(['checkpoint', 'release'] as const)('lets an old owner %s that has not heard of it', async (call) => {
    const { held } = await current().asked();
    const { a } = current();
    const done = call === 'release' ? await a.release(held, 'a') : await a.checkpoint(held, at('7'));
    expect(done).toMatchObject({ owner: 'b', previousOwner: call === 'release' ? undefined : 'a' });
    expect(await current().seen()).toEqual(done);
  });

  it('makes no sign of life of the old owner when the successor thinks it has the lease already', async () => {
    const { asked } = await current().asked();
    const { b } = current();
    expect(await b.renew('b', [asked])).toEqual(new Map([['s', undefined]]));
    expect(await b.release(asked, 'b')).toBeUndefined();
    expect(await current().seen()).toEqual(asked);
  });

  it('makes the successor the owner when the old one is done', async () => {
    const { held } = await current().asked();
    const { a, b } = current();
    const done = (await a.checkpoint(held, at('7'))) as Lease;
    const released = (await a.release(done, 'a')) as Lease;
    expect(released).toMatchObject({ owner: 'b', previousOwner: undefined, checkpoint: at('7') });
    expect(released.fence).toBeGreaterThan(done.fence);
    await current().expectRefused(done, { isReleased: true });
    const seen = await current().seen();
    const renewed = (await b.renew('b', [seen])).get('s') as Lease;
    expect(renewed.pulse).not.toBe(seen.pulse);
    expect(await b.checkpoint(renewed, at('8'))).toMatchObject({ owner: 'b', checkpoint: at('8') });
  });

  it('is refused while there is a previous owner', async () => {
    await current().asked();
    const seen = await current().seen();
    expect(await current().b.ask(seen, 'c')).toBeUndefined();
    expect(await current().seen()).toEqual(seen);
  });

  it('is refused when another one has it now, or nobody', async () => {
    const held = await current().held();
    const { a, b } = current();
    const seen = await current().seen();
    const released = (await a.release(held, 'a')) as Lease;
    expect(await b.ask(seen, 'b')).toBeUndefined();
    await a.take(released, 'c');
    expect(await b.ask(seen, 'b')).toBeUndefined();
    expect((await current().seen()).owner).toBe('c');
  });
}

function repetitionContract(current: () => Pair): void {
  it('takes once', async () => {
    await current().a.create(newLease('s'));
    const seen = await current().seen();
    const taken = await current().a.take(seen, 'a');
    expect(await current().a.take(seen, 'a')).toEqual(taken);
    expect(await current().seen()).toEqual(taken);
  });

  it('asks once', async () => {
    await current().held();
    const seen = await current().seen();
    const asked = await current().b.ask(seen, 'b');
    expect(await current().b.ask(seen, 'b')).toEqual(asked);
    expect(await current().seen()).toEqual(asked);
  });

  it('writes the same checkpoint', async () => {
    const held = await current().held();
    await current().a.checkpoint(held, at('7', 2), ['c']);
    const again = await current().a.checkpoint(held, at('7', 2), ['c']);
    expect(again).toMatchObject({ owner: 'a', checkpoint: at('7', 2), childShardIds: ['c'] });
    expect(await current().seen()).toEqual(again);
    expect(await current().a.release(again as Lease, 'a')).toBeDefined();
  });

  it('releases once, with a successor and without', async () => {
    const { held } = await current().asked();
    const released = (await current().a.release(held, 'a')) as Lease;
    expect(await current().a.release(held, 'a')).toEqual(released);
    const last = await current().b.release(released, 'b');
    expect(await current().b.release(released, 'b')).toEqual(last);
    expect(await current().seen()).toEqual(last);
  });
}
