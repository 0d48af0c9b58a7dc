import { deaggregate, type HashKey, hashKeyOf } from '../../aggregation/index.ts';
import type { Timing } from '../../timing.ts';
import type { ConsumedShard, ConsumerCalls, Fetched, FetchedRecord, ReadFrom } from '../calls.ts';

interface FakeShard extends ConsumedShard {
  isOpen: boolean;
  readonly records: FetchedRecord[];
  /** Those who wait for a record. */
  waiting: Array<() => void>;
}

const most = 2n ** 128n - 1n;
const hex = (value: bigint): HashKey => value.toString(16).padStart(32, '0');
const valueOf = (hashKey: HashKey): bigint => BigInt(`0x${hashKey}`);

export function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/** A stream in memory that is read as a consumer does, and can be resharded. */
export class FakeStream implements ConsumerCalls {
  readonly shards: FakeShard[] = [];
  /** Calls made, by their names. */
  readonly calls: string[] = [];
  /** Asked before each call: an error fails it, `hang` leaves it without an answer. */
  fateOf: (call: string, shardId: string) => Error | 'good' | 'hang' = () => 'good';
  /** Kinesis records in one answer. */
  answerMax = 100;
  readonly #timing: Timing;
  #sequence = 0;

  constructor(timing: Timing, shards: number) {
    this.#timing = timing;
    const width = 2n ** 128n / BigInt(shards);
    for (let i = 0n; i < BigInt(shards); i++) {
      const end = i === BigInt(shards) - 1n ? most : width * (i + 1n) - 1n;
      this.#addShard({ start: hex(width * i), end: hex(end), parents: [] });
    }
  }

  get openShards(): FakeShard[] {
    return this.shards.filter(({ isOpen }) => isOpen).sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  /** @returns the sequence number */
  put(partitionKey: string, data: string | Uint8Array, hashKey: HashKey = hashKeyOf(partitionKey)): string {
    const shard = this.openShards.find(({ start, end }) => start <= hashKey && hashKey <= end) as FakeShard;
    return this.putInto(shard, partitionKey, data);
  }

  putInto(shard: FakeShard, partitionKey: string, data: string | Uint8Array): string {
    const sequenceNumber = String(++this.#sequence);
    const arrivalTime = new Date(this.#timing.wallMs());
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    shard.records.push({ sequenceNumber, partitionKey, data: bytes, arrivalTime });
    this.#tell(shard);
    return sequenceNumber;
  }

  split(shard: FakeShard): void {
    const [start, end] = [valueOf(shard.start), valueOf(shard.end)];
    this.#close(shard);
    const middle = (start + end) / 2n;
    this.#addShard({ start: shard.start, end: hex(middle), parents: [shard.shardId] });
    this.#addShard({ start: hex(middle + 1n), end: shard.end, parents: [shard.shardId] });
  }

  merge(left: FakeShard, right: FakeShard): void {
    this.#close(left);
    this.#close(right);
    this.#addShard({ start: left.start, end: right.end, parents: [left.shardId, right.shardId] });
  }

  async listShards(
    filter: { readonly Type?: string | undefined } | undefined,
    signal: AbortSignal,
  ): Promise<ConsumedShard[]> {
    await this.#call('listShards', '', signal);
    if (filter === undefined) return [...this.shards];
    if (filter.Type === 'AT_LATEST') return this.openShards;
    return this.shards.filter(({ parentShardIds }) => parentShardIds.length === 0);
  }

  async shardIterator(shardId: string, from: ReadFrom, signal: AbortSignal): Promise<string> {
    await this.#call('shardIterator', shardId, signal);
    return `${shardId}:${this.#indexOf(this.#shard(shardId), from)}`;
  }

  async getRecords(iterator: string, recordsMax: number, signal: AbortSignal): Promise<Fetched> {
    const [shardId, index] = iterator.split(':') as [string, string];
    await this.#call('getRecords', shardId, signal);
    const from = Number(index);
    const records = this.#shard(shardId).records.slice(from, from + Math.min(recordsMax, this.answerMax));
    return this.#fetched(shardId, from, records, (to) => `${shardId}:${to}`);
  }

  async registerConsumer(name: string, signal: AbortSignal): Promise<string | undefined> {
    await this.#call('registerConsumer', '', signal);
    return `arn:${name}`;
  }

  async *subscribe(_arn: string, shardId: string, from: ReadFrom, signal: AbortSignal): AsyncIterable<Fetched> {
    await this.#call('subscribe', shardId, signal);
    const shard = this.#shard(shardId);
    let index = this.#indexOf(shard, from);
    for (;;) {
      await this.#call('event', shardId, signal);
      const records = shard.records.slice(index, index + this.answerMax);
      // A number that the next subscription goes on behind.
      const before = (to: number): string => shard.records[to - 1]?.sequenceNumber ?? '0';
      const fetched = this.#fetched(shardId, index, records, before);
      index += records.length;
      yield fetched;
      if (fetched.next === undefined) return;
      if (index === shard.records.length && shard.isOpen) await this.#arrival(shard, signal);
    }
  }

  /** What a consumer must have seen of each key: user records, in order. */
  userRecordsOf(partitionKey: string): string[] {
    return this.shards.flatMap(({ records }) =>
      records.flatMap((record) =>
        (deaggregate(record.data) ?? [record])
          .filter((user) => user.partitionKey === partitionKey)
          .map(({ data }) => Buffer.from(data).toString()),
      ),
    );
  }

  #fetched(shardId: string, from: number, records: FetchedRecord[], next: (to: number) => string): Fetched {
    const shard = this.#shard(shardId);
    const to = from + records.length;
    const isEnd = !shard.isOpen && to === shard.records.length;
    const children = this.shards.filter(({ parentShardIds }) => parentShardIds.includes(shardId));
    return {
      records,
      millisBehindLatest: to === shard.records.length ? 0 : 1000,
      next: isEnd ? undefined : next(to),
      children: isEnd ? children : [],
    };
  }

  #indexOf({ records }: FakeShard, from: ReadFrom): number {
    if (from.type === 'TRIM_HORIZON') return 0;
    const isAt = (record: FetchedRecord): boolean => {
      if (from.type === 'AT_TIMESTAMP') return record.arrivalTime >= from.timestamp;
      const distance = Number(record.sequenceNumber) - Number('sequenceNumber' in from ? from.sequenceNumber : 0);
      return from.type === 'AT_SEQUENCE_NUMBER' ? distance >= 0 : distance > 0;
    };
    const index = records.findIndex(isAt);
    return index < 0 ? records.length : index;
  }

  #shard(shardId: string): FakeShard {
    const shard = this.shards.find((each) => each.shardId === shardId);
    if (shard === undefined) throw named('ResourceNotFoundException');
    return shard;
  }

  #addShard({ start, end, parents }: { start: HashKey; end: HashKey; parents: string[] }): void {
    const shardId = `shard-${this.shards.length}`;
    this.shards.push({ shardId, parentShardIds: parents, start, end, isOpen: true, records: [], waiting: [] });
  }

  #close(shard: FakeShard): void {
    shard.isOpen = false;
    this.#tell(shard);
  }

  #tell(shard: FakeShard): void {
    for (const go of shard.waiting.splice(0)) go();
  }

  /** Until there is something, or the service says that there is nothing. */
  async #arrival(shard: FakeShard, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      shard.waiting.push(resolve);
      this.#timing.after(5000, resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    signal.throwIfAborted();
  }

  async #call(call: string, shardId: string, signal: AbortSignal): Promise<void> {
    this.calls.push(call);
    const fate = this.fateOf(call, shardId);
    if (fate instanceof Error) throw fate;
    if (fate === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    signal.throwIfAborted();
  }
}
