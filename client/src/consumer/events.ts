import type { MisplacedAggregate } from './unpack.ts';

/**
 * What happens in a consumer, as it is published on the diagnostics channel `millrace:consumer:event` and given to the setting `onEvent`.
 *
 * - `leaseTaken`, `leaseLost`, `leaseReleased`: this worker processes the shard from here on, or no longer. A lost lease is another worker's already.
 * - `checkpointed`: if the worker dies now, the next one goes on behind `position`.
 * - `shardEnded`: everything in a closed shard has been processed.
 * - `handlerGoesOn`: the lease has been lost or given back, but a handler does not return. This worker does not take the shard again before it does.
 * - `handlerFailed`: the handler threw; it is tried again after `backoffMs`, unless that is undefined.
 * - `deadLettered`: records were given up, and have been written where dead letters go.
 * - `deadLetterFailed`: they could not be written; that is tried again.
 * - `positionsFailed`: the setting `positions` could not be read; that is tried again.
 * - `fetchFailed`: a call for records failed; it is tried again.
 * - `fanOutDelayed`: the shard's last subscription was begun too lately for another one; records are polled for meanwhile.
 * - `fanOutFailed`: there is no subscription at the time; records are polled for meanwhile.
 * - `stalled`: nothing could be fetched for `stallMs`, so the lease is given up.
 * - `leasesFailed`: the lease store could not be asked, or refused; that is tried again.
 * - `misplacedAggregate`: see {@link MisplacedAggregate}.
 */
export type ConsumerEvent =
  | {
      readonly type: 'leaseTaken' | 'leaseLost' | 'leaseReleased' | 'shardEnded' | 'stalled' | 'handlerGoesOn';
      readonly shardId: string;
    }
  | { readonly type: 'checkpointed'; readonly shardId: string; readonly position: string }
  | ({ readonly type: 'handlerFailed' } & HandlerFailure)
  | ({ readonly type: 'deadLettered' } & Omit<HandlerFailure, 'backoffMs' | 'attempt'> & {
        readonly condition: GiveUpCondition;
      })
  | { readonly type: 'deadLetterFailed'; readonly shardId: string; readonly error: unknown }
  | {
      readonly type: 'fetchFailed' | 'fanOutFailed' | 'fanOutDelayed' | 'positionsFailed';
      readonly shardId: string;
      readonly error: unknown;
    }
  | { readonly type: 'leasesFailed'; readonly error: unknown }
  | ({ readonly type: 'misplacedAggregate' } & MisplacedAggregate);

/** Why records are given up, in the terms of Lambda's event source mappings. */
export type GiveUpCondition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

/** A handler's failure. */
export interface HandlerFailure {
  readonly shardId: string;
  /** Of the first record it was given. */
  readonly position: string;
  readonly recordCount: number;
  /** From 1. */
  readonly attempt: number;
  readonly error: unknown;
  readonly backoffMs: number | undefined;
}

export type Report = (event: ConsumerEvent) => void;
