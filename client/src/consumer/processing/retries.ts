import { pause } from '../../deadline.ts';
import type { GiveUpCondition } from '../events.ts';
import type { Checkpoint } from '../leases/lease.ts';
import type { ConsumerRecord } from '../record.ts';
import type { RetrySettings } from '../tuning.ts';
import type { ProcessorGround } from './processor.ts';

/** Why records are given up after so many attempts; undefined: they are tried again. @param nowMs   of the wall clock */
function giveUpCondition(
  { attemptsMax, recordAgeMsMax }: RetrySettings,
  { attempts, oldest, nowMs }: { readonly attempts: number; readonly oldest: Date; readonly nowMs: number },
): GiveUpCondition | undefined {
  if (attempts >= attemptsMax) return 'RetryAttemptsExhausted';
  return nowMs - oldest.getTime() > recordAgeMsMax ? 'RecordAgeExceeded' : undefined;
}

/** A failed call of the handler. */
export interface Failure {
  /** What it was called with, or what is left of that. */
  readonly records: readonly ConsumerRecord[];
  readonly attempts: number;
  readonly error: unknown;
}

/**
 * Whether records have been processed in spite of the failure, by the positions that the handler keeps: it, or a worker before this one, may have done
 * that and not have been able to say so.
 *
 * @returns the newest position; undefined where none is kept, or it cannot be read
 */
export async function positionAfterFailure({
  ownPosition,
  shardId,
  report,
}: ProcessorGround): Promise<Checkpoint | undefined> {
  try {
    return await ownPosition?.();
  } catch (error) {
    report({ type: 'positionsFailed', shardId, error });
    return undefined;
  }
}

/**
 * Waits before the next attempt, or gives the records up where there is none.
 *
 * @param stopped   fires when nothing new is to be started
 * @returns `again`, `givenUp`, or `stopped` when there was no time for either
 */
export async function afterFailure(
  ground: ProcessorGround,
  { records, attempts, error }: Failure,
  stopped: AbortSignal,
): Promise<'again' | 'givenUp' | 'stopped'> {
  const { shardId, retries, timing, report } = ground;
  const [first] = records as [ConsumerRecord];
  const condition = giveUpCondition(retries, { attempts, oldest: first.arrivalTime, nowMs: timing.wallMs() });
  const backoffMs = condition === undefined ? backoffOf(retries, attempts, timing.random()) : undefined;
  const failure = { shardId, position: first.position, recordCount: records.length, error };
  report({ type: 'handlerFailed', ...failure, attempt: attempts, backoffMs });
  if (backoffMs !== undefined) {
    await pause(timing, backoffMs, stopped);
    return stopped.aborted ? 'stopped' : 'again';
  }
  // One object for all tries: what has been written of it is known by it.
  const given = { records, condition: condition as GiveUpCondition, attempts, error };
  for (let tries = 1; !stopped.aborted; tries++) {
    try {
      await ground.giveUp(given);
      report({ type: 'deadLettered', ...failure, condition: given.condition });
      return 'givenUp';
    } catch (cause) {
      report({ type: 'deadLetterFailed', shardId, error: cause });
      await pause(timing, backoffOf(retries, tries, timing.random()), stopped);
    }
  }
  return 'stopped';
}

function backoffOf({ backoffMs, backoffMsMax }: RetrySettings, attempts: number, random: number): number {
  return Math.min(backoffMs * 2 ** Math.min(attempts - 1, 30), backoffMsMax) * (0.5 + random / 2);
}
