import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../durability/connection.ts';

const keys = Array.from({ length: 48 }, (_, i) => `key-${i}`);
const batchEveryMs = 200;
const openShardsMin = 4;
const openShardsMax = 14;

interface ShardFacts {
  readonly ShardId: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
  readonly SequenceNumberRange: { readonly EndingSequenceNumber?: string };
}

/** A stream that records are put into, each key's numbered from 0, and that is resharded meanwhile. */
export class ProducedStream {
  readonly name: string;
  /** By key: how many have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  reshards = 0;
  readonly #puts: Connection;
  readonly #control: Connection;

  constructor(endpoint: string, name: string) {
    this.name = name;
    this.#puts = new Connection(endpoint);
    this.#control = new Connection(endpoint);
  }

  async create(shards: number): Promise<void> {
    await this.#control.mustCall('CreateStream', { StreamName: this.name, ShardCount: shards });
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  /** A record of every key in each call, one call after the other, so that the order of a key is that of its numbers. */
  async produceUntil(endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      const startedMs = performance.now();
      const Records = keys.map((key) => ({
        PartitionKey: key,
        Data: Buffer.from(`${key} ${this.acknowledged.get(key) ?? 0}`),
      }));
      const { FailedRecordCount } = await this.#puts.mustCall('PutRecords', { StreamName: this.name, Records });
      if (FailedRecordCount !== 0) throw new Error(`PutRecords: ${String(FailedRecordCount)} records failed`);
      for (const key of keys) this.acknowledged.set(key, (this.acknowledged.get(key) ?? 0) + 1);
      await sleep(Math.max(0, batchEveryMs - (performance.now() - startedMs)));
    }
  }

  /** Splits, merges and scales, one step after the other. */
  async reshardUntil(endMs: number, everyMs: number): Promise<void> {
    for (;;) {
      await sleep(everyMs);
      if (performance.now() >= endMs) return;
      await this.#reshard();
      this.reshards++;
    }
  }

  async closedShards(): Promise<string[]> {
    return (await this.#shards()).filter((shard) => !isOpen(shard)).map(({ ShardId }) => ShardId);
  }

  close(): void {
    this.#puts.close();
    this.#control.close();
  }

  async #reshard(): Promise<void> {
    const open = (await this.#shards()).filter(isOpen).toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    const step = this.reshards % 5;
    const at = Math.floor(Math.random() * (open.length - 1));
    if (step === 4) await this.#scale(open.length);
    else if (open.length <= openShardsMin || (step % 2 === 0 && open.length < openShardsMax))
      await this.#split(open[at] as ShardFacts);
    else await this.#merge(open[at] as ShardFacts, open[at + 1] as ShardFacts);
  }

  async #split({ ShardId, HashKeyRange }: ShardFacts): Promise<void> {
    const middle = (BigInt(HashKeyRange.StartingHashKey) + BigInt(HashKeyRange.EndingHashKey) + 1n) / 2n;
    const input = { StreamName: this.name, ShardToSplit: ShardId, NewStartingHashKey: String(middle) };
    await this.#control.mustCall('SplitShard', input);
  }

  async #merge({ ShardId }: ShardFacts, next: ShardFacts): Promise<void> {
    const input = { StreamName: this.name, ShardToMerge: ShardId, AdjacentShardToMerge: next.ShardId };
    await this.#control.mustCall('MergeShards', input);
  }

  async #scale(open: number): Promise<void> {
    const TargetShardCount = open > 2 * openShardsMin ? Math.ceil(open / 2) : open + 2;
    const input = { StreamName: this.name, TargetShardCount, ScalingType: 'UNIFORM_SCALING' };
    await this.#control.mustCall('UpdateShardCount', input);
  }

  async #shards(): Promise<ShardFacts[]> {
    const { Shards } = await this.#control.mustCall('ListShards', { StreamName: this.name });
    return Shards as ShardFacts[];
  }
}

function isOpen({ SequenceNumberRange }: ShardFacts): boolean {
  return SequenceNumberRange.EndingSequenceNumber === undefined;
}

function startOf({ HashKeyRange }: ShardFacts): bigint {
  return BigInt(HashKeyRange.StartingHashKey);
}
