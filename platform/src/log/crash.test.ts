import { describe, expect, test } from 'vitest';
import { runCrashes } from '../../../testing/src/crash-world.ts';
import { calmLimits, openTestLog, put } from '../../../testing/src/log-harness.ts';
import { tick } from '../../../testing/src/sim-clock.ts';
import { SimDisk } from '../../../testing/src/sim-disk.ts';
import { readShard } from '../../../testing/src/test-batches.ts';
import { propose } from '../../../testing/src/test-machine.ts';
import type { LogEngine } from './engine.ts';

const seeds = Array.from({ length: 50 }, (_, i) => i + 1);

test.each(['fsync', 'os'] as const)(
  'in mode %s nothing acknowledged is lost and nothing is invented, wherever the run ends',
  async (durability) => {
    let crashes = 0;
    let stored = 0;
    for (const seed of seeds) {
      const report = await runCrashes({ seed, durability }).catch((error: unknown) => {
        throw new Error(
          `seed ${seed}; again: node testing/src/crash-sim.ts --from ${seed} --seeds 1 --durability ${durability}`,
          {
            cause: error,
          },
        );
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

/** Histories that random ones meet rarely; each was a way to lose or to invent records. */
describe('over many power cuts', () => {
  const shard = { group: 1, shard: 0 };
  const os = { limits: calmLimits, durability: 'os' } as const;
  const cuts = Array.from({ length: 60 }, (_, seed) => seed);

  async function namesIn(log: LogEngine): Promise<string[]> {
    return (await readShard(log, shard)).map((batch) => batch.name);
  }

  /** A log with one record in its segments and a clean checkpoint. */
  async function closedDisk(seed: number): Promise<SimDisk> {
    const disk = new SimDisk(seed);
    const { log } = await openTestLog(disk, os);
    await propose(log, { id: 1, kind: 'provision', ...shard });
    await put(log, shard, 'first');
    await log.close();
    return disk.kill();
  }

  test('a journal file that a killed run left without a durable name is not trusted with records before it has one', async () => {
    for (const seed of cuts) {
      let disk = new SimDisk(seed);
      disk.hold('sync', /^journal/);
      void openTestLog(disk, { limits: calmLimits });
      for (let turn = 0; turn < 20; turn++) await tick();
      expect(disk.paths()).toContain('journal/00000001.log');
      disk = disk.kill();
      const { log } = await openTestLog(disk, { limits: calmLimits });
      await propose(log, { id: 1, kind: 'provision', ...shard });
      await put(log, shard, 'first');
      expect(await namesIn((await openTestLog(disk.powerCut())).log)).toEqual(['first']);
    }
  });

  test('a trim that only the page cache knows removes no file before it is durable', async () => {
    for (const seed of cuts) {
      let disk = await closedDisk(seed);
      const { log, clock } = await openTestLog(disk, os);
      disk.hold('sync', /^journal/);
      await propose(log, { id: 2, kind: 'trim', group: 1, timeMs: clock.now() + 1 });
      disk = disk.kill();
      disk.hold('rename', /^checkpoint/);
      void openTestLog(disk, os);
      for (let turn = 0; turn < 20; turn++) await tick();
      const after = await openTestLog(disk.powerCut(), os);
      expect(after.log.status().damage).toEqual([]);
      expect(await namesIn(after.log)).toEqual(after.machine.applied.includes(2) ? [] : ['first']);
    }
  });

  test('a commit that was cut off does not come back behind the next one', async () => {
    for (const seed of cuts) {
      let disk = await closedDisk(seed);
      const cut = await openTestLog(disk, os);
      for (const name of ['a', 'b', 'c']) await put(cut.log, shard, name);
      disk = disk.powerCut();
      const next = await openTestLog(disk, os);
      const names = await namesIn(next.log);
      expect(['first', 'a', 'b', 'c'].slice(0, names.length)).toEqual(names);
      await put(next.log, shard, 'd');
      disk = disk.kill();
      expect(await namesIn((await openTestLog(disk, os)).log)).toEqual([...names, 'd']);
    }
  });
});
