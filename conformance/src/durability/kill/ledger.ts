import { hash } from 'node:crypto';

/** A stream that takes records; a stream of the same name made anew has another book. */
export interface StreamBook {
  readonly name: string;
  readonly shards: readonly ShardBook[];
}

/** What the checker knows of one shard. */
export interface ShardBook {
  readonly stream: string;
  readonly id: string;
  readonly startHash: bigint;
  readonly endHash: bigint;
  /** The highest sequence number that a client has seen of it. */
  newest: string;
  /** Records that must be there. */
  storedCount: number;
}

/**
 * One record that a client tried to put. `open`: no answer yet. `unknown`: none came. `stored`: answered with its sequence number, or read.
 * `absent`: refused, or not there after a restart, so that it must never appear.
 */
export interface Attempt {
  readonly id: number;
  readonly connection: number;
  readonly shard: ShardBook;
  readonly contentHash: string;
  /** The highest sequence number of the shard that a client had seen when this was sent: its own is above it. */
  readonly above: string;
  state: 'open' | 'unknown' | 'stored' | 'absent';
  sequenceNumber: string;
  /** The last reading in which it was found. */
  reading: number;
}

/** A record as GetRecords answered it. */
export interface ReadRecord {
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly contentHash: string;
  readonly arrivalMs: number;
}

export interface NewRecord {
  readonly stream: StreamBook;
  readonly connection: number;
  readonly data: Uint8Array;
  /** Aims at this shard by an explicit hash key. */
  readonly shard?: ShardBook;
}

const violationsMax = 40;

export function contentHashOf(data: Uint8Array): string {
  return hash('sha1', data, 'base64');
}

/** Sequence numbers are decimal without leading zeros. The empty text is below all of them. */
export function isAbove(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

/**
 * Every record that was ever tried, by hash; contents are not kept. What it finds wrong it collects as sentences.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly counts = {
    tried: 0,
    acknowledged: 0,
    unanswered: 0,
    appeared: 0,
    vanished: 0,
    refused: 0,
    controlCalls: 0,
    reshards: 0,
    controlApplied: 0,
    controlNotApplied: 0,
  };
  /** The next attempt's number: greater than all there are. */
  nextId = 1;
  readonly #attempts = new Map<number, Attempt>();
  #unanswered: Attempt[] = [];
  #reading = 0;

  violate(sentence: string): void {
    if (this.violations.length < violationsMax) this.violations.push(sentence);
  }

  /** Notes a record before it is sent. */
  begin({ stream, connection, data, shard }: NewRecord): { attempt: Attempt; partitionKey: string } {
    const id = this.nextId++;
    const partitionKey = partitionKeyOf(id);
    const target = shard ?? shardOf(stream, partitionKey);
    const attempt: Attempt = {
      id,
      connection,
      shard: target,
      contentHash: contentHashOf(data),
      above: target.newest,
      state: 'open',
      sequenceNumber: '',
      reading: 0,
    };
    this.#attempts.set(id, attempt);
    this.counts.tried++;
    return { attempt, partitionKey };
  }

  /** A 200 said that it is stored. */
  acknowledge(attempt: Attempt, sequenceNumber: string, shardId: string): void {
    this.counts.acknowledged++;
    if (shardId !== attempt.shard.id) {
      this.violate(`${nameOf(attempt)} was answered with ${shardId} and belongs to ${attempt.shard.id}`);
    }
    if (!isAbove(sequenceNumber, attempt.above)) {
      this.violate(
        `${nameOf(attempt)} got ${sequenceNumber}, not above ${attempt.above}, which was answered before it was sent`,
      );
    }
    this.#settle(attempt, sequenceNumber);
  }

  /** An error said that it is not stored. */
  refuse(attempt: Attempt): void {
    this.counts.refused++;
    if (attempt.state === 'stored') this.violate(`${nameOf(attempt)} was refused and had been read`);
    else attempt.state = 'absent';
  }

  /** No answer came. */
  leaveOpen(attempt: Attempt): void {
    this.counts.unanswered++;
    if (attempt.state === 'stored') return;
    attempt.state = 'unknown';
    this.#unanswered.push(attempt);
  }

  /** A record was read while the load ran: what a reader has seen must stay. */
  see(shard: ShardBook, record: ReadRecord): void {
    const attempt = this.#match(shard, record);
    if (attempt !== undefined) this.#settle(attempt, record.sequenceNumber);
  }

  /** Begins a reading of all shards after a restart. */
  beginReading(): void {
    this.#reading++;
  }

  /** Reads one shard from its first record to its last. */
  readShard(shard: ShardBook): ShardReading {
    return new ShardReading(this, shard);
  }

  /** Ends it: what was not answered and is not there must never appear. */
  endReading(): void {
    for (const attempt of this.#unanswered) {
      if (attempt.state !== 'unknown') continue;
      attempt.state = 'absent';
      this.counts.vanished++;
    }
    this.#unanswered = [];
  }

  /** Drops all about a stream that is gone. */
  forget(book: StreamBook): void {
    const shards = new Set(book.shards);
    for (const [id, attempt] of this.#attempts) if (shards.has(attempt.shard)) this.#attempts.delete(id);
  }

  /** For {@link ShardReading}: undefined, and a violation, when nobody put this record. */
  found(shard: ShardBook, record: ReadRecord): Attempt | undefined {
    const attempt = this.#match(shard, record);
    if (attempt === undefined) return undefined;
    if (attempt.reading === this.#reading)
      this.violate(`${nameOf(attempt)} is there twice, again at ${record.sequenceNumber}`);
    attempt.reading = this.#reading;
    if (attempt.state === 'unknown') {
      this.counts.appeared++;
      if (!isAbove(record.sequenceNumber, attempt.above)) {
        this.violate(
          `${nameOf(attempt)} appears at ${record.sequenceNumber}, not above ${attempt.above}, which was answered before it was sent`,
        );
      }
    }
    this.#settle(attempt, record.sequenceNumber);
    return attempt;
  }

  /** For {@link ShardReading}: names what is missing. */
  reportMissing(shard: ShardBook): void {
    for (const attempt of this.#attempts.values()) {
      if (attempt.shard !== shard || attempt.state !== 'stored' || attempt.reading === this.#reading) continue;
      this.violate(`${nameOf(attempt)}, acknowledged at ${attempt.sequenceNumber}, is lost`);
    }
  }

  #match(shard: ShardBook, record: ReadRecord): Attempt | undefined {
    const { partitionKey, sequenceNumber, contentHash } = record;
    const place = `${shard.stream}/${shard.id} at ${sequenceNumber}`;
    const id = idOf(partitionKey);
    const attempt = id === undefined ? undefined : this.#attempts.get(id);
    if (attempt === undefined || id === undefined || partitionKeyOf(id) !== partitionKey) {
      this.violate(
        `${place} there is a record that nobody put, with the key ${JSON.stringify(partitionKey.slice(0, 40))}`,
      );
      return undefined;
    }
    if (attempt.shard !== shard) this.violate(`${nameOf(attempt)} is in ${place}`);
    if (attempt.contentHash !== contentHash) this.violate(`${nameOf(attempt)} has other content in ${place}`);
    return attempt;
  }

  #settle(attempt: Attempt, sequenceNumber: string): void {
    if (attempt.state === 'absent')
      this.violate(`${nameOf(attempt)}, refused or absent before, is there at ${sequenceNumber}`);
    if (attempt.state === 'stored') {
      if (attempt.sequenceNumber === sequenceNumber) return;
      this.violate(`${nameOf(attempt)} is at ${sequenceNumber} and was at ${attempt.sequenceNumber}`);
    } else attempt.shard.storedCount++;
    attempt.state = 'stored';
    attempt.sequenceNumber = sequenceNumber;
    if (isAbove(sequenceNumber, attempt.shard.newest)) attempt.shard.newest = sequenceNumber;
  }
}

/** Takes the records of one shard in the order in which they are read. */
export class ShardReading {
  readonly shard: ShardBook;
  /** Of each record, in order; attempt 0 for a record that nobody put. */
  readonly sequenceNumbers: string[] = [];
  readonly attemptIds: number[] = [];
  readonly #ledger: Ledger;
  readonly #lastIdOf = new Map<number, number>();
  #arrivalMs = 0;
  #foundCount = 0;

  constructor(ledger: Ledger, shard: ShardBook) {
    this.#ledger = ledger;
    this.shard = shard;
  }

  add(record: ReadRecord): void {
    const { shard } = this;
    const place = `${shard.stream}/${shard.id} at ${record.sequenceNumber}`;
    const last = this.sequenceNumbers.at(-1) ?? '';
    if (!isAbove(record.sequenceNumber, last)) this.#ledger.violate(`${place} follows on ${last}`);
    if (record.arrivalMs < this.#arrivalMs) this.#ledger.violate(`${place} arrived before the one before it`);
    this.#arrivalMs = record.arrivalMs;
    const attempt = this.#ledger.found(shard, record);
    this.sequenceNumbers.push(record.sequenceNumber);
    this.attemptIds.push(attempt?.id ?? 0);
    if (attempt === undefined) return;
    this.#foundCount++;
    // A connection has one call under way, and numbers its records in the order in which it sends them.
    const lastId = this.#lastIdOf.get(attempt.connection) ?? 0;
    if (attempt.id <= lastId)
      this.#ledger.violate(`${nameOf(attempt)} is behind record ${lastId} of its own connection, sent later`);
    this.#lastIdOf.set(attempt.connection, attempt.id);
  }

  /** No more records are there. */
  end(): void {
    if (this.#foundCount !== this.shard.storedCount) {
      this.#ledger.reportMissing(this.shard);
    }
  }
}

function nameOf(attempt: Attempt): string {
  return `record ${attempt.id} of connection ${attempt.connection} (${attempt.shard.stream}/${attempt.shard.id})`;
}

/** Names the attempt; of various lengths, some beyond ASCII. */
export function partitionKeyOf(id: number): string {
  const padding = id % 101 === 0 ? '#'.repeat(200) : id % 13 === 0 ? 'é☃😀' : '-'.repeat(id % 7);
  return `k${id.toString(36)}${padding}`;
}

function idOf(partitionKey: string): number | undefined {
  const digits = /^k([0-9a-z]+)/.exec(partitionKey)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 36);
}

/** Where the API sends a partition key: MD5 as an unsigned number. */
function shardOf(stream: StreamBook, partitionKey: string): ShardBook {
  const key = BigInt(`0x${hash('md5', partitionKey, 'hex')}`);
  const shard = stream.shards.find(({ startHash, endHash }) => startHash <= key && key <= endHash);
  if (shard === undefined) throw new Error(`no shard of ${stream.name} owns the hash key ${key}`);
  return shard;
}
