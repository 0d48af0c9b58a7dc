import { inTime, pause } from '../../deadline.ts';
import { isThrottle } from '../../throttles.ts';
import { type Fetched, nameOf } from '../calls.ts';
import type { ReadGround } from './ground.ts';

const backoffMsFirst = 200;
const backoffMsMax = 5000;

export interface PollOptions {
  readonly untilMs: number;
  /** Between polls of a shard that has nothing new. */
  readonly idleMs: number;
}

/**
 * Asks for records again and again: at once while there are more, else after `idleMs`. Ends behind the last record of a closed shard, and at
 * `untilMs` of the clock. What fails is tried again, with jitter.
 *
 * @returns whether the shard has been read to its end
 * @throws StalledError
 */
export async function* poll(
  ground: ReadGround,
  { untilMs, idleMs }: PollOptions = { untilMs: Infinity, idleMs: ground.tuning.pollIdleMs },
): AsyncGenerator<Fetched, boolean, void> {
  const { calls, shardId, cursor, timing, signal, tuning } = ground;
  const deadline = { timing, timeoutMs: tuning.requestTimeoutMs, signal };
  let iterator: string | undefined;
  let failures = 0;
  let gone: Fetched | undefined;
  while (!signal.aborted && timing.now() < untilMs) {
    const startedMs = timing.now();
    let fetched: Fetched;
    try {
      iterator ??= await inTime(deadline, (abort) => calls.shardIterator(shardId, cursor.from, abort));
      const from = iterator;
      fetched = await inTime(deadline, (abort) => calls.getRecords(from, ground.recordsMax(), abort));
    } catch (error) {
      if (signal.aborted) return false;
      if (nameOf(error) === 'ExpiredIteratorException') iterator = undefined;
      else if (nameOf(error) === 'ResourceNotFoundException' && (gone = await lastOfGone(ground)) !== undefined) {
        yield gone;
        return true;
      } else {
        // A shard answers 5 polls a second, whoever asks.
        if (!isThrottle(nameOf(error))) ground.report({ type: 'fetchFailed', shardId, error });
        cursor.mustNotBeStalled(shardId, tuning.stallMs, error);
        await pause(timing, backoffMs(++failures, timing.random()), signal);
      }
      continue;
    }
    failures = 0;
    iterator = fetched.next;
    cursor.polled(fetched);
    yield fetched;
    cursor.resumed();
    if (fetched.next === undefined) return true;
    if (fetched.records.length > 0 && fetched.millisBehindLatest > 0) continue;
    const leftMs = Math.min(startedMs + idleMs, untilMs) - timing.now();
    if (leftMs > 0) await pause(timing, leftMs, signal);
  }
  return false;
}

/** The end of a shard that has gone from the stream with everything in it, its lease being older than what is kept; undefined: it has not. */
async function lastOfGone({ calls, shardId, timing, tuning, signal }: ReadGround): Promise<Fetched | undefined> {
  const deadline = { timing, timeoutMs: tuning.requestTimeoutMs, signal };
  try {
    const shards = await inTime(deadline, (abort) => calls.listShards(undefined, abort));
    if (shards.some((shard) => shard.shardId === shardId)) return undefined;
    return { records: [], millisBehindLatest: 0, next: undefined, children: [] };
  } catch {
    return undefined; // The stream itself is not there, or nobody answers.
  }
}

function backoffMs(failures: number, random: number): number {
  return Math.min(backoffMsFirst * 2 ** (failures - 1), backoffMsMax) * (0.5 + random / 2);
}
