import { AggregateBuilder, deaggregate } from '../aggregation/index.ts';
import type { Timing } from '../timing.ts';
import type { PutEntry, ShardRange } from './calls.ts';
import { Pacer } from './pacer.ts';
import type { ProducerTuning } from './tuning.ts';
import type { PendingRecord } from './ticket.ts';

/** A Kinesis record to be put: an aggregate, or one user record. */
export interface Entry extends PutEntry {
  readonly lane: Lane;
  /** In the order of the aggregate. */
  readonly records: readonly PendingRecord[];
  /** Data and partition key on the wire. */
  readonly bytes: number;
  /** When it should go even if nothing goes with it. */
  readonly dueMs: number;
  /** A call that it was in was refused, maybe because of another. */
  readonly goesAlone: boolean;
}

/** What is on its way to one shard, or, while the shards are not known, what has one key. */
export class Lane {
  /** Told apart from others by it. */
  readonly name: string;
  /** Undefined while the shards are not known. */
  readonly shard: ShardRange | undefined;
  readonly pacer: Pacer;
  /** Kinesis records in calls under way. */
  inFlight = 0;
  /** False once the shards have turned out to be others. */
  isCurrent = true;
  /** Of the record that has come to it last. */
  lastNumber = -1;
  /** Failures since something was put. */
  failures = 0;
  /** Before then nothing goes. */
  notBeforeMs = 0;
  readonly #tuning: ProducerTuning;
  /** Let go of where there are many lanes, and when it has grown. */
  #builder: AggregateBuilder | undefined;
  #open: PendingRecord[] = [];
  #ready: Array<Entry | undefined> = [];
  #readyStart = 0;
  #readyBytes = 0;

  constructor(
    name: string,
    shard: ShardRange | undefined,
    { tuning, timing }: { tuning: ProducerTuning; timing: Timing },
  ) {
    this.name = name;
    this.shard = shard;
    this.#tuning = tuning;
    this.pacer = new Pacer(timing, tuning.rateLimitPercent / 100);
  }

  get shardId(): string | undefined {
    return this.shard?.shardId;
  }

  /** Entries that may go. */
  get readyCount(): number {
    return this.#ready.length - this.#readyStart;
  }

  get readyBytes(): number {
    return this.#readyBytes;
  }

  get isEmpty(): boolean {
    return this.readyCount === 0 && this.#open.length === 0;
  }

  /** When the records that are being gathered are to be closed; `Infinity` when there are none. */
  get closesMs(): number {
    const [first] = this.#open;
    return first === undefined ? Infinity : first.acceptedMs + this.#tuning.lingerMs;
  }

  /** Takes a record whose data is there, and copies the data. Returns whether an entry has become ready. */
  add(record: PendingRecord): boolean {
    const { isAggregating, aggregateBytesMax, aggregateRecordsMax } = this.#tuning;
    const user = record as PendingRecord & { data: Uint8Array };
    const before = this.readyCount;
    const fits = isAggregating && user.data.length + record.partitionKey.length < aggregateBytesMax;
    if (!fits || this.#open.length >= aggregateRecordsMax) this.close();
    this.#builder ??= new AggregateBuilder({ isPutAgainWhole: true });
    if (!this.#builder.add(user, aggregateBytesMax)) {
      this.close();
      this.#builder ??= new AggregateBuilder({ isPutAgainWhole: true });
      this.#builder.add(user);
    }
    this.#open.push(record);
    this.lastNumber = record.number;
    record.data = undefined;
    if (!fits) this.close();
    return this.readyCount > before;
  }

  /** Makes what has been gathered ready. */
  close(): void {
    const records = this.#open;
    const [first] = records;
    if (first === undefined) return;
    const dueMs = this.closesMs;
    const { data, partitionKey, explicitHashKey } = (this.#builder as AggregateBuilder).finish();
    if (this.shardId === undefined || data.length > this.#tuning.aggregateBytesMax) this.#builder = undefined;
    if (records.length === 1) first.data = data;
    this.#open = [];
    const bytes = data.length + Buffer.byteLength(partitionKey);
    this.#ready.push({ lane: this, records, data, partitionKey, explicitHashKey, bytes, dueMs, goesAlone: false });
    this.#readyBytes += bytes;
  }

  /** The one that goes next. */
  get head(): Entry | undefined {
    return this.#ready[this.#readyStart];
  }

  take(): Entry {
    const entry = this.#ready[this.#readyStart] as Entry;
    this.#ready[this.#readyStart++] = undefined; // Not kept in memory until the queue is next made shorter.
    this.#readyBytes -= entry.bytes;
    if (this.#readyStart > 100 && this.#readyStart * 2 > this.#ready.length) this.#shorten();
    return entry;
  }

  /** Puts back what could not be put, before all else. */
  giveBack(entries: readonly Entry[]): void {
    this.#shorten();
    this.#ready = [...entries, ...this.#ready];
    for (const { bytes } of entries) this.#readyBytes += bytes;
  }

  #shorten(): void {
    this.#ready = this.#ready.slice(this.#readyStart);
    this.#readyStart = 0;
  }

  /** Takes everything out, each record with its data. */
  drain(): PendingRecord[] {
    this.close();
    const records: PendingRecord[] = [];
    while (this.readyCount > 0) for (const record of recordsOf(this.take())) records.push(record);
    this.isCurrent = false;
    return records;
  }
}

/** The records of an entry, each with its data again. */
export function recordsOf({ records, data }: Entry): readonly PendingRecord[] {
  if (records.length > 1) {
    const users = deaggregate(data);
    for (const [index, record] of records.entries()) record.data = users?.[index]?.data;
  }
  return records;
}
