import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures } from './load/jobs.ts';
import { LoadProcess } from './load/load-process.ts';
import { waitForQuiet } from './measure/quiet.ts';
import type { Options } from './options.ts';
import type { Cell } from './scenario.ts';
import { ServerProcess } from './targets/server-process.ts';
import type { Target } from './targets/target.ts';
import { workFolder } from './work-folder.ts';

/** One cell on one target, once. */
export interface Row {
  readonly scenario: string;
  readonly variant: string;
  readonly target: string;
  readonly run: number;
  readonly figures: Figures;
  readonly error?: string;
}

/** Runs every cell on every target, then all of that again, so that targets take turns and slow drifts meet all alike. */
export async function runCells(
  cells: readonly Cell[],
  targets: ReadonlyMap<string, Target>,
  options: Options,
): Promise<Row[]> {
  const plan = cells.flatMap((cell) => (options.targets ?? cell.targets).map((name) => ({ cell, name })));
  const used = new Set(plan.map(({ name }) => name));
  for (const name of used) targets.get(name)?.prepare();
  const rows: Row[] = [];
  for (let run = 1; run <= options.runs; run++) {
    for (const { cell, name } of plan) {
      const target = targets.get(name);
      if (target === undefined || (target.kind === 'limit' && !takesLimits(cell, targets))) continue;
      if (options.quietSeconds > 0 && !(await waitForQuiet(options.quietSeconds)))
        process.stderr.write('the machine does not get quiet; measuring all the same\n');
      const row = await runCell(cell, target, options, run);
      rows.push(row);
      process.stderr.write(progressLine(cell, row));
    }
  }
  return rows;
}

/** A limit stores nothing that could be read, and its start and memory tell nothing: it is no target of cells of that kind. */
function takesLimits(cell: Cell, targets: ReadonlyMap<string, Target>): boolean {
  return cell.targets.some((name) => targets.get(name)?.kind === 'limit');
}

async function runCell(cell: Cell, target: Target, options: Options, run: number): Promise<Row> {
  const folder = join(workFolder, 'data', `${target.name}-${process.pid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeFolder);
  const load = new LoadProcess();
  const servers: ServerProcess[] = [];
  const start = async (): Promise<ServerProcess> => {
    const server = await ServerProcess.start(target, folder);
    servers.push(server);
    return server;
  };
  const place = { scenario: cell.scenario, variant: cell.variant, target: target.name, run };
  try {
    return { ...place, figures: await cell.run({ target, options, load, start }) };
  } catch (error) {
    return { ...place, figures: {}, error: error instanceof Error ? error.message : String(error) };
  } finally {
    load.close();
    for (const server of servers) await server.kill();
    process.off('exit', removeFolder);
    removeFolder();
  }
}

function progressLine(cell: Cell, row: Row): string {
  const what = `run ${row.run} · ${row.scenario} ${row.variant} · ${row.target}: `;
  if (row.error !== undefined) return `${what}FAILED: ${row.error}\n`;
  const figures = cell.metrics
    .filter(({ key }) => row.figures[key] !== undefined)
    .map(({ key, title, digits }) => `${(row.figures[key] as number).toFixed(digits)} ${title}`);
  return `${what}${figures.join(', ')}\n`;
}
