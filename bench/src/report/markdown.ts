import type { Machine } from '../measure/machine.ts';
import type { Cell, Metric } from '../scenario.ts';
import type { Target } from '../targets/target.ts';
import type { Line } from './summary.ts';
import type { Verdict } from './verdicts.ts';

export interface Document {
  readonly title: string;
  readonly command: string;
  readonly startedAt: Date;
  readonly runs: number;
  readonly machine: Machine;
  readonly targets: readonly Target[];
  readonly cells: readonly Cell[];
  readonly lines: readonly Line[];
  readonly verdicts: readonly Verdict[];
}

export function markdown(document: Document): string {
  const { machine, startedAt, runs } = document;
  const peerNote = document.targets.some(({ kind }) => kind === 'peer')
    ? ' No peer syncs a record before it answers; Millrace does unless its line says otherwise.'
    : '';
  return `# ${document.title}

    ${document.command}

${startedAt.toISOString()}. ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.kernel}, Node ${machine.node}, ${machine.filesystem}; a 4 KB append with fdatasync takes ${machine.syncMs.toFixed(2)} ms; load average before the start ${machine.loadAverage.toFixed(2)}. Load and server share the machine.

Medians of ${runs} runs (lowest to highest). Targets took turns; each cell had a new process and an empty folder.${peerNote}

${verdictTable(document.verdicts)}${modeTable(document.targets)}${document.cells.map((cell) => cellTable(cell, document.lines)).join('')}`;
}

function verdictTable(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const rows = verdicts.map(({ what, wanted, measured, isMet }) => [
    what,
    wanted,
    measured,
    isMet ? 'met' : '**missed**',
  ]);
  return `## Verdicts\n\n${table([['target', 'wanted', 'measured', 'verdict'], ...rows])}\n`;
}

function modeTable(targets: readonly Target[]): string {
  return `## Targets\n\n${table([['name', 'kind', 'at the answer of a put'], ...targets.map(({ name, kind, mode }) => [name, kind, mode])])}\n`;
}

function cellTable(cell: Cell, lines: readonly Line[]): string {
  const own = lines.filter((line) => line.scenario === cell.scenario && line.variant === cell.variant);
  if (own.length === 0) return '';
  const [first, ...rest] = cell.metrics;
  const hasPeers = own.some((line) => line.ofBestPeer !== undefined);
  const hasNaive = own.some((line) => line.ofNaiveDurable !== undefined);
  const heads = [
    'target',
    first?.title ?? '',
    ...(hasPeers ? ['of best peer'] : []),
    ...(hasNaive ? ['of naive durable'] : []),
    ...rest.map(({ title }) => title),
  ];
  const rows = own.map((line) => [
    line.target,
    // A failure stands in the place of the first figure.
    line.errors[0] === undefined
      ? spread(first, line.figures)
      : `failed ${line.errors.length} of ${line.runs}: ${line.errors[0]}`,
    ...(hasPeers ? [line.ofBestPeer === undefined ? '' : `${line.ofBestPeer.toFixed(2)} ×`] : []),
    ...(hasNaive ? [line.ofNaiveDurable === undefined ? '' : `${Math.round(line.ofNaiveDurable * 100)} %`] : []),
    ...rest.map((metric) => number(metric, line.figures[metric.key]?.median)),
  ]);
  return `## ${cell.scenario}, ${cell.variant}\n\n${table([heads, ...rows])}\n`;
}

function spread(metric: Metric | undefined, figures: Line['figures']): string {
  const values = metric && figures[metric.key];
  if (metric === undefined || values === undefined) return '';
  return `${number(metric, values.median)} (${number(metric, values.min)} to ${number(metric, values.max)})`;
}

function number({ digits }: Metric, value: number | undefined): string {
  if (value === undefined) return '';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function table([heads = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return line(heads) + line(heads.map(() => '---')) + rows.map(line).join('');
}
