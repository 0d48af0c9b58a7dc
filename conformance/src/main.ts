import { parseArgs } from 'node:util';
import { Checks, UnavailableError } from './harness/checks.ts';
import { openTarget } from './harness/target.ts';
import { suites, type Suite } from './suites.ts';

const usage = `npm run conformance -- NAME… [--endpoint URL] [--records N]

  NAME            a suite, several, "all", or "ci" (all, with fewer records); --list names them
  --endpoint URL  what to test; without it the built server is started, with a fresh data folder
  --records N     records of the large put-and-read checks (default 100000; 20000 for ci)
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      endpoint: { type: 'string' },
      records: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.list) return list();
  const isCi = positionals.includes('ci');
  const names = isCi || positionals.includes('all') ? Object.keys(suites) : positionals;
  const unknown = names.find((name) => !Object.hasOwn(suites, name));
  const records = Number(values.records ?? (isCi ? 10_000 : 100_000));
  if (values.help || names.length === 0 || unknown !== undefined || !(Number.isInteger(records) && records >= 100)) {
    if (unknown !== undefined) process.stderr.write(`There is no suite "${unknown}".\n`);
    process.stderr.write(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const total = { passed: 0, failed: 0 };
  for (const name of names) {
    const { passed, failed } = await runSuite(name, suites[name] as Suite, values.endpoint, records);
    total.passed += passed;
    total.failed += failed;
  }
  if (names.length > 1) process.stdout.write(`\nall suites\n${total.passed} passed, ${total.failed} failed\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

function list(): void {
  for (const [name, { summary }] of Object.entries(suites)) process.stdout.write(`${name.padEnd(26)}${summary}\n`);
}

async function runSuite(name: string, suite: Suite, endpoint: string | undefined, records: number): Promise<Checks> {
  const checks = new Checks();
  const startedMs = Date.now();
  checks.say(`\n${name}: ${suite.summary}`);
  try {
    const run = await suite.load();
    const target = await openTarget(endpoint, records);
    try {
      await run(target, checks);
    } finally {
      await target.close();
    }
  } catch (error) {
    const { message, stack } = error as Error;
    checks.isQuiet = false;
    checks.record('the suite runs to its end', error instanceof UnavailableError ? message : (stack ?? message));
  }
  checks.say(`${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  checks.say(checks.line);
  return checks;
}

// An exit of its own, so that what was started is ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main();
