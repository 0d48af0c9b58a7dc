import { parseArgs } from 'node:util';
import { runCrashes } from './crash-world.ts';

/*
 * node testing/src/crash-sim.ts --seeds 2000 [--from N] [--durability fsync|os] [--first]
 *
 * Each seed is one history of a few runs and crashes; a failing one fails again under the same number. With --first the first failure is the last.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    durability: { type: 'string' },
    first: { type: 'boolean', default: false },
  },
});
const from = Number(values.from);
const until = from + Number(values.seeds);
const modes = (['fsync', 'os'] as const).filter(
  (mode) => values.durability === undefined || values.durability === mode,
);
let passed = 0;
let failed = 0;
let crashes = 0;
let stored = 0;
// Only disks that never answer keep a simulation alive; this keeps the process.
const alive = setInterval(() => undefined, 1000);
for (let seed = from; seed < until && !(values.first && failed > 0); seed++) {
  for (const durability of modes) {
    try {
      const report = await runCrashes({ seed, durability });
      passed++;
      crashes += report.crashes;
      stored += report.stored;
    } catch (error) {
      failed++;
      console.error(`seed ${seed}, ${durability}: ${error instanceof Error ? error.stack : String(error)}`);
      console.error(`  again: node testing/src/crash-sim.ts --from ${seed} --seeds 1 --durability ${durability}`);
    }
  }
  if ((seed - from + 1) % 100 === 0)
    console.log(`${seed - from + 1} seeds, ${crashes} crashes, ${stored} batches stored, ${failed} failed`);
}
clearInterval(alive);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
