import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { churnSuite } from './durability/churn/suite.ts';
import { flipsSuite } from './durability/flips/suite.ts';
import { checkTheChecker } from './durability/kill/ledger-checks.ts';
import { fullSuite } from './durability/full/suite.ts';
import { killRounds } from './durability/kill/suite.ts';
import { pointsSuite } from './durability/points/suite.ts';
import { readySuite } from './durability/ready/suite.ts';
import { reshardsSuite } from './durability/reshards/suite.ts';
import { shardsSuite } from './durability/shards/suite.ts';
import { straceSuite } from './durability/strace/suite.ts';
import { Checks } from './harness/checks.ts';
import { runCommand } from './harness/command.ts';
import { repositoryFolder, workspaceFile } from './harness/folders.ts';
import { openTarget, type Target } from './harness/target.ts';
import { suites } from './suites.ts';
import { kclSuiteAtFullSize } from './suites/kcl/suite.ts';
import { consumerSuiteAtFullSize } from './suites/consumer/suite.ts';
import { producerSuiteAtFullSize } from './suites/producer/suite.ts';

const usage = `npm run nightly -- [STEP…] [--rounds N] [--seed N] [--durability MODE] [--seeds N] [--steps N] [--megabytes N]

  STEP               kill, points, reshards, flips, crash-sim, sim, mutations, strace, ready, shards, churn, full, kcl, producer, consumer, suites; without one all of them, in this order
  --rounds N         kill: how often the server is killed at a random moment (default 700)
  --seed N           kill, points, reshards, flips: the same again; without it a new seed, which is printed
  --durability MODE  kill: fsync or os only; without it fsync for all rounds and os for a tenth of them
  --seeds N          crash-sim: histories on the simulated disk, for each durability; sim: histories from the handlers down (default 2000)
  --steps N          reshards: how often the stream is resharded (default 1000)
  --megabytes N      ready: how much is stored (default 2048)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '700' },
    seed: { type: 'string' },
    durability: { type: 'string' },
    seeds: { type: 'string', default: '2000' },
    steps: { type: 'string', default: '1000' },
    megabytes: { type: 'string', default: '2048' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const steps: Readonly<Record<string, (checks: Checks) => Promise<void>>> = {
  kill,
  points: (checks) => pointsSuite({ repetitions: 3, isShort: false, seed: seedOf() }, checks),
  reshards: (checks) => reshardsSuite({ steps: Number(values.steps), seed: seedOf() }, checks),
  flips: (checks) => flipsSuite({ megabytes: 1000, flips: 1000, seed: seedOf() }, checks),
  'crash-sim': (checks) => child(checks, 'testing/src/crash-sim.ts', ['--seeds', values.seeds]),
  sim: (checks) => child(checks, 'testing/src/simulation/main.ts', ['--seeds', values.seeds]),
  mutations: (checks) => child(checks, 'testing/src/mutations/main.ts', []),
  strace: straceSuite,
  ready: (checks) => readySuite(Number(values.megabytes), checks),
  shards: shardsSuite,
  churn: (checks) => churnSuite({ seconds: 1200, streamBytes: 2e9 }, checks),
  full: fullSuite,
  kcl: (checks) => onTarget(checks, kclSuiteAtFullSize),
  producer: (checks) => onTarget(checks, producerSuiteAtFullSize),
  consumer: (checks) => onTarget(checks, consumerSuiteAtFullSize),
  suites: (checks) => child(checks, 'conformance/src/main.ts', otherSuites()),
};

/** Everything at full size; what takes too long for every change. */
async function main(): Promise<void> {
  const unknown = positionals.find((name) => !Object.hasOwn(steps, name));
  const counts = [values.rounds, values.seeds, values.steps, values.megabytes, values.seed ?? '1'];
  const isWrong = unknown !== undefined || counts.some((text) => !/^[1-9]\d*$/.test(text));
  if (isWrong || values.help) {
    if (unknown !== undefined) process.stderr.write(`There is no step "${unknown}".\n`);
    process.stderr.write(usage);
    process.exitCode = isWrong ? 2 : 0;
    return;
  }
  const names = positionals.length > 0 ? positionals : Object.keys(steps);
  const total = new Checks();
  for (const name of names) {
    const checks = new Checks();
    checks.say(`\n== ${name}`);
    const startedMs = performance.now();
    try {
      await steps[name]?.(checks);
    } catch (error) {
      checks.record('the step runs to its end', (error as Error).stack ?? String(error));
    }
    checks.say(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    checks.say(checks.line);
    total.passed += checks.passed;
    total.failed += checks.failed;
  }
  if (names.length > 1) total.say(`\nnightly\n${total.line}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

async function kill(checks: Checks): Promise<void> {
  await checkTheChecker(checks);
  const rounds = Number(values.rounds);
  const seed = seedOf();
  if (values.durability !== 'os') await killRounds({ rounds, seed, durability: 'fsync' }, checks);
  if (values.durability === 'os') await killRounds({ rounds, seed, durability: 'os' }, checks);
  else if (values.durability === undefined) {
    await killRounds({ rounds: Math.ceil(rounds / 10), seed, durability: 'os' }, checks);
  }
}

async function onTarget(checks: Checks, run: (target: Target, checks: Checks) => Promise<void>): Promise<void> {
  const target = await openTarget(undefined, 100_000);
  try {
    await run(target, checks);
  } finally {
    await target.close();
  }
}

function seedOf(): number | undefined {
  return values.seed === undefined ? undefined : Number(values.seed);
}

/** Those that are no step of their own. */
function otherSuites(): string[] {
  return Object.keys(suites).filter((name) => !Object.hasOwn(steps, name));
}

/** Runs a program that ends with the plain line, and adds its numbers. */
async function child(checks: Checks, program: string, args: readonly string[]): Promise<void> {
  let line: RegExpExecArray | undefined;
  const { code, stderr } = await runCommand(process.execPath, [join(repositoryFolder, program), ...args], {
    cwd: workspaceFile('..'),
    onLine: (text) => {
      checks.say(text);
      line = /^(\d+) passed, (\d+) failed$/.exec(text) ?? line;
    },
  });
  const failed = Number(line?.[2] ?? 0);
  checks.passed += Number(line?.[1] ?? 0);
  checks.failed += failed;
  if (stderr !== '' && code !== 0) checks.say(stderr.trimEnd());
  if (line === undefined || (code !== 0 && failed === 0))
    checks.record(`${program} runs to its end`, `exit code ${code}`);
}

// An exit of its own, so that what was started is ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main();
