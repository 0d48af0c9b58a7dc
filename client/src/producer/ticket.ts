import type { UserRecord } from '../aggregation/index.ts';
import { ClientError } from '../errors.ts';

/** One try to put a record. */
export interface Attempt {
  /** From the acceptance of the record, or the end of the attempt before, to the start of this one; milliseconds. */
  readonly delayMs: number;
  readonly durationMs: number;
  /**
   * Undefined: it was put. Else the code of the service, `WrongShard` when it was put in an aggregate where the KCL drops it, or what the SDK calls
   * the failure of the call. After a time-out or a lost connection the record may have been put all the same.
   */
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
}

/** Where a Kinesis record has been put. */
export interface KinesisPlace {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

/** Where a record has been put. */
export interface Place extends KinesisPlace {
  /** Place inside an aggregated record; undefined when the record was put as it is. */
  readonly subSequenceNumber: number | undefined;
}

export interface Acknowledgement extends Place {
  /** The last of them has put it. */
  readonly attempts: readonly Attempt[];
}

/** A record that has been accepted. */
export interface Ticket {
  /** Resolves when the record has been put; rejects with a {@link PutError}. Nobody needs to look at it. */
  readonly acknowledged: Promise<Acknowledgement>;
}

/**
 * A record that has not been put, for good. `code` is `Expired` (older than `recordTtlMs`), `Aborted` (the producer was closed before), or
 * what the service called it.
 */
export class PutError extends ClientError {
  readonly record: UserRecord;
  readonly attempts: readonly Attempt[];
  /** It has been written where dead letters go. If it should have been and could not, `cause` says why. */
  readonly isDeadLettered: boolean;

  constructor(
    code: string,
    message: string,
    details: { record: UserRecord; attempts: readonly Attempt[]; isDeadLettered?: boolean; cause?: unknown },
  ) {
    super(code, message, { cause: details.cause, isRetryable: code === 'Expired' });
    this.record = details.record;
    this.attempts = details.attempts;
    this.isDeadLettered = details.isDeadLettered ?? false;
  }
}

/** One PutRecords call, as all records in it know it. */
export interface Try {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
}

const noTries: readonly Try[] = [];

const ignore = (): void => undefined;

/** A record from its acceptance, which gives it number and time, to its end. */
export class PendingRecord implements Ticket {
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  /** Undefined while the only copy is in an aggregate. */
  data: Uint8Array | undefined;
  readonly dataBytes: number;
  /** What it is counted as in the producer's memory. */
  readonly bytes: number;
  /** Rises with each record that is accepted. */
  number = 0;
  /** In the spool; undefined without one. */
  spoolNumber: number | undefined;
  acceptedMs = 0;
  /** Records that went together share the list. */
  tries: readonly Try[] = noTries;
  #outcome: Acknowledgement | PutError | undefined;
  #acknowledged: Promise<Acknowledgement> | undefined;
  #resolve: ((acknowledgement: Acknowledgement) => void) | undefined;
  #reject: ((error: PutError) => void) | undefined;

  constructor(partitionKey: string, explicitHashKey: string | undefined, data: Uint8Array, bytes: number) {
    this.partitionKey = partitionKey;
    this.explicitHashKey = explicitHashKey;
    this.data = data;
    this.dataBytes = data.length;
    this.bytes = bytes;
  }

  /** Made when it is asked for: most producers look at few of their tickets. */
  get acknowledged(): Promise<Acknowledgement> {
    if (this.#acknowledged === undefined) {
      // `Promise.withResolvers` takes twice as long.
      this.#acknowledged = new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      if (this.#outcome !== undefined) this.#tell(this.#outcome);
    }
    return this.#acknowledged;
  }

  get attempts(): Attempt[] {
    let beforeMs = this.acceptedMs;
    return this.tries.map(({ startedMs, endedMs, errorCode, errorMessage }) => {
      const attempt = { delayMs: startedMs - beforeMs, durationMs: endedMs - startedMs, errorCode, errorMessage };
      beforeMs = endedMs;
      return attempt;
    });
  }

  /** @param where   of the Kinesis record; `subSequenceNumber`: of this one in it */
  put(where: KinesisPlace, subSequenceNumber: number | undefined): void {
    this.data = undefined; // Tickets and acknowledgements may be kept for long.
    this.#settle(new PutAcknowledgement(this, where, subSequenceNumber));
  }

  fail(error: PutError): void {
    this.#settle(error);
  }

  #settle(outcome: Acknowledgement | PutError): void {
    this.#outcome = outcome;
    if (this.#acknowledged !== undefined) this.#tell(outcome);
  }

  #tell(outcome: Acknowledgement | PutError): void {
    if (outcome instanceof PutAcknowledgement) return this.#resolve?.(outcome);
    this.#acknowledged?.catch(ignore); // Whoever asked has it; it must not end the process.
    this.#reject?.(outcome as PutError);
  }
}

/** Works out the attempts for those who ask. */
class PutAcknowledgement implements Acknowledgement {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number | undefined;
  readonly #record: PendingRecord;

  constructor(record: PendingRecord, { shardId, sequenceNumber }: KinesisPlace, subSequenceNumber: number | undefined) {
    this.shardId = shardId;
    this.sequenceNumber = sequenceNumber;
    this.subSequenceNumber = subSequenceNumber;
    this.#record = record;
  }

  get attempts(): readonly Attempt[] {
    return this.#record.attempts;
  }
}
