import type { Deadline } from '../deadline.ts';
import type { DeadLetter } from '../dead-letters/letter.ts';
import { appendLetters, putLetters } from '../dead-letters/places.ts';
import type { KinesisCalls } from '../producer/calls.ts';
import type { GivenUp } from './processing/processor.ts';
import type { ConsumerRecord } from './record.ts';

/**
 * Where records go that are given up: lines of a file, a stream, or whoever takes them. Lines and stream records are {@link DeadLetter}s. What
 * cannot be written is tried again, and its shard waits: that goes for ever for a letter that is too long for the stream (its data is in base64).
 */
export type ConsumerDeadLetters =
  | { readonly file: string }
  | { readonly stream: string }
  | ((given: GivenUp) => Promise<void> | void);

/** Who has given them up. */
export interface LetterSource {
  readonly application: string;
  readonly stream: string;
  /** ISO 8601. */
  readonly now: () => string;
  /** Of a stream of dead letters. */
  readonly callsOf: (stream: string) => Pick<KinesisCalls, 'putRecords'>;
}

/** Resolves when all have been written; rejects when one could not be, and is called again for all of them then. */
export function letterWriter(
  letters: ConsumerDeadLetters | undefined,
  source: LetterSource,
  deadline: Deadline,
): (given: GivenUp) => Promise<void> {
  if (letters === undefined) return () => Promise.reject(new Error('nothing is given up without deadLetters'));
  if (typeof letters === 'function') return async (given) => letters(given);
  const lettersOf = (given: GivenUp): DeadLetter[] => given.records.map((record) => letterOf(record, given, source));
  if ('file' in letters) return (given) => appendLetters(letters.file, lettersOf(given));
  const calls = source.callsOf(letters.stream);
  /** Those of a call that have not been put yet. */
  const left = new WeakMap<GivenUp, DeadLetter[]>();
  return async (given) => {
    const all = left.get(given) ?? lettersOf(given);
    const failed = await putLetters(calls, all, deadline);
    left.set(
      given,
      all.filter((_, index) => failed.has(index)),
    );
    for (const reason of failed.values()) throw reason as Error;
  };
}

function letterOf(record: ConsumerRecord, { condition, attempts, error }: GivenUp, source: LetterSource): DeadLetter {
  const { shardId, sequenceNumber, subSequenceNumber, partitionKey, explicitHashKey, data, arrivalTime } = record;
  const { application, stream, now } = source;
  const place = { shardId, sequenceNumber, subSequenceNumber, arrivalTime: arrivalTime.toISOString() };
  return {
    code: condition,
    message: error instanceof Error ? error.message : String(error),
    time: now(),
    consumed: { application, stream, ...place, attempts },
    partitionKey,
    explicitHashKey,
    data: Buffer.from(data).toString('base64'),
  };
}
