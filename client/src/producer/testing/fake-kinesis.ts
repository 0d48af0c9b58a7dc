import { deaggregate, hashKeyFromDecimal, type HashKey, hashKeyOf, type UserRecord } from '../../aggregation/index.ts';
import type { Timing } from '../../timing.ts';
import type { KinesisCalls, PutEntry, PutResult, ShardRange } from '../calls.ts';

interface FakeShard extends ShardRange {
  isOpen: boolean;
  readonly records: UserRecord[];
}

/** What happens to a call, or to a record of one. */
export type Fate = 'good' | 'throttled' | 'failed' | 'lost' | 'put-but-lost';

const key = (value: bigint): HashKey => value.toString(16).padStart(32, '0');
const value = (hashKey: HashKey): bigint => BigInt(`0x${hashKey}`);

/** A stream in memory that puts what it is told to, and can be resharded. */
export class FakeKinesis implements KinesisCalls {
  readonly shards: FakeShard[] = [];
  readonly calls: Array<readonly PutEntry[]> = [];
  delayMs = 0;
  canList = true;
  /** Asked for each call, with `undefined`, and then for each of its records. */
  fateOf: (entry: PutEntry | undefined) => Fate | Error = () => 'good';
  readonly #timing: Timing;
  #sequence = 0;

  constructor(timing: Timing, shards: number) {
    this.#timing = timing;
    const width = 2n ** 128n / BigInt(shards);
    for (let i = 0n; i < BigInt(shards); i++)
      this.#addShard(width * i, i === BigInt(shards) - 1n ? 2n ** 128n - 1n : width * (i + 1n) - 1n);
  }

  get openShards(): FakeShard[] {
    return this.shards.filter(({ isOpen }) => isOpen).sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  split(shard: FakeShard): void {
    const [start, end] = [value(shard.start), value(shard.end)];
    shard.isOpen = false;
    this.#addShard(start, (start + end) / 2n);
    this.#addShard((start + end) / 2n + 1n, end);
  }

  merge(left: FakeShard, right: FakeShard): void {
    left.isOpen = false;
    right.isOpen = false;
    this.#addShard(value(left.start), value(right.end));
  }

  /** What the KCL sees: the records of each shard in order, without aggregates that have a record which does not belong to it. */
  consumed(): UserRecord[][] {
    return this.shards.map(({ records, start, end }) =>
      records.flatMap((record) => {
        const users = deaggregate(record.data);
        if (users === undefined) return [record];
        const hashKeys = users.map(hashKeyOfUser);
        return hashKeys.every((hashKey) => start <= hashKey && hashKey <= end) ? users : [];
      }),
    );
  }

  async listShards(which: 'open' | 'all'): Promise<ShardRange[]> {
    await this.#pause();
    if (!this.canList) throw named('AccessDeniedException');
    return which === 'open' ? this.openShards : this.shards;
  }

  async putRecords(entries: readonly PutEntry[], signal: AbortSignal): Promise<PutResult[]> {
    this.calls.push(entries);
    const fate = this.fateOf(undefined);
    await this.#pause(signal);
    if (fate instanceof Error) throw fate;
    if (fate === 'throttled') throw named('ProvisionedThroughputExceededException');
    if (fate === 'failed' || fate === 'lost') throw named('ECONNRESET');
    const results = entries.map((entry) => this.#putOne(entry));
    if (fate === 'put-but-lost') throw named('ECONNRESET');
    return results;
  }

  #putOne(entry: PutEntry): PutResult {
    const fate = this.fateOf(entry);
    if (fate === 'throttled')
      return { isPut: false, code: 'ProvisionedThroughputExceededException', message: 'slow down' };
    if (fate !== 'good') return { isPut: false, code: 'InternalFailure', message: 'try again' };
    const hashKey = hashKeyOfUser(entry);
    const shard = this.openShards.find(({ start, end }) => start <= hashKey && hashKey <= end) as FakeShard;
    shard.records.push({ ...entry, data: Buffer.from(entry.data) });
    return { isPut: true, shardId: shard.shardId, sequenceNumber: String(++this.#sequence) };
  }

  #addShard(start: bigint, end: bigint): void {
    const shardId = `shardId-${String(this.shards.length).padStart(12, '0')}`;
    this.shards.push({ shardId, start: key(start), end: key(end), isOpen: true, records: [] });
  }

  async #pause(signal?: AbortSignal): Promise<void> {
    if (this.delayMs === 0) return;
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#timing.after(this.delayMs, resolve);
      signal?.addEventListener('abort', () => {
        cancel();
        reject(named('AbortError'));
      });
    });
  }
}

export function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

function hashKeyOfUser({ partitionKey, explicitHashKey }: Omit<UserRecord, 'data'>): HashKey {
  return explicitHashKey === undefined ? hashKeyOf(partitionKey) : hashKeyFromDecimal(explicitHashKey);
}
