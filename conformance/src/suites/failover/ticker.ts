import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../durability/connection.ts';
import { listOpenShards } from '../../durability/shard-list.ts';

/** A stream that a record is put into each shard of, every few milliseconds: each shard has a key of its own, whose records are numbered from 0. */
export class Ticker {
  readonly name: string;
  /** By key: how many have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  readonly #connection: Connection;
  readonly #hashKeys: string[] = [];
  #ticking: Promise<void> | undefined;
  #isOver = false;

  constructor(endpoint: string, name: string) {
    this.#connection = new Connection(endpoint);
    this.name = name;
  }

  async start(shards: number, everyMs: number): Promise<void> {
    await this.#connection.mustCall('CreateStream', { StreamName: this.name, ShardCount: shards });
    for (const { HashKeyRange } of await listOpenShards(this.#connection, this.name)) {
      this.#hashKeys.push(HashKeyRange.StartingHashKey);
    }
    this.#ticking = this.#tick(everyMs);
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  /** @throws what went wrong with a put */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ticking;
    this.#connection.close();
  }

  async #tick(everyMs: number): Promise<void> {
    for (let number = 0, dueMs = performance.now(); !this.#isOver; number++, dueMs += everyMs) {
      const Records = this.#hashKeys.map((ExplicitHashKey, shard) => {
        const Data = Buffer.from(`tick-${shard} ${number}`);
        return { PartitionKey: `tick-${shard}`, ExplicitHashKey, Data };
      });
      const { FailedRecordCount } = await this.#connection.mustCall('PutRecords', { StreamName: this.name, Records });
      if (FailedRecordCount !== 0) throw new Error(`PutRecords: ${String(FailedRecordCount)} records failed`);
      for (const { PartitionKey } of Records) this.acknowledged.set(PartitionKey, number + 1);
      await sleep(Math.max(0, dueMs + everyMs - performance.now()));
    }
  }
}
