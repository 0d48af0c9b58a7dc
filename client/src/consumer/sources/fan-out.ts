import { type Deadline, inTime, pause } from '../../deadline.ts';
import { type ConsumerCalls, type Fetched, nameOf } from '../calls.ts';
import type { ReadGround } from './ground.ts';
import { poll } from './polling.ts';

/** A second subscription within 5 s of the one before is refused, so a successor may have to wait for that long. */
const retryMsFirst = 1000;
const retryMsMax = 60_000;
/** While a subscription may be had soon, a shard is polled so often. */
const soonMs = 8000;
const soonIdleMs = 250;
/** Between looks whether a consumer that is being made is active. */
const registrationMs = 200;

/** The registration of a consumer for fan-out, made when it is needed first, and once for all shards. */
export class FanOutConsumer {
  readonly #name: string;
  readonly #calls: ConsumerCalls;
  readonly #deadline: Deadline;
  #arn: Promise<string> | undefined;

  constructor(name: string, calls: ConsumerCalls, deadline: Deadline) {
    this.#name = name;
    this.#calls = calls;
    this.#deadline = deadline;
  }

  /** Its ARN, when it is active. Asked for anew after a failure. */
  async arn(): Promise<string> {
    this.#arn ??= inTime(this.#deadline, (signal) => this.#register(signal));
    try {
      return await this.#arn;
    } catch (error) {
      this.#arn = undefined;
      throw error;
    }
  }

  /** It is not there any more. */
  forget(): void {
    this.#arn = undefined;
  }

  async #register(signal: AbortSignal): Promise<string> {
    for (;;) {
      const arn = await this.#calls.registerConsumer(this.#name, signal);
      if (arn !== undefined) return arn;
      await pause(this.#deadline.timing, registrationMs, signal);
      signal.throwIfAborted();
    }
  }
}

/**
 * Has the records of a shard pushed, one subscription after the other; polls for them while there is none to be had. Ends behind the last record
 * of a closed shard.
 *
 * @returns whether the shard has been read to its end
 * @throws StalledError
 */
export async function* fanOut(ground: ReadGround, consumer: FanOutConsumer): AsyncGenerator<Fetched, boolean, void> {
  const { shardId, signal, timing, tuning } = ground;
  let retryMs = retryMsFirst;
  while (!signal.aborted) {
    try {
      const arn = await inTime({ timing, timeoutMs: tuning.requestTimeoutMs, signal }, () => consumer.arn());
      let isEmpty = true;
      for await (const fetched of subscribed(ground, arn)) {
        isEmpty = false;
        retryMs = retryMsFirst;
        yield fetched;
        ground.cursor.resumed();
        if (fetched.next === undefined) return true;
      }
      if (!isEmpty) continue; // The service ends each after five minutes.
      throw new Error('the subscription ended before its first event');
    } catch (error) {
      if (signal.aborted) return false;
      const isTaken = nameOf(error) === 'ResourceInUseException';
      ground.report({ type: isTaken ? 'fanOutDelayed' : 'fanOutFailed', shardId, error });
      if (nameOf(error) === 'ResourceNotFoundException') consumer.forget();
    }
    // Whoever wants records pushed does not want to wait for a poll, unless there is no hope of pushes soon.
    const idleMs = retryMs > soonMs ? tuning.pollIdleMs : Math.min(tuning.pollIdleMs, soonIdleMs);
    const untilMs = timing.now() + retryMs * (0.5 + timing.random() / 2);
    if (yield* poll(ground, { untilMs, idleMs })) return true;
    retryMs = Math.min(retryMs * 2, retryMsMax);
  }
  return false;
}

/** One subscription. @throws TimeoutError when it has been silent for too long: the service sends something every few seconds. */
async function* subscribed(ground: ReadGround, arn: string): AsyncGenerator<Fetched, void, void> {
  const { calls, shardId, cursor, timing, tuning } = ground;
  const abort = new AbortController();
  const signal = AbortSignal.any([ground.signal, abort.signal]);
  const events = calls.subscribe(arn, shardId, cursor.from, signal)[Symbol.asyncIterator]();
  const deadline = { timing, timeoutMs: tuning.fanOutSilenceMs, signal };
  try {
    for (;;) {
      const { value, done } = await inTime(deadline, () => events.next());
      if (done === true) return;
      cursor.pushed(value);
      yield value;
    }
  } finally {
    abort.abort();
    // Not waited for: it may hang in what does not answer.
    void Promise.resolve(events.return?.()).catch(() => undefined);
  }
}
