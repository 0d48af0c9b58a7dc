import { hashKeyFromDecimal, hashKeyOf, type HashKey, readAggregate, type UserRecord } from '../aggregation/index.ts';
import type { FetchedRecord } from './calls.ts';
import type { Checkpoint } from './leases/lease.ts';
import { ConsumerRecord } from './record.ts';

export interface UnpackerOptions {
  readonly shardId: string;
  /** Of the shard's hash keys. */
  readonly range: { readonly start: HashKey; readonly end: HashKey };
  /** This record and those before it have been processed; undefined: none of what comes. */
  readonly after: Checkpoint | undefined;
  /** Leave out misplaced aggregates as the KCL does. */
  readonly isStrict: boolean;
  readonly onMisplaced: (aggregate: MisplacedAggregate) => void;
}

/** An aggregate in a shard where not all of its records belong, as a producer writes that does not know of a reshard. */
export interface MisplacedAggregate {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly recordCount: number;
  /** `putAgain`: its producer puts all of it again. `strict`: asked for by `isStrictKclRange`. `undefined`: its records are delivered, marked. */
  readonly leftOut: 'putAgain' | 'strict' | undefined;
}

/** Remembered at a time. */
const keysMax = 4096;

/** Makes user records of the Kinesis records of one shard. */
export class Unpacker {
  readonly #options: UnpackerOptions;
  /** Whether partition keys that have been seen belong to the shard: hashing is most of what a record costs here. */
  readonly #keys = new Map<string, boolean>();
  /** Until the first record behind it has come. */
  #after: Checkpoint | undefined;

  constructor(options: UnpackerOptions) {
    this.#options = options;
    this.#after = options.after;
  }

  unpack(fetched: readonly FetchedRecord[]): ConsumerRecord[] {
    const records: ConsumerRecord[] = [];
    for (const record of fetched) {
      const from = records.length;
      this.#unpackOne(record, records);
      if (this.#after !== undefined) this.#skip(record.sequenceNumber, records, from);
    }
    return records;
  }

  #unpackOne(record: FetchedRecord, into: ConsumerRecord[]): void {
    const { sequenceNumber, partitionKey, data, arrivalTime } = record;
    const origin = { shardId: this.#options.shardId, sequenceNumber, arrivalTime };
    const aggregate = readAggregate(data);
    if (aggregate === undefined) {
      const user = { partitionKey, explicitHashKey: undefined, data };
      into.push(new ConsumerRecord(origin, user, { subSequenceNumber: 0, isMisplaced: false }));
      return;
    }
    const { records, isPutAgainWhole } = aggregate;
    const isMisplaced = !records.every(this.#belongs);
    if (isMisplaced) {
      const leftOut = isPutAgainWhole ? 'putAgain' : this.#options.isStrict ? 'strict' : undefined;
      const { shardId, onMisplaced } = this.#options;
      onMisplaced({ shardId, sequenceNumber, recordCount: records.length, leftOut });
      if (leftOut !== undefined) return;
    }
    for (const [subSequenceNumber, { partitionKey: key, explicitHashKey, data: userData }] of records.entries()) {
      const user = { partitionKey: key, explicitHashKey, data: userData };
      into.push(new ConsumerRecord(origin, user, { subSequenceNumber, isMisplaced }));
    }
  }

  readonly #belongs = ({ partitionKey, explicitHashKey }: Omit<UserRecord, 'data'>): boolean => {
    if (explicitHashKey !== undefined) return this.#isInside(fromDecimal(explicitHashKey));
    const known = this.#keys.get(partitionKey);
    if (known !== undefined) return known;
    const belongs = this.#isInside(hashKeyOf(partitionKey));
    if (this.#keys.size >= keysMax) this.#keys.clear();
    this.#keys.set(partitionKey, belongs);
    return belongs;
  };

  #isInside(hashKey: HashKey | undefined): boolean {
    const { start, end } = this.#options.range;
    return hashKey !== undefined && start <= hashKey && hashKey <= end;
  }

  /** Takes out what has been processed. */
  #skip(sequenceNumber: string, records: ConsumerRecord[], from: number): void {
    const after = this.#after as Checkpoint;
    if (sequenceNumber !== after.sequenceNumber) {
      // Asked for from that record on, so whatever else comes is behind it.
      this.#after = undefined;
      return;
    }
    const kept = records.slice(from).filter(({ subSequenceNumber }) => subSequenceNumber > after.subSequenceNumber);
    records.splice(from, Infinity, ...kept);
  }
}

/** What another program wrote may be anything. */
function fromDecimal(decimal: string): HashKey | undefined {
  try {
    return hashKeyFromDecimal(decimal);
  } catch {
    return undefined;
  }
}
