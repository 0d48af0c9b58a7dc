import { parseArgs } from 'node:util';
import { simulate, SimulationError } from './world.ts';

/*
 * npm run sim -- [--seed N] [--steps M] [--seeds K] [--history]
 *
 * One seed (or K of them from N on) of M steps each. A failure prints its seed, the shortest beginning of its history that fails, and
 * how to see it again.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    history: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [from, count, steps] = [values.seed, values.seeds, values.steps].map(Number) as [number, number, number];
if (values.help || ![from, count, steps].every((each) => Number.isSafeInteger(each) && each > 0)) {
  process.stdout.write('npm run sim -- [--seed N] [--steps M] [--seeds K] [--history]\n');
  process.exit(values.help ? 0 : 2);
}
/** Steps back from a failure that are tried one by one. */
const closeSteps = 20;
const linesShown = 30;

// A disk that never answers keeps no process alive; this does.
const alive = setInterval(() => undefined, 1000);
let passed = 0;
let failed = 0;
for (let seed = from; seed < from + count; seed++) {
  try {
    const { history, calls, crashes, stored, followed } = await simulate({ seed, steps });
    passed++;
    if (values.history) process.stdout.write(`${history.lines.join('\n')}\n`);
    if (count === 1 || seed % 100 === 0) {
      process.stdout.write(
        `seed ${seed}: ${calls} calls, ${crashes} crashes, ${stored} records stored, ${followed} read by followers, history ${history.digest}\n`,
      );
    }
  } catch (error) {
    failed++;
    await tell(seed, error as Error);
  }
}
clearInterval(alive);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

async function tell(seed: number, error: Error): Promise<void> {
  if (!(error instanceof SimulationError)) throw error;
  const shortest = await shorten(seed, error);
  const { history } = shortest;
  process.stderr.write(
    `seed ${seed}: ${shortest.message}\n${history.lines.slice(values.history ? 0 : -linesShown).join('\n')}\n`,
  );
  process.stderr.write(`${(shortest.cause as Error).stack}\n`);
  process.stderr.write(`  again: npm run sim -- --seed ${seed} --steps ${shortest.steps}\n`);
}

/** A run of fewer steps is the beginning of the longer one, looked through at its end: the failure may show earlier than it did. */
async function shorten(seed: number, found: SimulationError): Promise<SimulationError> {
  let best = found;
  for (let low = 0; low < best.steps;) {
    const middle = best.steps - low > closeSteps ? Math.floor((low + best.steps) / 2) : best.steps - 1;
    const error = await failureOf(seed, middle);
    if (error !== undefined && error.steps < best.steps) best = error;
    else if (middle === best.steps - 1) break;
    else low = middle;
  }
  return best;
}

async function failureOf(seed: number, stepCount: number): Promise<SimulationError | undefined> {
  try {
    await simulate({ seed, steps: stepCount });
    return undefined;
  } catch (error) {
    return error as SimulationError;
  }
}
