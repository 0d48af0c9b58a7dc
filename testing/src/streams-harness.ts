import { Catalog } from '../../platform/src/catalog/index.ts';
import type { Disk } from '../../platform/src/kernel/disk.ts';
import { silentLogger } from '../../platform/src/kernel/logger.ts';
import { MemoryDisk } from '../../platform/src/kernel/memory-disk.ts';
import { systemRandom, type Random } from '../../platform/src/kernel/random.ts';
import { openEmbeddedLog, type Durability, type LogEngine } from '../../platform/src/log/index.ts';
import type { EmbeddedLimits } from '../../platform/src/log/limits.ts';
import type { KinesisOperations } from '../../platform/src/model/index.ts';
import {
  rateLimitProfile,
  StreamsService,
  type RateLimits,
  type SubscriptionTimes,
} from '../../platform/src/streams/index.ts';
import { SimClock } from './sim-clock.ts';

export const caller = { account: '123456789012', region: 'eu-central-1', operation: 'Test' } as const;

export interface StreamsHarnessOptions {
  readonly disk?: Disk;
  readonly durability?: Durability;
  readonly limits?: RateLimits;
  readonly lifecycleDelayMs?: number;
  readonly engine?: Partial<EmbeddedLimits>;
  readonly clock?: SimClock;
  readonly random?: Random;
  readonly subscriptions?: SubscriptionTimes;
}

/** Data Streams without the wire: typed calls on a simulated clock. */
export interface StreamsHarness {
  readonly clock: SimClock;
  readonly log: LogEngine;
  readonly streams: Required<Pick<KinesisOperations<typeof caller>, BuiltOperation>>;
  readonly close: () => Promise<void>;
}

type BuiltOperation =
  | 'createStream'
  | 'deleteStream'
  | 'describeStream'
  | 'describeStreamSummary'
  | 'describeLimits'
  | 'listStreams'
  | 'listShards'
  | 'putRecord'
  | 'putRecords'
  | 'getShardIterator'
  | 'getRecords'
  | 'increaseStreamRetentionPeriod'
  | 'decreaseStreamRetentionPeriod'
  | 'addTagsToStream'
  | 'removeTagsFromStream'
  | 'listTagsForStream'
  | 'tagResource'
  | 'untagResource'
  | 'listTagsForResource'
  | 'splitShard'
  | 'mergeShards'
  | 'updateShardCount'
  | 'registerStreamConsumer'
  | 'deregisterStreamConsumer'
  | 'describeStreamConsumer'
  | 'listStreamConsumers'
  | 'subscribeToShard';

export async function startStreams(options: StreamsHarnessOptions = {}): Promise<StreamsHarness> {
  const clock = options.clock ?? new SimClock();
  const random = options.random ?? systemRandom;
  const service = new StreamsService({
    clock,
    random,
    logger: silentLogger,
    limits: options.limits ?? rateLimitProfile('off'),
    lifecycleDelayMs: options.lifecycleDelayMs ?? 0,
    subscriptions: options.subscriptions ?? { lifeMs: 300_000, takeoverMs: 5000 },
  });
  const catalog = new Catalog(clock, [service.domain]);
  const log = await openEmbeddedLog({
    disk: options.disk ?? new MemoryDisk(),
    clock,
    random,
    logger: silentLogger,
    machine: catalog,
    durability: options.durability ?? 'memory',
    ...(options.engine && { limits: options.engine }),
  });
  catalog.attach(log);
  const streams = (await service.start(catalog, log)) as StreamsHarness['streams'];
  return {
    clock,
    log,
    streams,
    async close() {
      service.close();
      await log.close();
    },
  };
}
