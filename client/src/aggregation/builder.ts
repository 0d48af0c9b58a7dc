import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { aggregateKey, digestBytes, magic, tags, type UserRecord } from './format.ts';
import { hashKeyOf, hashKeyFromDecimal, hashKeyToDecimal } from './hash-key.ts';
import { ProtobufWriter, textFieldBytes, textFieldBytesMax, varintBytes } from './protobuf-writer.ts';

/** What is put: an aggregate, or the only record as it is. */
export interface AggregatedEntry {
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
}

type Keys = Pick<UserRecord, 'partitionKey' | 'explicitHashKey'>;

const frameBytes = magic.length + digestBytes;
const mark = Buffer.from([tags.putAgainWhole, 1]);
const noMark = Buffer.alloc(0);

/**
 * Packs user records into one Kinesis record in the KPL's format. Whoever fills it sees to it that all records of an aggregate belong to one
 * shard: the KCL drops the aggregate otherwise. Used again after {@link finish}.
 */
export class AggregateBuilder {
  readonly #keys = new Table(tags.partitionKey);
  readonly #hashKeys = new Table(tags.explicitHashKey);
  readonly #records = new ProtobufWriter();
  readonly #mark: Buffer;
  #first: Keys | undefined;
  #lastDataBytes = 0;
  #count = 0;

  /**
   * @param isPutAgainWhole   says in the aggregate that its producer looks where it lands, and puts all of it again when that is a shard where not
   *   all of its records belong. The consumer of this library leaves out an aggregate that is misplaced and says so; others do not know the mark
   */
  constructor({ isPutAgainWhole = false }: { readonly isPutAgainWhole?: boolean } = {}) {
    this.#mark = isPutAgainWhole ? mark : noMark;
  }

  /** User records in it. */
  get count(): number {
    return this.#count;
  }

  /** Length of the data that {@link finish} would give, exactly, were it an aggregate. */
  get bytes(): number {
    return frameBytes + this.#mark.length + this.#keys.bytes + this.#hashKeys.bytes + this.#records.bytes;
  }

  /**
   * Adds a record, whose data is copied, if the aggregate is no longer than `bytesMax` with it; the first is always added.
   *
   * @returns whether it was added
   */
  add(record: UserRecord, bytesMax: number = Infinity): boolean {
    const { partitionKey, explicitHashKey, data } = record;
    const keys = this.#keys;
    const hashKeys = this.#hashKeys;
    const known = keys.indexOf(partitionKey);
    const knownHashKey = explicitHashKey === undefined ? 0 : hashKeys.indexOf(explicitHashKey);
    const index = known ?? keys.size;
    const hashKeyIndex = knownHashKey ?? hashKeys.size;
    let bytes = 2 + varintBytes(index) + varintBytes(data.length) + data.length;
    if (explicitHashKey !== undefined) bytes += 1 + varintBytes(hashKeyIndex);
    if (this.#count > 0) {
      const all = this.bytes + 1 + varintBytes(bytes) + bytes;
      const newKey = known === undefined ? partitionKey : undefined;
      const newHashKey = knownHashKey === undefined ? explicitHashKey : undefined;
      const most = all + textsBytes(textFieldBytesMax, newKey, newHashKey);
      if (most > bytesMax && all + textsBytes(textFieldBytes, newKey, newHashKey) > bytesMax) return false;
    }
    if (known === undefined) keys.add(partitionKey);
    if (knownHashKey === undefined) hashKeys.add(explicitHashKey as string);
    const records = this.#records;
    records.reserve(bytes + 6);
    records.varint(tags.record, bytes);
    records.varint(tags.partitionKeyIndex, index);
    if (explicitHashKey !== undefined) records.varint(tags.explicitHashKeyIndex, hashKeyIndex);
    records.raw(tags.data, data);
    this.#first ??= { partitionKey, explicitHashKey };
    this.#lastDataBytes = data.length;
    this.#count++;
    return true;
  }

  /** What is to be put; the builder is empty again. A record that is alone is not wrapped. @throws RangeError when there is none */
  finish(): AggregatedEntry {
    const first = this.#first;
    if (first === undefined) throw new RangeError('an aggregate needs a record');
    const entry = this.#count === 1 ? this.#alone(first) : this.#aggregate(first);
    this.#keys.reset();
    this.#hashKeys.reset();
    this.#records.reset();
    this.#first = undefined;
    this.#count = 0;
    return entry;
  }

  #alone({ partitionKey, explicitHashKey }: Keys): AggregatedEntry {
    return { data: this.#records.tail(this.#lastDataBytes), partitionKey, explicitHashKey };
  }

  #aggregate(first: Keys): AggregatedEntry {
    const data = Buffer.allocUnsafe(this.bytes);
    let end = magic.copy(data);
    for (const part of [this.#keys.writer, this.#hashKeys.writer, this.#records]) end = part.copy(data, end);
    end += this.#mark.copy(data, end);
    data.set(hash('md5', data.subarray(magic.length, end), 'buffer'), end);
    return { data, partitionKey: aggregateKey, explicitHashKey: hashKeyOfRecord(first) };
  }
}

/** Texts that records refer to by their place, each once. */
class Table {
  readonly writer = new ProtobufWriter();
  readonly #tag: number;
  readonly #indexes = new Map<string, number>();

  constructor(tag: number) {
    this.#tag = tag;
  }

  get bytes(): number {
    return this.writer.bytes;
  }

  /** How many there are: the place of the next. */
  get size(): number {
    return this.#indexes.size;
  }

  indexOf(text: string): number | undefined {
    return this.#indexes.get(text);
  }

  /** @param text   none that is in it */
  add(text: string): void {
    this.#indexes.set(text, this.#indexes.size);
    this.writer.text(this.#tag, text);
  }

  reset(): void {
    this.#indexes.clear();
    this.writer.reset();
  }
}

function textsBytes(bytesOf: (text: string) => number, key: string | undefined, hashKey: string | undefined): number {
  return (key === undefined ? 0 : bytesOf(key)) + (hashKey === undefined ? 0 : bytesOf(hashKey));
}

/** Decimal: the number that decides a record's shard. */
function hashKeyOfRecord({ partitionKey, explicitHashKey }: Keys): string {
  // Written anew, so that leading zeros do not go on the wire.
  return hashKeyToDecimal(
    explicitHashKey === undefined ? hashKeyOf(partitionKey) : hashKeyFromDecimal(explicitHashKey),
  );
}
