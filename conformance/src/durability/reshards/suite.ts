import { randomInt } from 'node:crypto';
import { renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder, workFolder } from '../../harness/folders.ts';
import { SeededRandom } from '../seeded-random.ts';
import { checkTheOracle } from './oracle-checks.ts';
import { ReshardRun } from './run.ts';

export interface ReshardOptions {
  readonly steps: number;
  /** Without it a new one. */
  readonly seed?: number | undefined;
}

/** Enough that kills before and after the command was stored must be among them. */
const stepsForBothOutcomes = 300;

/** Reshards a stream at random under load, with readers of both kinds that follow, and kills in the midst of reshards. */
export async function reshardsSuite(options: ReshardOptions, checks: Checks): Promise<void> {
  const { steps } = options;
  await checkTheOracle(checks);
  const seed = options.seed ?? randomInt(1, 2 ** 32);
  checks.say(`${steps} steps, seed ${seed}; again: npm run nightly -- reshards --steps ${steps} --seed ${seed}`);
  const random = new SeededRandom(seed);
  const folder = freshFolder('reshards');
  const run = new ReshardRun(join(folder.path, 'data'));
  const { oracle, counts, tree } = run;
  try {
    for (let isLast = false; !isLast && oracle.violations.length === 0;) {
      isLast = counts.steps >= steps;
      const facts = await run.live(steps - counts.steps, random.fork());
      const sum = `${counts.steps} steps and ${oracle.counts.acknowledged} records so far`;
      checks.record(`life ${counts.lives} (${facts}; ${sum})`, oracle.violations.join('; ') || undefined);
    }
  } finally {
    await run.close();
    if (oracle.violations.length > 0) {
      const kept = join(workFolder('failed'), basename(folder.path));
      renameSync(folder.path, kept);
      checks.say(`the data folder is kept: ${kept}`);
    }
    folder.remove();
  }
  const { acknowledged, appeared, vanished, read } = oracle.counts;
  checks.say(
    `${counts.steps} reshards of a stream that has had ${tree.size} shards; ${counts.kills} kills in the midst of one and ${counts.killedStarts} of a starting server; ` +
      `${counts.applied + counts.notApplied} of the reshards had no answer, of which ${counts.applied} had happened; ${acknowledged} records acknowledged, ` +
      `${appeared + vanished} without an answer, of which ${appeared} were stored; ${read} read`,
  );
  if (steps >= stepsForBothOutcomes) {
    const isBoth = counts.applied > 0 && counts.notApplied > 0;
    checks.record('kills come before and after a reshard is stored', isBoth ? undefined : 'all of one kind');
  }
}
