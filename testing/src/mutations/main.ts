import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutations } from './catalog.ts';
import { applyEdit, type Catcher, type Mutation } from './mutation.ts';

/*
 * npm run mutations -- [NAME…]
 *
 * Plants each mutation in a copy of the sources and runs there what must notice it. A mutation that nobody notices is a failure of the
 * suite, and so is a catcher that fails without one.
 */

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const copied = ['platform/src', 'platform/package.json', 'testing', 'tools', 'package.json', 'vitest.config.ts'];
const seedsMax = 2000;
/** Seeds over which a catcher must be quiet when nothing is planted. */
const controlSeeds = 100;
const msMax = 240_000;
const toldCharsMax = 160;

interface Outcome {
  readonly isNoticed: boolean;
  /** The first line that says what is wrong. */
  readonly told: string;
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  const unknown = positionals.find((name) => !mutations.some((mutation) => mutation.name === name));
  if (unknown !== undefined || values.help === true) {
    if (unknown !== undefined) process.stderr.write(`There is no mutation "${unknown}".\n`);
    const names = mutations.map(({ name }) => `  "${name}"\n`).join('');
    process.stderr.write(`npm run mutations -- [NAME…]\n\n${names}`);
    process.exitCode = unknown === undefined ? 0 : 2;
    return;
  }
  const chosen = mutations.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  let passed = 0;
  let failed = 0;
  const record = (name: string, isRight: boolean, told: string): void => {
    if (isRight) passed++;
    else failed++;
    process.stdout.write(`${isRight ? 'ok' : 'FAILED'} ${name}${told === '' ? '' : `: ${told}`}\n`);
  };
  const catchers = new Map(chosen.map(({ caughtBy }) => [JSON.stringify(caughtBy), caughtBy]));
  for (const [text, catcher] of catchers) {
    const { isNoticed, told } = inCopy([], (folder) => run(folder, catcher, controlSeeds));
    record(`nothing planted, nothing noticed by ${text}`, !isNoticed, isNoticed ? told : '');
  }
  for (const mutation of chosen) {
    const startedMs = performance.now();
    const { isNoticed, told } = inCopy([mutation], (folder) => run(folder, mutation.caughtBy, seedsMax));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    record(mutation.name, isNoticed, isNoticed ? `${told} (${seconds} s)` : `nobody noticed (${seconds} s)`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

function inCopy<T>(planted: readonly Mutation[], use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mutation-'));
  try {
    for (const path of copied) cpSync(join(root, path), join(folder, path), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const edit of planted.flatMap(({ edits }) => edits)) {
      const path = join(folder, edit.file);
      writeFileSync(path, applyEdit(readFileSync(path, 'utf8'), edit));
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(folder: string, catcher: Catcher, seeds: number): Outcome {
  const args =
    'simulation' in catcher
      ? ['testing/src/crash-sim.ts', '--seeds', String(seeds), '--durability', catcher.simulation, '--first']
      : ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', catcher.testFile, '-t', catcher.testName];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: msMax,
  });
  if (error !== undefined) return { isNoticed: false, told: String(error) };
  const line = /^(\d+) passed, (\d+) failed$/m.exec(stdout);
  // Only what the catcher itself counts as a failure: a copy that does not even start proves nothing.
  const isNoticed = status !== 0 && line !== null && Number(line[2]) > 0 && !/SyntaxError|ERR_MODULE/.test(stderr);
  const told = stderr.split('\n').find((text) => /^(seed|\w*Error)/.test(text)) ?? stderr;
  return { isNoticed, told: told.slice(0, toldCharsMax) };
}

main();
