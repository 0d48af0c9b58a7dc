import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteBudget, type Release } from './byte-budget.ts';

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('grants up to its bytes and not one more', () => {
  const budget = new ByteBudget(10);
  expect(budget.tryTake(9)).toBeDefined();
  expect(budget.tryTake(2)).toBeUndefined();
  expect(budget.tryTake(1)).toBeDefined();
  expect(budget.tryTake(1)).toBeUndefined();
  expect(budget.usedBytes).toBe(10);
});

test('grants a request larger than all of it when that is alone', async () => {
  const budget = new ByteBudget(10);
  const first = budget.tryTake(1) as Release;
  let large: Release | undefined;
  void budget.take(50).then((release) => (large = release));
  await settled();
  expect(large).toBeUndefined();
  first();
  await settled();
  expect(budget.usedBytes).toBe(50);
  expect(budget.tryTake(1)).toBeUndefined();
  large?.();
  expect(budget.usedBytes).toBe(0);
});

test('a release counts once', () => {
  const budget = new ByteBudget(10);
  const release = budget.tryTake(6) as Release;
  budget.tryTake(3);
  release();
  release();
  expect(budget.usedBytes).toBe(3);
});

test('a small request does not overtake a large one that waits', async () => {
  const budget = new ByteBudget(10);
  const first = budget.tryTake(8) as Release;
  const order: string[] = [];
  void budget.take(5).then(() => order.push('large'));
  void budget.take(1).then(() => order.push('small'));
  expect(budget.tryTake(1)).toBeUndefined();
  await settled();
  expect(order).toEqual([]);
  first();
  await settled();
  expect(order).toEqual(['large', 'small']);
});

test('one that gives up makes way for those behind it', async () => {
  const budget = new ByteBudget(10);
  budget.tryTake(8);
  const giveUp = new AbortController();
  const large = budget.take(5, giveUp.signal);
  let isGranted = false;
  void budget.take(2).then(() => (isGranted = true));
  giveUp.abort(new Error('gone'));
  await expect(large).rejects.toThrow('gone');
  await settled();
  expect(isGranted).toBe(true);
  expect(budget.usedBytes).toBe(10);
});

test('one that has given up before it asks is not queued', async () => {
  const budget = new ByteBudget(10);
  const release = budget.tryTake(10) as Release;
  await expect(budget.take(1, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  release();
  await settled();
  expect(budget.usedBytes).toBe(0);
});

test('a signal that comes after the grant changes nothing', async () => {
  const budget = new ByteBudget(10);
  const first = budget.tryTake(10) as Release;
  const giveUp = new AbortController();
  const taking = budget.take(4, giveUp.signal);
  first();
  const release = await taking;
  giveUp.abort();
  expect(budget.usedBytes).toBe(4);
  release();
  expect(budget.usedBytes).toBe(0);
});

test('first come, first served; never more than its bytes at one time; everyone is served', async () => {
  const requests = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 15 }), givesUp: fc.boolean() }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(requests, async (all) => {
      const budget = new ByteBudget(10);
      const granted: number[] = [];
      const releases: Release[] = [];
      const givers: AbortController[] = [];
      all.forEach(({ bytes, givesUp }, i) => {
        const giveUp = new AbortController();
        if (givesUp) givers.push(giveUp);
        budget.take(bytes, giveUp.signal).then(
          (release) => {
            granted.push(i);
            releases.push(release);
          },
          () => undefined,
        );
      });
      for (const each of givers) each.abort(new Error('gone'));
      for (let i = 0; i < all.length + 1; i++) {
        await settled();
        expect(budget.usedBytes <= 10 || releases.length === 1).toBe(true);
        releases.shift()?.();
      }
      expect(budget.usedBytes).toBe(0);
      expect(granted).toEqual([...granted].sort((a, b) => a - b));
      all.forEach(({ givesUp }, i) => {
        if (!givesUp) expect(granted).toContain(i);
      });
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('a budget of nothing is a mistake', () => {
  expect(() => new ByteBudget(0)).toThrow('a byte budget is positive');
});
