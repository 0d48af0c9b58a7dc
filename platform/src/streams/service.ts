import type { Catalog } from '../catalog/index.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Random } from '../kernel/random.ts';
import type { LogEngine } from '../log/index.ts';
import type { GetRecordsInput, KinesisOperations } from '../model/index.ts';
import type { Caller, StreamsContext } from './context.ts';
import { sizes, type RateLimits } from './limits.ts';
import {
  deregisterStreamConsumer,
  describeStreamConsumer,
  listStreamConsumers,
  registerStreamConsumer,
} from './operations/consumers.ts';
import { createStream } from './operations/create-stream.ts';
import { deleteStream } from './operations/delete-stream.ts';
import { describeLimits, describeStream, describeStreamSummary } from './operations/describe-stream.ts';
import { getRecords } from './operations/get-records.ts';
import { getShardIterator } from './operations/get-shard-iterator.ts';
import { listShards } from './operations/list-shards.ts';
import { listStreams } from './operations/list-streams.ts';
import { putRecord, putRecords } from './operations/put-records.ts';
import { mergeShards, splitShard, updateShardCount } from './operations/reshard.ts';
import { decreaseStreamRetentionPeriod, increaseStreamRetentionPeriod } from './operations/retention.ts';
import { subscribeToShard } from './operations/subscribe-to-shard.ts';
import {
  addTagsToStream,
  listTagsForResource,
  listTagsForStream,
  removeTagsFromStream,
  tagResource,
  untagResource,
} from './operations/tags.ts';
import { TokenSealer } from './sealed-token.ts';
import { ShardIterators } from './shard-iterator.ts';
import { Subscriptions, type SubscriptionTimes } from './subscriptions.ts';
import { StreamsDomain } from './state/domain.ts';
import { Throttle } from './throttle.ts';

export interface StreamsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: RateLimits;
  readonly lifecycleDelayMs: number;
  readonly subscriptions: SubscriptionTimes;
}

type Operation<Name extends keyof KinesisOperations<Caller>> = (
  context: StreamsContext,
  ...call: Parameters<KinesisOperations<Caller>[Name]>
) => ReturnType<KinesisOperations<Caller>[Name]>;

/** The operations that are implemented; the model has more. */
const operations: { readonly [Name in keyof KinesisOperations<Caller>]?: Operation<Name> } = {
  addTagsToStream,
  createStream,
  decreaseStreamRetentionPeriod,
  deleteStream,
  deregisterStreamConsumer,
  describeLimits,
  describeStream,
  describeStreamConsumer,
  describeStreamSummary,
  getRecords,
  getShardIterator,
  increaseStreamRetentionPeriod,
  listShards,
  listStreamConsumers,
  listStreams,
  listTagsForResource,
  listTagsForStream,
  mergeShards,
  putRecord,
  putRecords,
  registerStreamConsumer,
  removeTagsFromStream,
  splitShard,
  subscribeToShard,
  tagResource,
  untagResource,
  updateShardCount,
};

/** How often files of records past retention are looked for. */
const sweepEveryMs = 60_000;

/** Kinesis Data Streams: give its domain to the catalog, then {@link StreamsService.start} it on the recovered log. */
export class StreamsService {
  readonly domain: StreamsDomain = new StreamsDomain();
  readonly #options: StreamsOptions;
  readonly #timers = new Set<Timer>();
  #context: StreamsContext | undefined;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** Answers the operations, to be plugged into the listener. */
  async start(catalog: Catalog, log: LogEngine): Promise<Partial<KinesisOperations<Caller>>> {
    const { clock, random, limits, lifecycleDelayMs, subscriptions } = this.#options;
    const { domain } = this;
    if (domain.tokenKey === undefined) {
      await catalog.propose(domain, { kind: 'set-token-key', key: random.bytes(32).toString('hex') });
    }
    const tokens = new TokenSealer(domain.tokenKey as unknown as string);
    const context: StreamsContext = {
      catalog,
      domain,
      log,
      clock,
      random,
      tokens,
      iterators: new ShardIterators(tokens, clock),
      throttle: new Throttle(limits, clock),
      subscriptions: new Subscriptions(clock, subscriptions),
      lifecycleDelayMs,
      schedulePurge: (incarnation) => this.#schedulePurge(incarnation),
    };
    this.#context = context;
    for (const { record } of domain.all()) if (record.deleteMs !== undefined) this.#schedulePurge(record.incarnation);
    this.#after(sweepEveryMs, () => this.#sweep());
    return bindOperations(context);
  }

  /** Most bytes the answer of a call can have when encoded; what it may hold of the server's memory. */
  answerBytesMax(operation: string, input: unknown): number {
    if (operation !== 'GetRecords') return 0;
    const recordsMax = (input as GetRecordsInput).Limit ?? sizes.getRecordsCountMax;
    return Math.min(sizes.getRecordsBytesMax, recordsMax * sizes.recordKiBDefault * 1024) * 1.5;
  }

  /** Deletes all streams. */
  async reset(): Promise<void> {
    const context = this.#running();
    for (const { record } of this.domain.all()) {
      await context.catalog.propose(this.domain, { kind: 'purge', incarnation: record.incarnation });
    }
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#context?.subscriptions.close();
  }

  #running(): StreamsContext {
    if (this.#context === undefined) throw new Error('the service has been started');
    return this.#context;
  }

  #after(delayMs: number, work: () => Promise<void>): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      work().catch((error: unknown) => {
        this.#options.logger.warn({ error: String(error) }, 'background work of Data Streams failed');
      });
    });
    this.#timers.add(timer);
  }

  #schedulePurge(incarnation: number): void {
    const { record } = this.domain.findByIncarnation(incarnation) ?? {};
    if (record?.deleteMs === undefined) return;
    this.#after(Math.max(0, record.deleteMs - this.#options.clock.now()), async () => {
      await this.#running().catalog.propose(this.domain, { kind: 'purge', incarnation });
    });
  }

  /** Gives the disk back what is past retention. The command is durable before a file goes. */
  async #sweep(): Promise<void> {
    this.#after(sweepEveryMs, () => this.#sweep());
    const { catalog, log, clock } = this.#running();
    for (const stream of this.domain.all()) {
      const { incarnation } = stream.record;
      const beforeMs = stream.horizonMs(clock.now());
      if ((log.oldestMs(incarnation) ?? Infinity) >= beforeMs) continue;
      await catalog.propose(this.domain, { kind: 'trim', incarnation, beforeMs });
    }
  }
}

function bindOperations(context: StreamsContext): Partial<KinesisOperations<Caller>> {
  const bound = Object.entries(operations).map(([name, operation]) => [
    name,
    (input: never, caller: Caller) => operation(context, input, caller),
  ]);
  return Object.fromEntries(bound) as Partial<KinesisOperations<Caller>>;
}
