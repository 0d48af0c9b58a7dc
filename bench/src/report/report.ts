import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../measure/machine.ts';
import type { Options } from '../options.ts';
import type { Row } from '../runner.ts';
import type { Cell } from '../scenario.ts';
import type { Target } from '../targets/target.ts';
import { resultsFolder } from '../work-folder.ts';
import { markdown } from './markdown.ts';
import { summarize } from './summary.ts';
import { verdicts } from './verdicts.ts';

export interface Outcome {
  readonly options: Options;
  readonly args: readonly string[];
  readonly startedAt: Date;
  readonly machine: Machine;
  readonly targets: ReadonlyMap<string, Target>;
  readonly cells: readonly Cell[];
  readonly rows: readonly Row[];
}

/** Writes both result files. @returns the Markdown, for the terminal */
export function report({ options, args, startedAt, machine, targets, cells, rows }: Outcome): string {
  const lines = summarize(cells, rows, targets);
  const outcome = verdicts(lines, targets);
  const command = `npm run bench -- ${args.join(' ')}`;
  const used = [...targets.values()].filter(({ name }) => lines.some((line) => line.target === name));
  const text = markdown({
    title: `Bench: ${options.scenario}`,
    command,
    startedAt,
    runs: options.runs,
    machine,
    targets: used,
    cells,
    lines,
    verdicts: outcome,
  });
  const label = options.label === undefined ? '' : `-${options.label}`;
  const path = join(resultsFolder, `${startedAt.toISOString().slice(0, 10)}-${options.scenario}${label}`);
  const json = {
    scenario: options.scenario,
    command,
    startedAt,
    options,
    machine,
    verdicts: outcome,
    summary: lines,
    rows,
  };
  writeFileSync(`${path}.json`, `${JSON.stringify(json, undefined, 2)}\n`);
  writeFileSync(`${path}.md`, text);
  return `${text}\nWritten to ${path}.md and .json\n`;
}
