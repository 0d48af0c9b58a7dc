import { parseArgs } from 'node:util';

/** What a run of the bench is told. */
export interface Options {
  readonly scenario: string;
  readonly runs: number;
  readonly warmUpSeconds: number;
  readonly measureSeconds: number;
  readonly shards: number;
  /** Undefined: what each scenario has. */
  readonly connections: readonly number[] | undefined;
  readonly targets: readonly string[] | undefined;
  readonly storedBytes: number;
  readonly recordsMax: number;
  readonly program: string | undefined;
  readonly other: string | undefined;
  readonly quietSeconds: number;
  readonly label: string | undefined;
}

export class UsageError extends Error {}

interface Flag {
  readonly value: string;
  readonly help: string;
}

export const flags: Readonly<Record<string, Flag>> = {
  runs: { value: 'N', help: 'times that each cell is measured, targets taking turns (default 3)' },
  'warm-up': { value: 'SECONDS', help: 'load before the measured time (default 1.5)' },
  measure: { value: 'SECONDS', help: 'measured time of a load (default 5)' },
  targets: { value: 'A,B', help: "targets instead of the scenario's own" },
  connections: { value: 'N,N', help: "connections of a put load instead of the scenario's own" },
  shards: { value: 'N', help: 'shards of a stream that is written to (default 4)' },
  records: { value: 'N', help: 'records of the largest stream in get-records and memory (default 1000000)' },
  'stored-bytes': { value: 'N', help: 'start-up: also start after kill -9 with so much stored, e.g. 2e9 (default 0)' },
  server: { value: 'FILE', help: "cli/main.js of another build instead of this checkout's" },
  other: { value: 'FILE', help: 'cli/main.js of a second build; adds the target millrace-other' },
  quiet: { value: 'SECONDS', help: 'before each cell wait up to so long for an otherwise idle machine (default 0)' },
  label: { value: 'TEXT', help: 'added to the name of the result files' },
};

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const [scenario] = positionals;
  if (scenario === undefined || positionals.length > 1) throw new UsageError('give one scenario; --list shows them');
  return {
    scenario,
    runs: numberOf(values, 'runs', 3),
    warmUpSeconds: numberOf(values, 'warm-up', 1.5),
    measureSeconds: numberOf(values, 'measure', 5),
    shards: numberOf(values, 'shards', 4),
    connections: values['connections']?.split(',').map((text) => positive('connections', text)),
    targets: values['targets']?.split(','),
    storedBytes: numberOf(values, 'stored-bytes', 0),
    recordsMax: numberOf(values, 'records', 1_000_000),
    program: values['server'],
    other: values['other'],
    quietSeconds: numberOf(values, 'quiet', 0),
    label: values['label'],
  };
}

function parse(args: readonly string[]): { values: Record<string, string | undefined>; positionals: string[] } {
  const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function numberOf(values: Record<string, string | undefined>, name: string, otherwise: number): number {
  const text = values[name];
  return text === undefined ? otherwise : positive(name, text);
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new UsageError(`--${name} takes a number above 0, not ${text}`);
  return number;
}
