import type { Target } from '../targets/target.ts';
import { naiveDurable } from '../targets/limits.ts';
import type { Line } from './summary.ts';

/** One target of speed and what came out. */
export interface Verdict {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** Shares of the naive durable limit and ratios that count as good. */
const naiveShareMin = 0.75;
const peerRatioMin = 8;
const smallRecordsMin = 300_000;
const largeRecordsMin = 100_000;
const singlePutsMin = 15_000;
const spotRatioMax = 1.5;
const idleRssMBMax = 100;
const readyMsMax = 1_000;

/** Verdicts on whatever of their runs is there: a row whose runs are missing is left out. */
export function verdicts(lines: readonly Line[], targets: ReadonlyMap<string, Target>): readonly Verdict[] {
  const isPeer = ({ target }: Line): boolean => targets.get(target)?.kind === 'peer';
  return [
    putRecordsRate(lines, 'put-records-100b', '500 × 100 B', smallRecordsMin),
    peerRatio(
      lines.filter(({ scenario }) => scenario === 'put-records-100b'),
      isPeer,
    ),
    putRecordsRate(lines, 'put-records-1kb', '500 × 1 KB', largeRecordsMin),
    atLeast(own(lines, 'put-record-1kb', 'c256'), 'PutRecord 1 KB, 256 connections', 'recordsPerSecond', singlePutsMin),
    atMost(
      own(lines, 'get-records', '10,000'),
      '10,000-record GetRecords, slowest to fastest place',
      'spotRatio',
      spotRatioMax,
      2,
    ),
    atMost(own(lines, 'memory', 'idle'), 'RSS when idle, MB', 'rssMB', idleRssMBMax, 1),
    atMost(own(lines, 'start-up', 'GB'), 'Ready after kill -9 with data stored, ms', 'readyMs', readyMsMax, 0),
  ].flatMap((verdict) => verdict ?? []);
}

function putRecordsRate(
  lines: readonly Line[],
  scenario: string,
  shape: string,
  recordsMin: number,
): Verdict | undefined {
  const ofScenario = lines.filter((line) => line.scenario === scenario);
  const rate = bestRate(ofScenario, ({ target }) => target === 'millrace');
  const naive = bestRate(ofScenario, ({ target }) => target === naiveDurable);
  if (rate === undefined) return undefined;
  const share = naive === undefined ? Number.POSITIVE_INFINITY : naive * naiveShareMin;
  const of = naive === undefined ? '' : `, ${percent(rate / naive)} of naive durable (${round(naive)})`;
  return {
    what: `PutRecords ${shape}, records/s, best connections`,
    wanted: `≥ ${round(recordsMin)}, or ${percent(naiveShareMin)} of naive durable if that is lower`,
    measured: `${round(rate)}${of}`,
    isMet: rate >= Math.min(recordsMin, share),
  };
}

function peerRatio(lines: readonly Line[], isPeer: (line: Line) => boolean): Verdict | undefined {
  const rate = bestRate(lines, ({ target }) => target === 'millrace');
  const peer = bestRate(lines, isPeer);
  if (rate === undefined || peer === undefined) return undefined;
  return {
    what: 'PutRecords 500 × 100 B against the best peer',
    wanted: `≥ ${peerRatioMin} ×`,
    measured: `${(rate / peer).toFixed(1)} × (${round(peer)})`,
    isMet: rate >= peerRatioMin * peer,
  };
}

function bestRate(lines: readonly Line[], isWanted: (line: Line) => boolean): number | undefined {
  const rates = lines.filter(isWanted).flatMap((line) => line.figures['recordsPerSecond']?.median ?? []);
  return rates.length === 0 ? undefined : Math.max(...rates);
}

function own(lines: readonly Line[], scenario: string, variantPart: string): Line | undefined {
  return lines.find(
    (line) => line.target === 'millrace' && line.scenario === scenario && line.variant.includes(variantPart),
  );
}

function atLeast(line: Line | undefined, what: string, key: string, min: number): Verdict | undefined {
  const value = line?.figures[key]?.median;
  if (value === undefined) return undefined;
  return { what, wanted: `≥ ${round(min)}`, measured: round(value), isMet: value >= min };
}

function atMost(line: Line | undefined, what: string, key: string, max: number, digits: number): Verdict | undefined {
  const value = line?.figures[key]?.median;
  if (value === undefined) return undefined;
  return { what, wanted: `≤ ${max}`, measured: value.toFixed(digits), isMet: value <= max };
}

function round(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
