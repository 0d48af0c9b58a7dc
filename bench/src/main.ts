import { machineFacts } from './measure/machine.ts';
import { helpText, listText } from './help.ts';
import { readOptions, UsageError, type Options } from './options.ts';
import { report } from './report/report.ts';
import { runCells } from './runner.ts';
import { scenarios } from './scenarios/index.ts';
import { allTargets } from './targets/index.ts';
import type { Target } from './targets/target.ts';
import { prepareWorkFolder } from './work-folder.ts';

async function main(args: readonly string[]): Promise<void> {
  if (args.length === 0 || args.includes('--help')) return print(helpText());
  if (args.includes('--list')) return print(listText());
  const options = readOptions(args);
  const scenario = scenarios.find(({ name }) => name === options.scenario);
  if (scenario === undefined) throw new UsageError(`there is no scenario ${options.scenario}; --list shows them`);
  const startedAt = new Date();
  const targets = allTargets(options);
  const cells = scenario.cells(options);
  checkTargets(options, targets);
  const machine = machineFacts(prepareWorkFolder());
  const rows = await runCells(cells, targets, options);
  print(report({ options, args, startedAt, machine, targets, cells, rows }));
}

function checkTargets({ targets = [] }: Options, known: ReadonlyMap<string, Target>): void {
  const unknown = targets.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new UsageError(`there is no target ${unknown}; there is ${[...known.keys()].join(', ')}`);
}

function print(text: string): void {
  process.stdout.write(text);
}

// Servers are ended when this process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
