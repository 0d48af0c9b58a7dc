import { hash } from 'node:crypto';
import { isAbove } from '../kill/ledger.ts';

/** Where a record may be. */
export interface ShardRange {
  readonly id: string;
  readonly startHash: bigint;
  readonly endHash: bigint;
}

/** A record as a reader got it. */
export interface ReadRecord {
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly text: string;
}

/** One record that was put. `unknown`: no answer, as yet. `absent`: refused, or not there at a {@link Oracle.settle}: never to appear. */
export interface Attempt {
  readonly key: string;
  /** Those of one key are put one after the other, with rising numbers. */
  readonly number: number;
  /** What the record holds: names it, and is of various lengths. */
  readonly text: string;
  readonly hash: bigint;
  state: 'unknown' | 'stored' | 'absent';
  isAnswered: boolean;
  sequenceNumber: string;
  /** A bit for each reader that has it. */
  readBy: number;
}

const violationsMax = 20;
const paddingMax = 1500;

/**
 * Knows every record that was put, and holds what readers get against it: all that was acknowledged once for each reader, in order for each
 * key whatever shard it is in, and all readers the same.
 */
export class Oracle {
  readonly violations: string[] = [];
  /** `appeared` and `vanished`: what became of records without an answer. */
  readonly counts = { acknowledged: 0, appeared: 0, vanished: 0, refused: 0, read: 0 };
  readonly #readings: Reading[] = [];
  readonly #attempts = new Map<string, Attempt>();
  readonly #lastNumber = new Map<string, number>();
  /** Not yet known to be with all readers, or to be absent. */
  #unsettled: Attempt[] = [];
  /** By shard: its records, as the reader that is ahead has them. */
  readonly #shards = new Map<string, Attempt[]>();

  violate(sentence: string): void {
    if (this.violations.length < violationsMax) this.violations.push(sentence);
  }

  /** A reader of the whole stream from its first record on. */
  reading(name: string): Reading {
    const reading = new Reading(this, { name, bit: 1 << this.#readings.length });
    this.#readings.push(reading);
    return reading;
  }

  /** Notes a record before it is sent. @param hashKey   explicit; else the key's own */
  begin(key: string, hashKey?: bigint): Attempt {
    const number = (this.#lastNumber.get(key) ?? 0) + 1;
    this.#lastNumber.set(key, number);
    const text = `${key}/${number}`.padEnd((number * 37) % paddingMax, '.');
    const own = hashKey ?? BigInt(`0x${hash('md5', key, 'hex')}`);
    const attempt: Attempt = {
      key,
      number,
      text,
      hash: own,
      state: 'unknown',
      isAnswered: false,
      sequenceNumber: '',
      readBy: 0,
    };
    this.#attempts.set(text, attempt);
    this.#unsettled.push(attempt);
    return attempt;
  }

  /** A 200 said that it is stored. */
  acknowledge(attempt: Attempt, sequenceNumber: string): void {
    this.counts.acknowledged++;
    attempt.isAnswered = true;
    this.#store(attempt, sequenceNumber);
  }

  /** An error said that it is not. */
  refuse(attempt: Attempt): void {
    this.counts.refused++;
    attempt.isAnswered = true;
    if (attempt.state === 'stored') this.violate(`${nameOf(attempt)} was refused and has been read`);
    attempt.state = 'absent';
  }

  /** Whether each reader has it. */
  isRead(attempt: Attempt): boolean {
    return attempt.readBy === (1 << this.#readings.length) - 1;
  }

  /** When readers have come to records behind all others: what they have passed over is lost, or was never stored. */
  settle(): void {
    for (const attempt of this.#unsettled) {
      if (attempt.state === 'stored' && !this.isRead(attempt)) {
        const losers = this.#readings.filter(({ bit }) => (attempt.readBy & bit) === 0).map(({ name }) => name);
        this.violate(
          `${nameOf(attempt)}, acknowledged or read at ${attempt.sequenceNumber}, is lost to ${losers.join()}`,
        );
      }
      if (!attempt.isAnswered) this.counts[attempt.state === 'stored' ? 'appeared' : 'vanished']++;
      if (attempt.state === 'unknown') attempt.state = 'absent';
    }
    this.#unsettled = [];
  }

  /** For {@link Reading}: undefined, and a violation, for what nobody put. */
  found(shard: ShardRange, { text, partitionKey, sequenceNumber }: ReadRecord): Attempt | undefined {
    const attempt = this.#attempts.get(text);
    if (attempt === undefined || attempt.key !== partitionKey) {
      this.violate(`in ${shard.id} at ${sequenceNumber} there is what nobody put: ${text.slice(0, 60)}`);
      return undefined;
    }
    if (attempt.hash < shard.startHash || attempt.hash > shard.endHash) {
      this.violate(`${nameOf(attempt)} is in ${shard.id}, which is not its shard`);
    }
    this.counts.read++;
    this.#store(attempt, sequenceNumber);
    return attempt;
  }

  /** For {@link Reading}: what all readers have to get in this place. */
  atPlace(shardId: string, index: number, attempt: Attempt): Attempt {
    let records = this.#shards.get(shardId);
    if (records === undefined) this.#shards.set(shardId, (records = []));
    if (index === records.length) records.push(attempt);
    return records[index] as Attempt;
  }

  #store(attempt: Attempt, sequenceNumber: string): void {
    if (attempt.state === 'absent')
      this.violate(`${nameOf(attempt)}, refused or absent before, is at ${sequenceNumber}`);
    if (attempt.state === 'stored' && attempt.sequenceNumber !== sequenceNumber) {
      this.violate(`${nameOf(attempt)} is at ${sequenceNumber} and was at ${attempt.sequenceNumber}`);
    }
    attempt.state = 'stored';
    attempt.sequenceNumber = sequenceNumber;
  }
}

/** One reader's way through the stream: every shard, parents before children. */
export class Reading {
  readonly name: string;
  /** Its own in {@link Attempt.readBy}. */
  readonly bit: number;
  readonly #oracle: Oracle;
  readonly #lastOfKey = new Map<string, Attempt>();
  /** By shard: the numbers and the count of what was read. */
  readonly #shards = new Map<string, { count: number; last: string; isEnded: boolean }>();

  constructor(oracle: Oracle, { name, bit }: { name: string; bit: number }) {
    this.#oracle = oracle;
    this.name = name;
    this.bit = bit;
  }

  /** The next record of a shard. */
  take(shard: ShardRange, record: ReadRecord): void {
    const place = this.#placeIn(shard.id);
    const { sequenceNumber } = record;
    if (place.isEnded) this.#violate(`${shard.id} has ended, and gives ${sequenceNumber}`);
    if (!isAbove(sequenceNumber, place.last)) this.#violate(`${shard.id} gives ${sequenceNumber} after ${place.last}`);
    place.last = sequenceNumber;
    const attempt = this.#oracle.found(shard, record);
    if (attempt === undefined) return;
    if ((attempt.readBy & this.bit) !== 0) this.#violate(`${nameOf(attempt)} is there twice, again in ${shard.id}`);
    attempt.readBy |= this.bit;
    const last = this.#lastOfKey.get(attempt.key);
    if (last !== undefined && last.number >= attempt.number) {
      this.#violate(`${nameOf(attempt)} comes after ${nameOf(last)}, now in ${shard.id}`);
    } else if (last !== undefined && !isAbove(sequenceNumber, last.sequenceNumber)) {
      this.#violate(`${nameOf(attempt)} at ${sequenceNumber} is not above ${nameOf(last)} at ${last.sequenceNumber}`);
    }
    this.#lastOfKey.set(attempt.key, attempt);
    const right = this.#oracle.atPlace(shard.id, place.count++, attempt);
    if (right !== attempt) this.#violate(`${shard.id} gives ${nameOf(attempt)} where it gave others ${nameOf(right)}`);
  }

  /** The shard is closed, and has no more. */
  end(shardId: string): void {
    this.#placeIn(shardId).isEnded = true;
  }

  /** Sequence number of the last record of a shard; '' before the first. */
  lastOf(shardId: string): string {
    return this.#placeIn(shardId).last;
  }

  #placeIn(shardId: string): { count: number; last: string; isEnded: boolean } {
    let place = this.#shards.get(shardId);
    if (place === undefined) this.#shards.set(shardId, (place = { count: 0, last: '', isEnded: false }));
    return place;
  }

  #violate(sentence: string): void {
    this.#oracle.violate(`${this.name}: ${sentence}`);
  }
}

function nameOf({ key, number }: Attempt): string {
  return `record ${number} of ${key}`;
}
