import type { Cell, Metric, Scenario } from '../scenario.ts';
import { higher, lower, usageMetrics } from './metrics.ts';

const recordBytes = 100;
const readStream = 'bench-read';
const rounds = 9;
const fillConnections = 4;
/** A peer may be unable to store so many; what it has stored by then is read. */
const fillSecondsMax = 90;
const readSecondsMax = 60;

const targets = ['millrace', 'kinesalite', 'kinesalite-leveldb'];

const readMetrics: readonly Metric[] = [
  higher('recordsPerSecond', 'records/s'),
  higher('megabytesPerSecond', 'MB/s of answers', 1),
  higher('records', 'records'),
  lower('callMsP50', 'call p50 ms', 2),
  lower('callMsP99', 'call p99 ms', 2),
  lower('cpuMicrosPerRecord', 'server CPU µs a record', 2),
  higher('fillPerSecond', 'records/s stored before'),
  ...usageMetrics,
];

/** Full reads, and single calls at different places of streams of different sizes. */
export const getRecords: Scenario = {
  name: 'get-records',
  about:
    'full read of 1 M records of 100 B; 10,000-record calls at head, middle and end of 10 k, 100 k and 1 M records',
  cells: ({ recordsMax }) => [
    fullRead(recordsMax),
    places([...new Set([recordsMax / 100, recordsMax / 10, recordsMax].map((n) => Math.max(10_000, n)))]),
  ],
};

function fullRead(records: number): Cell {
  return {
    scenario: 'get-records',
    variant: 'full read',
    targets,
    metrics: readMetrics,
    run: async ({ options, load, start }) => {
      const { address, pid: serverPid } = await start();
      const filled = await load.run({
        kind: 'fill',
        address,
        serverPid,
        streamName: readStream,
        shards: options.shards,
        records,
        recordBytes,
        connections: fillConnections,
        secondsMax: fillSecondsMax,
      });
      const read = await load.run({
        kind: 'read',
        address,
        serverPid,
        streamName: readStream,
        secondsMax: readSecondsMax,
      });
      const stored = filled['records'] ?? 0;
      if ((read['seconds'] ?? 0) < readSecondsMax && read['records'] !== stored)
        throw new Error(`${stored} records were acknowledged, ${read['records']} were read`);
      return { ...read, fillPerSecond: filled['recordsPerSecond'] ?? 0 };
    },
  };
}

function places(sizes: readonly number[]): Cell {
  const streams = sizes.map((records) => ({ name: `${records / 1000}k`, records }));
  const spots = streams.flatMap(({ name }) => ['head', 'middle', 'end'].map((place) => `${name} ${place} ms`));
  return {
    scenario: 'get-records',
    variant: '10,000 records a call',
    targets,
    metrics: [lower('spotRatio', 'slowest / fastest', 2), ...spots.map((key) => lower(key, key, 2))],
    run: async ({ load, start }) => {
      const { address, pid: serverPid } = await start();
      for (const { name, records } of streams) {
        const filled = await load.run({
          kind: 'fill',
          address,
          serverPid,
          streamName: name,
          shards: 1,
          records,
          recordBytes,
          connections: fillConnections,
          secondsMax: fillSecondsMax,
        });
        if (filled['records'] !== records)
          throw new Error(`only ${filled['records']} of ${records} records were stored`);
      }
      return load.run({ kind: 'probe', address, serverPid, streamNames: streams.map(({ name }) => name), rounds });
    },
  };
}
