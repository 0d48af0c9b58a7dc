import type { Options } from '../options.ts';
import type { Cell, Scenario } from '../scenario.ts';
import { naiveDurable } from '../targets/limits.ts';
import { peers } from '../targets/peers.ts';
import { getRecords } from './get-records.ts';
import { idle } from './memory.ts';
import { puts } from './puts.ts';
import { storedStart } from './start-up.ts';

export const acceptedStoredBytes = 2e9;

/** Only the runs that the verdicts need, on the sizes that they are about. */
export const accept: Scenario = {
  name: 'accept',
  about: 'the runs behind the targets of speed, with a verdict on each',
  cells: (options) => [
    ...putCells(options, 'put-records-100b', [4, 16], ['millrace', naiveDurable, ...peers.map(({ name }) => name)]),
    ...putCells(options, 'put-records-1kb', [4, 16], ['millrace', naiveDurable]),
    ...putCells(options, 'put-record-1kb', [256], ['millrace', naiveDurable]),
    ...getRecords.cells(options).map((cell) => ({ ...cell, targets: ['millrace'] })),
    { ...idle, targets: ['millrace'] },
    storedStart(acceptedStoredBytes),
  ],
};

function putCells(options: Options, name: string, connections: number[], targets: string[]): Cell[] {
  const cells = puts.find((scenario) => scenario.name === name)?.cells({ ...options, connections }) ?? [];
  return cells.map((cell) => ({ ...cell, targets }));
}
