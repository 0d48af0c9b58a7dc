import type { Timing } from '../../timing.ts';
import type { GiveUpCondition, Report } from '../events.ts';
import type { Checkpoint } from '../leases/lease.ts';
import type { Counts } from '../metrics.ts';
import type { ConsumerRecord } from '../record.ts';
import type { RetrySettings } from '../tuning.ts';

/** Calls the handler with the records of one shard, in the order that is promised, and knows how far that has come. */
export interface Processor {
  /** Everything up to this has been processed; undefined before the first. */
  readonly processed: Checkpoint | undefined;

  /** Takes records that follow those taken before; never throws. Resolves, at once or later, when there is room for more. */
  offer(records: readonly ConsumerRecord[]): Promise<void> | undefined;

  /** Resolves when everything offered has been processed, or never will be, because of {@link stop} or the signal. */
  drained(): Promise<void>;

  /**
   * Starts nothing new but what lies before something that has been started. Resolves when what was started has ended: then all that
   * has been processed lies up to `processed`, unless a handler keeps failing.
   */
  stop(): Promise<void>;

  /** Resolves when no handler is at work, the signal notwithstanding. To be called after {@link stop}. */
  quiet(): Promise<void>;
}

/** What a processor works with. */
export interface ProcessorGround {
  readonly shardId: string;
  readonly timing: Timing;
  /** The lease is lost, or time is up: what handlers still do counts no more. */
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly counts: Counts;
  readonly retries: RetrySettings;
  /** Where the handler keeps its own positions: the newest of the shard. */
  readonly ownPosition: (() => Promise<Checkpoint | undefined>) | undefined;
  /** Writes records that are given up; is called again until it has. */
  readonly giveUp: (given: GivenUp) => Promise<void>;
  /** Bytes of records that may wait before `offer` lets its caller wait. */
  readonly bytesMax: () => number;
  /** Called when `processed` has changed. */
  readonly onProgress: () => void;
}

/** Records that the handler could not process. */
export interface GivenUp {
  readonly records: readonly ConsumerRecord[];
  readonly condition: GiveUpCondition;
  readonly attempts: number;
  readonly error: unknown;
}

/** What a record takes of memory besides its data and its key, about. */
const recordOverheadBytes = 300;

export function bytesOf({ data, partitionKey }: ConsumerRecord): number {
  return data.length + partitionKey.length * 2 + recordOverheadBytes;
}
