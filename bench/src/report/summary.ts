import { spreadOf, type Spread } from '../measure/statistics.ts';
import type { Row } from '../runner.ts';
import type { Cell } from '../scenario.ts';
import { naiveDurable } from '../targets/limits.ts';
import type { Target } from '../targets/target.ts';

/** One cell on one target over all runs. */
export interface Line {
  readonly scenario: string;
  readonly variant: string;
  readonly target: string;
  readonly runs: number;
  readonly figures: Readonly<Record<string, Spread>>;
  readonly errors: readonly string[];
  /** First metric against the best peer of the same variant, and against the naive durable limit. */
  readonly ofBestPeer?: number;
  readonly ofNaiveDurable?: number;
}

/** Medians and spread of each cell on each target, in the order of the plan. */
export function summarize(
  cells: readonly Cell[],
  rows: readonly Row[],
  targets: ReadonlyMap<string, Target>,
): readonly Line[] {
  return cells.flatMap((cell) => {
    const own = rows.filter((row) => row.scenario === cell.scenario && row.variant === cell.variant);
    const lines = [...new Set(own.map((row) => row.target))].map((target) => lineOf(cell, target, own));
    return lines.map((line) => ({ ...line, ...ratios(cell, line, lines, targets) }));
  });
}

function lineOf({ scenario, variant }: Cell, target: string, rows: readonly Row[]): Line {
  const own = rows.filter((row) => row.target === target);
  const good = own.filter((row) => row.error === undefined);
  const keys = new Set(good.flatMap((row) => Object.keys(row.figures)));
  const figures = Object.fromEntries(
    [...keys].map((key) => [key, spreadOf(good.flatMap((row) => row.figures[key] ?? []))]),
  );
  const errors = own.flatMap((row) => row.error ?? []);
  return { scenario, variant, target, runs: own.length, figures, errors };
}

function ratios(
  { metrics }: Cell,
  line: Line,
  lines: readonly Line[],
  targets: ReadonlyMap<string, Target>,
): Pick<Line, 'ofBestPeer' | 'ofNaiveDurable'> {
  const [metric] = metrics;
  const value = metric && line.figures[metric.key]?.median;
  if (metric === undefined || value === undefined) return {};
  const valuesOf = (isWanted: (line: Line) => boolean): number[] =>
    lines.filter(isWanted).flatMap((each) => each.figures[metric.key]?.median ?? []);
  const peers = valuesOf(({ target }) => targets.get(target)?.kind === 'peer');
  const [naive] = valuesOf(({ target }) => target === naiveDurable);
  const best = metric.better === 'higher' ? Math.max(...peers) : Math.min(...peers);
  return {
    ...(peers.length > 0 && { ofBestPeer: value / best }),
    ...(naive !== undefined && { ofNaiveDurable: value / naive }),
  };
}
