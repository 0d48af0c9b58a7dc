import { flags } from './options.ts';
import { scenarios } from './scenarios/index.ts';
import { allTargets } from './targets/index.ts';

export function helpText(): string {
  const rows = Object.entries(flags).map(([name, { value, help }]) => [`--${name} ${value}`, help] as const);
  return `npm run bench -- SCENARIO [flags]: load on Millrace, peers and bare limits, side by side

${columns([...rows, ['--list', 'scenarios and targets'], ['--help', 'this text']])}
Results go to bench/results as JSON and Markdown. See bench/README.md.
`;
}

export function listText(): string {
  const targets = allTargets({ program: undefined, other: undefined });
  return `Scenarios:

${columns(scenarios.map(({ name, about }) => [name, about] as const))}
Targets:

${columns([...targets.values()].map(({ name, kind, mode }) => [name, `${kind}; at the answer: ${mode}`] as const))}`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}\n`).join('');
}
