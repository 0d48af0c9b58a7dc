import { relative } from 'node:path';

/** Where a server is to end. */
export interface Armed {
  readonly step: string;
  /** `inside`: half of a write has been written. */
  readonly moment: Moment;
  /** It ends when it comes there for the so-manieth time. */
  countdown: number;
}

export type Moment = 'before' | 'inside' | 'after';

const names: ReadonlyArray<readonly [RegExp, string]> = [
  [/^$/, 'data folder'],
  [/^journal$/, 'journal folder'],
  [/^segments$/, 'folder of segments'],
  [/^segments\/\d+$/, 'segment folder'],
  [/^journal\/\d+\.log$/, 'journal file'],
  [/^segments\/\d+\/\d+\.seg$/, 'segment'],
  [/^segments\/\d+\/\d+\.idx$/, 'index'],
  [/^checkpoint(\.new)?$/, 'checkpoint'],
  [/^reserve(\.new)?$/, 'reserve'],
];

/** `sync segment`; undefined for what is no file of the log. */
export function stepOf(root: string, verb: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const own = relative(root, path);
  const name = names.find(([pattern]) => pattern.test(own))?.[1];
  return name === undefined ? undefined : `${verb} ${name}`;
}

export type Phase = 'first start' | 'load' | 'restart';

/** Each step, and among how many of its kind one is chosen. */
const steps: Readonly<Record<Phase, Readonly<Record<string, number>>>> = {
  'first start': {
    'make folder of segments': 1,
    'make journal folder': 1,
    'create checkpoint': 1,
    'write checkpoint': 2,
    'sync checkpoint': 1,
    'rename checkpoint': 1,
    'sync data folder': 2,
    'create journal file': 1,
    'fill journal file': 4,
    'sync filled journal file': 1,
    'sync journal folder': 1,
  },
  load: {
    'write commit': 60,
    'sync commit': 60,
    'create journal file': 1,
    'fill journal file': 30,
    'sync filled journal file': 1,
    'sync journal folder': 1,
    'write segment': 30,
    'sync segment': 12,
    'make segment folder': 2,
    'create segment': 2,
    'sync segment folder': 2,
    'sync folder of segments': 2,
    'create index': 1,
    'write index': 1,
    'sync index': 1,
    'create checkpoint': 2,
    'write checkpoint': 4,
    'sync checkpoint': 2,
    'rename checkpoint': 2,
    'sync data folder': 2,
    'remove segment folder': 1,
  },
  restart: {
    'write segment': 3,
    'sync segment': 2,
    'sync segment folder': 1,
    'create checkpoint': 1,
    'write checkpoint': 2,
    'sync checkpoint': 1,
    'rename checkpoint': 1,
    'sync data folder': 1,
    'remove segment': 1,
    'truncate segment': 1,
  },
};

/** After it there are segments that the checkpoint does not know: what a start has to cut or to remove. */
export const leavesSegments: Armed = { step: 'sync checkpoint', moment: 'before', countdown: 2 };

/** Every start comes to it. */
export const anyRestart: Armed = { step: 'create checkpoint', moment: 'before', countdown: 1 };

export function needsSegments({ step }: Armed): boolean {
  return step === 'remove segment' || step === 'truncate segment';
}

export function stepsOf(phase: Phase): ReadonlyArray<{ readonly step: string; readonly often: number }> {
  return Object.entries(steps[phase]).map(([step, often]) => ({ step, often }));
}

export function momentsOf(step: string): readonly Moment[] {
  return /^(write|fill)/.test(step) ? ['before', 'inside', 'after'] : ['before', 'after'];
}
