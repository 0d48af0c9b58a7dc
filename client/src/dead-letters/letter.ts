import type { UserRecord } from '../aggregation/index.ts';
import { InvalidArgumentError } from '../errors.ts';
import type { Attempt } from '../producer/ticket.ts';

/** What a dead letter says, as JSON. */
export interface DeadLetter {
  /** Why the record was given up. Of a producer the code of its error, of a consumer `RetryAttemptsExhausted` or `RecordAgeExceeded`. */
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly time: string;
  /** A producer's, to put it. */
  readonly attempts?: readonly Attempt[] | undefined;
  /** Where a consumer had it from. */
  readonly consumed?: ConsumedFrom | undefined;
  readonly partitionKey: string;
  readonly explicitHashKey?: string | undefined;
  /** Base64. */
  readonly data: string;
}

/** Where a consumer had a record from that it could not process. */
export interface ConsumedFrom {
  readonly application: string;
  /** Name or ARN. */
  readonly stream: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  /** ISO 8601. */
  readonly arrivalTime: string;
  /** Calls of the handler. */
  readonly attempts: number;
}

/** The record in a dead letter, to be put again. @throws InvalidArgumentError when the text is none */
export function readDeadLetter(json: string): UserRecord & { readonly letter: DeadLetter } {
  let letter: Partial<DeadLetter> | null;
  try {
    letter = JSON.parse(json) as Partial<DeadLetter> | null;
  } catch {
    letter = null;
  }
  const { partitionKey, explicitHashKey, data } = letter ?? {};
  if (typeof partitionKey !== 'string' || typeof data !== 'string')
    throw new InvalidArgumentError('this is no dead letter');
  return { partitionKey, explicitHashKey, data: Buffer.from(data, 'base64'), letter: letter as DeadLetter };
}
