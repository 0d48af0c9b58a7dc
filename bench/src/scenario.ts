import type { Figures } from './load/jobs.ts';
import type { LoadProcess } from './load/load-process.ts';
import type { Options } from './options.ts';
import type { ServerProcess } from './targets/server-process.ts';
import type { Target } from './targets/target.ts';

/** One figure of a result: how it is called in a table and which end is good. */
export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  readonly better: 'higher' | 'lower';
}

/** What a cell works with. Everything it starts is ended with it. */
export interface CellContext {
  readonly target: Target;
  readonly options: Options;
  readonly load: LoadProcess;
  /** A new process on the cell's data folder, which is empty at the first start. */
  readonly start: () => Promise<ServerProcess>;
}

/** One measurement that can be repeated on any of its targets. */
export interface Cell {
  readonly scenario: string;
  /** What differs within a scenario, e.g. the connections. */
  readonly variant: string;
  /** Names of targets that it makes sense for, if nobody asks for others. */
  readonly targets: readonly string[];
  /** The first is the one that ratios are of. */
  readonly metrics: readonly Metric[];
  readonly run: (context: CellContext) => Promise<Figures>;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly cells: (options: Options) => readonly Cell[];
}
