import type { Cell, Scenario } from '../scenario.ts';
import { naiveDurable } from '../targets/limits.ts';
import { lower, usageMetrics } from './metrics.ts';

interface Load {
  readonly consumers: number;
  readonly stalledConsumers?: number;
  readonly ratePerSecond: number;
  readonly recordBytes?: number;
}

const loads: readonly Load[] = [
  { consumers: 1, ratePerSecond: 100 },
  { consumers: 20, ratePerSecond: 1000 },
  { consumers: 1, ratePerSecond: 1000, recordBytes: 1000 },
  { consumers: 1, stalledConsumers: 1, ratePerSecond: 1000, recordBytes: 1000 },
];
const secondsWithStall = 60;

const idleReaders = 1000;

/** How long a record takes to subscribed consumers of its shard. */
export const fanOut: Scenario = {
  name: 'fan-out',
  about: 'from PutRecord to SubscribeToShard; also with a reader that stops reading for a minute',
  cells: () => loads.map(pushed),
};

/** What readers cost that have nothing to read. */
export const idle: Scenario = {
  name: 'idle',
  about: `CPU of ${idleReaders} readers with nothing to read: pollers at a call a second each, and subscriptions`,
  cells: () =>
    (['pollers', 'subscriptions'] as const).map((how) => ({
      scenario: 'idle',
      variant: `${idleReaders} ${how}`,
      targets: how === 'pollers' ? ['millrace', 'echo', 'receive'] : ['millrace'],
      metrics: [lower('serverCpuPercent', 'server CPU %', 2), ...usageMetrics.slice(1)],
      run: async ({ target, options, load, start }) => {
        const { address, pid } = await start();
        const { measureSeconds } = options;
        return load.run({
          kind: 'idle',
          address,
          serverPid: pid,
          how: target.kind === 'limit' ? 'calls' : how,
          readers: idleReaders,
          readersOfShard: 20,
          measureSeconds,
        });
      },
    })),
};

function pushed({ consumers, stalledConsumers = 0, ratePerSecond, recordBytes = 100 }: Load): Cell {
  const stalled = stalledConsumers === 0 ? '' : `, ${stalledConsumers} more that stops reading`;
  return {
    scenario: 'fan-out',
    variant: `${consumers} consumers, ${ratePerSecond} × ${recordBytes} B/s${stalled}`,
    targets: ['millrace', naiveDurable],
    metrics: [
      lower('putToEventMsP50', 'put to event p50 ms', 2),
      lower('putToEventMsP99', 'put to event p99 ms', 2),
      lower('putToEventMsMax', 'put to event max ms', 1),
      lower('putMsP50', 'put p50 ms', 2),
      lower('putMsP99', 'put p99 ms', 2),
      ...usageMetrics,
    ],
    run: async ({ target, options, load, start }) => {
      const { address, pid } = await start();
      return load.run({
        kind: 'fan-out',
        address,
        serverPid: pid,
        consumers: target.kind === 'limit' ? 0 : consumers,
        stalledConsumers,
        ratePerSecond,
        recordBytes,
        warmUpSeconds: options.warmUpSeconds,
        measureSeconds: recordBytes > 100 ? secondsWithStall : options.measureSeconds,
      });
    },
  };
}
