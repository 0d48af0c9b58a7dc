import type { Scenario } from '../scenario.ts';
import { accept, acceptedStoredBytes } from './accept.ts';
import { codec, consume } from './consume.ts';
import { fanOut, idle } from './fan-out.ts';
import { getRecords } from './get-records.ts';
import { memory } from './memory.ts';
import { produce } from './produce.ts';
import { putToGet } from './put-to-get.ts';
import { puts } from './puts.ts';
import { reshard } from './reshard.ts';
import { startUp } from './start-up.ts';

const single: readonly Scenario[] = [
  ...puts,
  getRecords,
  putToGet,
  fanOut,
  idle,
  reshard,
  produce,
  consume,
  codec,
  startUp,
  memory,
];

const all: Scenario = {
  name: 'all',
  about: 'every scenario above, with all its targets and 2 GB stored',
  cells: (options) =>
    single.flatMap(({ cells }) => cells({ ...options, storedBytes: options.storedBytes || acceptedStoredBytes })),
};

export const scenarios: readonly Scenario[] = [...single, all, accept];
