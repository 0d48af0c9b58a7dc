import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { InvalidArgumentError } from '../errors.ts';
import { readTuning } from '../tuning.ts';
import type { StartAt } from './coordination/lineage.ts';
import type { ConsumerDeadLetters } from './dead-letters.ts';
import type { ConsumerEvent } from './events.ts';
import { kclNames, type KclSettings } from './kcl-settings.ts';
import type { LeaseStore } from './leases/lease.ts';
import { bounds, type ConsumerTuning, defaults } from './tuning.ts';

/**
 * Positions that the handler keeps by itself, in the transaction of what it does with the records. Where there is one, reading starts behind it, and
 * not behind the checkpoint in the lease store, which may be older.
 */
export interface Positions {
  /** What {@link ConsumerBatch.position} or {@link ConsumerRecord.position} was last; undefined when nothing of the shard has been processed. */
  read(shardId: string): Promise<string | undefined> | string | undefined;
}

/** Everything that may be left out. */
export interface ConsumerSettings extends Partial<ConsumerTuning>, KclSettings {
  /** Where to start when the application is new to the stream. Default `LATEST`, as the KCL has it. */
  readonly startAt?: StartAt | undefined;
  /** Unique among the workers of the application, also over restarts. Default: made of the host's name, the process and chance. */
  readonly worker?: string | undefined;
  /** Name under which the consumer is registered for fan-out. Default: that of the application. */
  readonly consumerName?: string | undefined;
  /** Where records go that are given up. Needed with `attemptsMax` or `recordAgeMsMax`. */
  readonly deadLetters?: ConsumerDeadLetters | undefined;
  readonly positions?: Positions | undefined;
  /** Told of everything that happens. Default: what stops the work becomes a process warning, one of a kind a minute. */
  readonly onEvent?: ((event: ConsumerEvent) => void) | undefined;
}

export interface ConsumerOptions extends ConsumerSettings {
  /** Of the official SDK. Not closed by the consumer. */
  readonly client: KinesisClient;
  /** Name or ARN. */
  readonly stream: string;
  /** Name of what the workers do together: they share its leases. */
  readonly application: string;
  /** Where the leases are. Closed by the consumer. */
  readonly leases: LeaseStore;
}

/** Where to start, by either name. @throws InvalidArgumentError */
export function startAtOf(options: ConsumerSettings): StartAt {
  const { startAt, initialPositionInStream: position, timestampAtInitialPositionInStream: timestamp } = options;
  if (startAt !== undefined && position !== undefined) {
    throw new InvalidArgumentError("initialPositionInStream is the KCL's name for startAt: give one of them");
  }
  const found = startAt ?? (position === 'AT_TIMESTAMP' ? timestamp : position) ?? 'LATEST';
  if (found instanceof Date || found === 'LATEST' || found === 'TRIM_HORIZON') return found;
  throw new InvalidArgumentError(`startAt is TRIM_HORIZON, LATEST or a Date, and not ${String(found)}`);
}

/** Defaults filled in, KCL names taken, bounds checked. @throws InvalidArgumentError */
export function tuningOf(given: ConsumerSettings): ConsumerTuning {
  const { retrievalMode } = given;
  if (given.retrieval !== undefined && retrievalMode !== undefined) {
    throw new InvalidArgumentError("retrievalMode is the KCL's name for retrieval: give one of them");
  }
  const options = retrievalMode === undefined ? given : { ...given, retrieval: retrievalOf(retrievalMode) };
  const choices = { retrieval: ['fan-out', 'polling'] };
  const tuning = readTuning(options, { defaults, bounds, choices, aliases: kclNames, aliasedBy: 'KCL' });
  const isGivingUp = tuning.attemptsMax < Infinity || tuning.recordAgeMsMax < Infinity;
  if (isGivingUp && options.deadLetters === undefined) {
    throw new InvalidArgumentError(
      'attemptsMax and recordAgeMsMax need deadLetters: where the records go that are given up',
    );
  }
  return tuning;
}

function retrievalOf(mode: NonNullable<KclSettings['retrievalMode']>): ConsumerTuning['retrieval'] {
  return mode === 'POLLING' ? 'polling' : 'fan-out';
}
