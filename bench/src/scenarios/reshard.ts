import type { Scenario } from '../scenario.ts';
import { higher, lower } from './metrics.ts';

const streamName = 'bench-reshard';
const recordBytes = 100;
const rounds = 10;

/** A reshard copies nothing, so what is stored makes no difference. */
export const reshard: Scenario = {
  name: 'reshard',
  about: 'the slowest SplitShard, MergeShards and UpdateShardCount, on an empty stream and on 1 M stored records',
  cells: ({ recordsMax }) =>
    [0, recordsMax].map((records) => ({
      scenario: 'reshard',
      variant: `${records} records stored`,
      targets: ['millrace'],
      metrics: [
        lower('slowestMs', 'slowest ms'),
        lower('splitMs', 'SplitShard ms'),
        lower('mergeMs', 'MergeShards ms'),
        lower('scaleMs', 'UpdateShardCount ms'),
        higher('records', 'records'),
      ],
      run: async ({ options, load, start }) => {
        const { address, pid: serverPid } = await start();
        const { shards } = options;
        const filling = { streamName, shards, records, recordBytes, connections: 4, secondsMax: 90 };
        const { records: stored = 0 } = await load.run({ kind: 'fill', address, serverPid, ...filling });
        const figures = await load.run({ kind: 'reshard', address, serverPid, streamName, rounds });
        return { ...figures, records: stored };
      },
    })),
};
