import { expect, test } from 'vitest';
import { runCrashes } from '../../../testing/src/crash-world.ts';

const seeds = Array.from({ length: 50 }, (_, i) => i + 1);

test.each(['fsync', 'os'] as const)(
  'in mode %s nothing acknowledged is lost and nothing is invented, wherever the run ends',
  async (durability) => {
    let crashes = 0;
    let stored = 0;
    for (const seed of seeds) {
      const report = await runCrashes({ seed, durability }).catch((error: unknown) => {
        throw new Error(`seed ${seed}; again: node testing/src/crash-sim.ts --from ${seed} --seeds 1 --durability ${durability}`, {
          cause: error,
        });
      });
      crashes += report.crashes;
      stored += report.stored;
    }
    // The simulation is worth something only while runs get somewhere before they end.
    expect(crashes).toBeGreaterThan(100);
    expect(stored).toBeGreaterThan(1000);
  },
  30_000,
);

test('a seed gives the same history twice', async () => {
  const first = await runCrashes({ seed: 7, durability: 'fsync' });
  const second = await runCrashes({ seed: 7, durability: 'fsync' });
  expect(toPlain(second)).toEqual(toPlain(first));
});

function toPlain({ runs, crashes, crashesInRecovery, stored, trace }: Awaited<ReturnType<typeof runCrashes>>): unknown {
  return { runs, crashes, crashesInRecovery, stored, trace };
}
