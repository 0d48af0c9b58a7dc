import { setTimeout as sleep } from 'node:timers/promises';
import { rssMB } from '../measure/proc.ts';
import type { Cell, Scenario } from '../scenario.ts';
import { higher, lower } from './metrics.ts';

const settleMs = 5_000;
const recordBytes = 1000;
const fillSecondsMax = 120;

/** Resident memory, with its children: idle, and after many puts. */
export const memory: Scenario = {
  name: 'memory',
  about: 'RSS 5 s after the start, and after 1 M records of 1 KB',
  cells: () => [idle, afterPuts],
};

export const idle: Cell = {
  scenario: 'memory',
  variant: 'idle',
  targets: ['millrace', 'kinesalite', 'kinesalite-leveldb', 'kinesis-local'],
  metrics: [lower('rssMB', 'RSS MB')],
  run: async ({ start }) => {
    const { pid } = await start();
    await sleep(settleMs);
    return { rssMB: rssMB(pid) };
  },
};

const afterPuts: Cell = {
  scenario: 'memory',
  variant: 'after puts',
  targets: ['millrace', 'kinesalite', 'kinesalite-leveldb'],
  metrics: [
    lower('rssMB', 'RSS MB after 5 s'),
    lower('serverRssPeakMB', 'peak RSS MB'),
    higher('records', 'records'),
    higher('recordsPerSecond', 'records/s'),
  ],
  run: async ({ options, load, start }) => {
    const { address, pid } = await start();
    const filled = await load.run({
      kind: 'fill',
      address,
      serverPid: pid,
      streamName: 'bench-memory',
      shards: options.shards,
      records: options.recordsMax,
      recordBytes,
      connections: 4,
      secondsMax: fillSecondsMax,
    });
    await sleep(settleMs);
    return { ...filled, rssMB: rssMB(pid) };
  },
};
