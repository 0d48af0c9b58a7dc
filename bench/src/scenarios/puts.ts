import type { Cell, Metric, Scenario } from '../scenario.ts';
import { higher, lower, usageMetrics } from './metrics.ts';

interface PutLoad {
  readonly name: string;
  readonly about: string;
  readonly recordsPerCall: number;
  readonly recordBytes: number;
  readonly connections: readonly number[];
}

const targets = ['millrace', 'naive-durable', 'naive-memory', 'kinesalite', 'kinesalite-leveldb', 'kinesis-local'];

const metrics: readonly Metric[] = [
  higher('recordsPerSecond', 'records/s'),
  higher('megabytesPerSecond', 'MB/s', 1),
  lower('callMsP50', 'call p50 ms', 2),
  lower('callMsP99', 'call p99 ms', 2),
  lower('cpuMicrosPerRecord', 'server CPU µs a record', 2),
  ...usageMetrics,
  lower('failedRecords', 'failed records', 0),
];

const loads: readonly PutLoad[] = [
  {
    name: 'put-records-100b',
    about: 'PutRecords, 500 records of 100 B a call, at 1, 4 and 16 connections',
    recordsPerCall: 500,
    recordBytes: 100,
    connections: [1, 4, 16],
  },
  {
    name: 'put-records-1kb',
    about: 'PutRecords, 500 records of 1 KB a call, at 1, 4 and 16 connections',
    recordsPerCall: 500,
    recordBytes: 1000,
    connections: [1, 4, 16],
  },
  {
    name: 'put-record-1kb',
    about: 'PutRecord of 1 KB, at 32 and 256 connections',
    recordsPerCall: 1,
    recordBytes: 1000,
    connections: [32, 256],
  },
];

/** Closed loops of puts. */
export const puts: readonly Scenario[] = loads.map((load) => ({
  name: load.name,
  about: load.about,
  cells: (options) => (options.connections ?? load.connections).map((connections) => putCell(load, connections)),
}));

function putCell({ name, recordsPerCall, recordBytes }: PutLoad, connections: number): Cell {
  return {
    scenario: name,
    variant: `c${connections}`,
    targets,
    metrics,
    run: async ({ target, options, load, start }) => {
      const { address, pid } = await start();
      const { shards, warmUpSeconds, measureSeconds } = options;
      return load.run({
        kind: 'put',
        address,
        serverPid: pid,
        shards: target.kind === 'limit' ? undefined : shards,
        connections,
        recordsPerCall,
        recordBytes,
        warmUpSeconds,
        measureSeconds,
      });
    },
  };
}
