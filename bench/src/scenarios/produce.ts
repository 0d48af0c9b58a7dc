import type { Scenario } from '../scenario.ts';
import { higher, lower, usageMetrics } from './metrics.ts';

const recordBytes = 100;
const keys = 10_000;

/** What a process gets through that uses a client library, each record acknowledged. */
export const produce: Scenario = {
  name: 'produce',
  about: `${recordBytes} B records from one process: the producer of @millrace/client, and the official SDK with 500 a call`,
  cells: () =>
    (['producer', 'sdk'] as const).map((how) => ({
      scenario: 'produce',
      variant: how,
      targets: ['millrace'],
      metrics: [
        higher('recordsPerSecond', 'records/s acknowledged'),
        higher('megabytesPerSecond', 'MB/s', 1),
        lower('loadRssMB', 'RSS of the client MB', 0),
        ...usageMetrics,
      ],
      run: async ({ options, load, start }) => {
        const { address, pid } = await start();
        const { shards, warmUpSeconds, measureSeconds } = options;
        const times = { warmUpSeconds, measureSeconds };
        return load.run({ kind: 'produce', address, serverPid: pid, how, shards, recordBytes, keys, ...times });
      },
    })),
};
