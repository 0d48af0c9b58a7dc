import type { Scenario } from '../scenario.ts';
import { lower, usageMetrics } from './metrics.ts';

const ratePerSecond = 100;
const pollMs = 20;

/** How long a record takes from its producer to a consumer that polls. */
export const putToGet: Scenario = {
  name: 'put-to-get',
  about: `from PutRecord to GetRecords at ${ratePerSecond} records/s, a poll every ${pollMs} ms`,
  cells: () => [
    {
      scenario: 'put-to-get',
      variant: `poll ${pollMs} ms`,
      targets: ['millrace', 'kinesalite', 'kinesalite-leveldb', 'kinesis-local'],
      metrics: [
        lower('putToGetMsP50', 'put to get p50 ms', 2),
        lower('putToGetMsP99', 'put to get p99 ms', 2),
        lower('putMsP50', 'put p50 ms', 2),
        lower('putMsP99', 'put p99 ms', 2),
        ...usageMetrics,
      ],
      run: async ({ options, load, start }) => {
        const { address, pid } = await start();
        const { shards, measureSeconds } = options;
        return load.run({ kind: 'latency', address, serverPid: pid, shards, ratePerSecond, pollMs, measureSeconds });
      },
    },
  ],
};
