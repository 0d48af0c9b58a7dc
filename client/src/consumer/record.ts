import { Buffer } from 'node:buffer';
import type { Checkpoint } from './leases/lease.ts';

/** What every record of an aggregate has from the Kinesis record that it came in. */
export interface RecordOrigin {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly arrivalTime: Date;
}

/** A record as its producer gave it, alone or out of an aggregate. */
export class ConsumerRecord {
  readonly partitionKey: string;
  /** Decimal; of records in an aggregate only. */
  readonly explicitHashKey: string | undefined;
  /** Part of a larger buffer: who keeps it for long keeps a copy. */
  readonly data: Uint8Array;
  /** Place in its aggregate, from 0; 0 of what is no aggregate. */
  readonly subSequenceNumber: number;
  /**
   * Came in an aggregate that has landed in a shard where not all of its records belong, and where the KCL drops it without a word. The order of
   * its key may not hold.
   */
  readonly isMisplaced: boolean;
  readonly #origin: RecordOrigin;

  constructor(
    origin: RecordOrigin,
    { partitionKey, explicitHashKey, data }: Pick<ConsumerRecord, 'partitionKey' | 'explicitHashKey' | 'data'>,
    { subSequenceNumber, isMisplaced }: Pick<ConsumerRecord, 'subSequenceNumber' | 'isMisplaced'>,
  ) {
    this.partitionKey = partitionKey;
    this.explicitHashKey = explicitHashKey;
    this.data = data;
    this.subSequenceNumber = subSequenceNumber;
    this.isMisplaced = isMisplaced;
    this.#origin = origin;
  }

  get shardId(): string {
    return this.#origin.shardId;
  }

  /** Decimal; all records of an aggregate have the same. */
  get sequenceNumber(): string {
    return this.#origin.sequenceNumber;
  }

  /** When the service took it, by its clock. */
  get arrivalTime(): Date {
    return this.#origin.arrivalTime;
  }

  /** Where the record is in its shard, as text: for tables of one's own. {@link comparePositions} orders them. */
  get position(): string {
    return formatPosition(this);
  }

  /** The data as UTF-8. */
  text(): string {
    const { buffer, byteOffset, length } = this.data;
    return Buffer.from(buffer, byteOffset, length).toString('utf8');
  }

  /** The data as JSON. @throws SyntaxError */
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** `49590338271490256608559692538361571095921575989136588898/0` */
export function formatPosition({ sequenceNumber, subSequenceNumber }: Checkpoint): string {
  return `${sequenceNumber}/${subSequenceNumber}`;
}

/** @throws RangeError when the text is none */
export function parsePosition(position: string): Checkpoint {
  const [, sequenceNumber, subSequenceNumber] = /^(\d{1,128})\/(\d{1,15})$/.exec(position) ?? [];
  if (sequenceNumber === undefined) throw new RangeError(`"${position}" is not the position of a record`);
  return { sequenceNumber, subSequenceNumber: Number(subSequenceNumber) };
}

/** Below 0 when `a` is before `b` in their shard, 0 when they are the same. @throws RangeError */
export function comparePositions(a: string, b: string): number {
  return compareCheckpoints(parsePosition(a), parsePosition(b));
}

/** Of checkpoints that are records'. */
export function compareCheckpoints(a: Checkpoint, b: Checkpoint): number {
  if (a.sequenceNumber === b.sequenceNumber) return a.subSequenceNumber - b.subSequenceNumber;
  return BigInt(a.sequenceNumber) < BigInt(b.sequenceNumber) ? -1 : 1;
}

/** A record's, and not a special position. */
export function isNumbered({ sequenceNumber }: Checkpoint): boolean {
  return /^\d/.test(sequenceNumber);
}
