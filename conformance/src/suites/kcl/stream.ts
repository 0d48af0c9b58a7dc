import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { isOpen, listShards } from '../../durability/shard-list.ts';

const keys = Array.from({ length: 48 }, (_, i) => `key-${i}`);
const batchEveryMs = 200;
const openMin = 4;
const openMax = 14;

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

  /** Splits, merges and scales at random, one step after the other. */
  async reshardUntil(endMs: number, everyMs: number): Promise<void> {
    const resharder = await Resharder.of(this.#control, { streamName: this.name, openMin, openMax });
    const random = new SeededRandom(Date.now());
    for (;;) {
      await sleep(everyMs);
      if (performance.now() >= endMs) return;
      const fault = await resharder.make(this.#control, await resharder.plan(this.#control, random));
      if (fault !== undefined) throw new Error(fault);
      this.reshards++;
    }
  }

  async closedShards(): Promise<string[]> {
    const shards = await listShards(this.#control, this.name);
    return shards.filter((shard) => !isOpen(shard)).map(({ ShardId }) => ShardId);
  }

  close(): void {
    this.#puts.close();
    this.#control.close();
  }
}
