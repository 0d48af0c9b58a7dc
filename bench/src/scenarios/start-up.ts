import { median } from '../measure/statistics.ts';
import { Api } from '../load/api.ts';
import type { Cell, CellContext, Metric, Scenario } from '../scenario.ts';
import type { ServerProcess } from '../targets/server-process.ts';
import { lower } from './metrics.ts';

const starts = 5;
const recordBytes = 1000;
const streamName = 'bench-stored';
/** Put before each kill, so that there is something in the journal to recover. */
const recordsBeforeKill = 20_000;
const fillSecondsMax = 300;

const metrics: readonly Metric[] = [
  lower('readyMs', 'ready ms (median of 5)', 0),
  lower('readyMsMax', 'slowest ms', 0),
];

/** From the start of the process to the first answered ListStreams. */
export const startUp: Scenario = {
  name: 'start-up',
  about: 'cold start to the first answered ListStreams; with --stored-bytes also after kill -9',
  cells: ({ storedBytes }) => [emptyStart, ...(storedBytes > 0 ? [storedStart(storedBytes)] : [])],
};

const emptyStart: Cell = {
  scenario: 'start-up',
  variant: 'empty',
  targets: ['millrace', 'kinesalite', 'kinesalite-leveldb', 'kinesis-local'],
  metrics,
  run: async ({ start }) => {
    const times: number[] = [];
    for (let i = 0; i < starts; i++) {
      const server = await start();
      times.push(server.readyMs);
      await server.kill();
    }
    return figuresOf(times);
  },
};

/** Starts after kill -9 on a folder with so many bytes of records in it. */
export function storedStart(storedBytes: number): Cell {
  return {
    scenario: 'start-up',
    variant: `${(storedBytes / 1e9).toFixed(1)} GB, after kill -9`,
    targets: ['millrace'],
    metrics,
    run: async (context) => {
      let server = await context.start();
      const stored = await fill(context, server, { shards: 4, records: Math.ceil(storedBytes / recordBytes) });
      if (stored * recordBytes < storedBytes) throw new Error(`only ${stored} records were stored in time`);
      const times: number[] = [];
      for (let i = 0; i < starts; i++) {
        await fill(context, server, { shards: 0, records: recordsBeforeKill });
        await server.kill();
        server = await context.start();
        times.push(server.readyMs);
        const names = await new Api(server.address).listStreams();
        if (!names.includes(streamName)) throw new Error('the stream is gone after kill -9');
      }
      return figuresOf(times);
    },
  };
}

async function fill(
  { load }: CellContext,
  { address, pid }: ServerProcess,
  { shards, records }: { shards: number; records: number },
): Promise<number> {
  const job = { kind: 'fill', address, serverPid: pid, streamName, recordBytes, connections: 4 } as const;
  const filled = await load.run({ ...job, shards, records, secondsMax: fillSecondsMax });
  return filled['records'] ?? 0;
}

function figuresOf(times: readonly number[]): Record<string, number> {
  return { readyMs: median(times), readyMsMax: Math.max(...times) };
}
