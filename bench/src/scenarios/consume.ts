import type { Scenario } from '../scenario.ts';
import { higher, lower, usageMetrics } from './metrics.ts';

const recordBytes = 100;
const keys = 10_000;

/** What a process gets through that reads aggregates with a client library, each user record given to a handler and checkpointed. */
export const consume: Scenario = {
  name: 'consume',
  about: `user records of ${recordBytes} B out of aggregates, in one process: the consumer of @millrace/client, and the official SDK with the codec alone`,
  cells: ({ recordsMax }) =>
    (['polling', 'fan-out', 'sdk'] as const).map((how) => ({
      scenario: 'consume',
      variant: how,
      targets: ['millrace'],
      metrics: [
        higher('recordsPerSecond', 'user records/s'),
        higher('megabytesPerSecond', 'MB/s', 1),
        lower('loadRssMB', 'RSS of the client MB', 0),
        ...usageMetrics,
      ],
      run: async ({ options, load, start }) => {
        const { address, pid } = await start();
        const { shards } = options;
        return load.run({
          kind: 'consume',
          address,
          serverPid: pid,
          how,
          shards,
          records: recordsMax,
          recordBytes,
          keys,
        });
      },
    })),
};

/** The codec of aggregates alone, on one core. */
export const codec: Scenario = {
  name: 'codec',
  about: `aggregates of ${recordBytes} B records, encoded and decoded in one process: few keys and many`,
  cells: ({ recordsMax: records }) =>
    [100, 1_000_000].map((count) => ({
      scenario: 'codec',
      variant: `${count} keys`,
      targets: ['millrace'],
      metrics: [higher('encodedPerSecond', 'records/s encoded'), higher('decodedPerSecond', 'records/s decoded')],
      run: async ({ load, start }) => {
        const { address, pid } = await start();
        return load.run({ kind: 'codec', address, serverPid: pid, recordBytes, keys: count, records });
      },
    })),
};
