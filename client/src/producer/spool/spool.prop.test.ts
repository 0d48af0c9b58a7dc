import fc from 'fast-check';
import { expect, it } from 'vitest';
import { segmentHeaderBytes } from './format.ts';
import type { Spool, SpooledRecord, SpoolSync } from './spool.ts';
import { drain, openOn, recoveredFrom } from './testing/harness.ts';
import { TestDisk } from './testing/test-disk.ts';

const records = fc.record({
  partitionKey: fc.oneof(
    fc.constantFrom('a', 'x'.repeat(42), 'ü'.repeat(43)),
    fc.string({ unit: 'binary', maxLength: 300 }),
  ),
  explicitHashKey: fc.option(fc.oneof(fc.constantFrom('', '0'), fc.string({ maxLength: 50 })), { nil: undefined }),
  data: fc.uint8Array({ maxLength: 300 }),
});

const plain = ({ partitionKey, explicitHashKey, data }: SpooledRecord): object => ({
  partitionKey,
  explicitHashKey,
  data: Buffer.from(data).toString('hex'),
});

it('any record comes back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(records, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 4000 }),
      async (list, bytes) => {
        const disk = new TestDisk();
        const spool = await openOn(disk, { segmentBytesMax: bytes });
        await Promise.all(list.map((record) => spool.append(record)));
        const found = await recoveredFrom(await openOn(disk.kill()));
        expect([...found.values()].map(plain)).toEqual(list.map(plain));
        expect([...found.keys()]).toEqual(list.map((_, i) => i));
      },
    ),
  );
});

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly bytes: number; readonly isAwaited: boolean }
  | { readonly kind: 'settle'; readonly share: number; readonly from: 'oldest' | 'newest' | 'anywhere' }
  | { readonly kind: 'pass time' | 'close' }
  | { readonly kind: 'kill' | 'cut power'; readonly turns: number };

const steps = (crash: 'kill' | 'cut power'): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          count: fc.integer({ min: 1, max: 12 }),
          bytes: fc.nat(200),
          isAwaited: fc.boolean(),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('settle' as const),
          share: fc.constantFrom(0.2, 0.5, 0.9, 1),
          from: fc.constantFrom('oldest' as const, 'newest' as const, 'anywhere' as const),
        }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'pass time' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant(crash), turns: fc.nat(8) }) },
    ),
    { maxLength: 30 },
  );

/** A spool, and what is known of it by those who use it. */
class Model {
  disk = new TestDisk();
  /** Accepted and not settled: number to name. These must come back. */
  readonly live = new Map<number, string>();
  /** Settled, and the disk was given the time to know it. These must not come back. */
  readonly gone = new Set<number>();
  /** Settled in memory. These may. */
  readonly settled = new Set<number>();
  readonly #sync: SpoolSync;
  readonly #random: () => number;
  readonly #attempted = new Set<string>();
  #spool: Spool | undefined;
  #names = 0;
  #highest = -1;
  #waiting: Array<Promise<unknown>> = [];

  constructor(sync: SpoolSync, random: () => number) {
    this.#sync = sync;
    this.#random = random;
  }

  async run(step: Step): Promise<void> {
    const spool = this.#spool ?? (await this.open());
    switch (step.kind) {
      case 'append':
        for (let i = 0; i < step.count; i++) this.#waiting.push(this.#append(spool, step.bytes));
        if (step.isAwaited) await Promise.all(this.#waiting);
        break;
      case 'settle':
        this.#settle(spool, step);
        break;
      case 'pass time':
        await Promise.all(this.#waiting);
        this.disk.passTime();
        await drain(3);
        this.#settledIsKnown();
        break;
      case 'close':
        await spool.close();
        await Promise.all(this.#waiting);
        this.#settledIsKnown();
        this.#spool = undefined;
        expect(this.disk.hasTimers).toBe(false);
        if (this.live.size === 0) expect([0, segmentHeaderBytes]).toContain(this.disk.bytes);
        break;
      case 'kill':
      case 'cut power':
        await this.#crash(step);
        break;
    }
  }

  async open(): Promise<Spool> {
    const spool = await openOn(this.disk, { sync: this.#sync, segmentBytesMax: 500 });
    this.#spool = spool;
    const found = await recoveredFrom(spool);
    const numbers = [...found.keys()];
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers).toEqual(expect.arrayContaining([...this.live.keys()]));
    for (const [number, { partitionKey }] of found) {
      expect(this.gone.has(number)).toBe(false);
      expect(this.#attempted.has(partitionKey)).toBe(true);
      // What nobody was told of may be there, and is kept like all the rest; what was settled is settled anew.
      if (this.settled.has(number)) spool.settle(number);
      else expect(this.live.get(number) ?? partitionKey).toBe(partitionKey);
      if (!this.settled.has(number)) this.live.set(number, partitionKey);
      this.#highest = Math.max(this.#highest, number);
    }
    return spool;
  }

  async #append(spool: Spool, bytes: number): Promise<void> {
    const partitionKey = `name-${this.#names++}`;
    this.#attempted.add(partitionKey);
    const { disk } = this;
    let number: number;
    try {
      number = await spool.append({ partitionKey, data: Buffer.alloc(bytes) });
    } catch (error) {
      // Only because of the crash.
      if (this.disk === disk) throw error;
      return;
    }
    // Told after the crash is not told.
    if (this.disk !== disk) return;
    expect(number).toBeGreaterThan(this.#highest);
    this.#highest = number;
    this.live.set(number, partitionKey);
  }

  #settle(spool: Spool, { share, from }: Step & { kind: 'settle' }): void {
    let numbers = [...this.live.keys()];
    const count = Math.ceil(share * numbers.length);
    if (from === 'anywhere') numbers = numbers.filter(() => this.#random() < share);
    else numbers = from === 'oldest' ? numbers.slice(0, count) : numbers.slice(-count);
    for (const number of numbers) {
      spool.settle(number);
      this.live.delete(number);
      this.settled.add(number);
    }
  }

  /** A sync of `always` is of records; that some are settled may be forgotten by a machine without power. */
  #settledIsKnown(): void {
    if (this.#sync === 'always') return;
    for (const number of this.settled) this.gone.add(number);
    this.settled.clear();
  }

  async #crash({ kind, turns }: Step & { kind: 'kill' | 'cut power' }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Half of a write is done.
    if (turns % 2 === 1) this.disk.writeGate = promise;
    await drain(turns >> 1);
    const { disk } = this;
    this.disk = kind === 'kill' ? disk.kill() : disk.cutPower(this.#random);
    this.#spool = undefined;
    resolve();
    await Promise.all(this.#waiting);
    this.#waiting = [];
  }
}

it.each([
  ['never', 'kill'],
  ['always', 'cut power'],
] as const)('with sync %s: loses nothing that was accepted (%s)', async (sync, crash) => {
  await fc.assert(
    fc.asyncProperty(
      steps(crash),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (list, chances) => {
        const model = new Model(sync, () => chances.next().value as number);
        for (const step of list) await model.run(step);
        await model.run({ kind: 'close' });
        await model.open();
        await model.run({ kind: 'settle', share: 1, from: 'oldest' });
        await model.run({ kind: 'close' });
        expect(model.disk.bytes).toBeLessThanOrEqual(segmentHeaderBytes);
      },
    ),
    { numRuns: 250 },
  );
});
