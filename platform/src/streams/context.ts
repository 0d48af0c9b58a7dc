import type { Catalog } from '../catalog/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { LogEngine } from '../log/index.ts';
import type { TokenSealer } from './sealed-token.ts';
import type { ShardIterators } from './shard-iterator.ts';
import type { StreamsDomain } from './state/domain.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Throttle } from './throttle.ts';

/** Who calls, and what; the part of a call that the service needs. */
export interface Caller {
  readonly account: string;
  readonly region: string;
  /** Wire spelling, e.g. `PutRecord`. */
  readonly operation: string;
  /** Names the client's program, where it says. */
  readonly userAgent?: string | undefined;
}

/** What every operation has at hand. */
export interface StreamsContext {
  readonly catalog: Catalog;
  readonly domain: StreamsDomain;
  readonly log: LogEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly tokens: TokenSealer;
  readonly iterators: ShardIterators;
  readonly throttle: Throttle;
  readonly subscriptions: Subscriptions;
  /** How long a stream stays CREATING and DELETING, milliseconds; 0 is at once. */
  readonly lifecycleDelayMs: number;
  /** Told of streams that are to be purged after the delay. */
  readonly schedulePurge: (incarnation: number) => void;
}
