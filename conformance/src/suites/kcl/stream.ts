import { setTimeout as sleep } from 'node:timers/promises';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { Producer } from '@millrace/client';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { isOpen, listOpenShards, listShards } from '../../durability/shard-list.ts';
import { credentials, region } from '../../harness/target.ts';

/** Each record of these is put as it is. */
const plainKeys = Array.from({ length: 24 }, (_, i) => `key-${i}`);
/** Records of these go into aggregates, which the library must take apart and whose order must hold. */
const packedKeys = Array.from({ length: 24 }, (_, i) => `packed-${i}`);
const batchEveryMs = 200;
const heldCheckMs = 50;
const openMin = 4;
const openMax = 14;

/** A stream that records are put into, each key's numbered from 0, and that is resharded meanwhile. */
export class ProducedStream {
  readonly name: string;
  /** By key: how many have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  /** Records, as `KEY/NUMBER`, that took the producer more than one attempt: one that a reshard sent to a wrong shard is there twice. */
  readonly putAgain = new Set<string>();
  reshards = 0;
  readonly #puts: Connection;
  readonly #control: Connection;
  readonly #client: KinesisClient;
  #producer: Producer | undefined;

  constructor(endpoint: string, name: string) {
    this.name = name;
    this.#puts = new Connection(endpoint);
    this.#control = new Connection(endpoint);
    const requestHandler = new NodeHttpHandler();
    this.#client = new KinesisClient({ endpoint, region, credentials, requestHandler, maxAttempts: 1 });
  }

  async create(shards: number): Promise<void> {
    await this.#control.mustCall('CreateStream', { StreamName: this.name, ShardCount: shards });
    const options = { ordering: 'perKey', lingerMs: 20 } as const;
    this.#producer = await Producer.open({ client: this.#client, stream: this.name, ...options });
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  /** A record of every key in each round, one round after the other, so that the order of a key is that of its numbers. */
  async produceUntil(endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      const startedMs = performance.now();
      await Promise.all([this.#putPlain(), this.#putPacked()]);
      for (const key of [...plainKeys, ...packedKeys]) this.acknowledged.set(key, this.#numberOf(key) + 1);
      await sleep(Math.max(0, batchEveryMs - (performance.now() - startedMs)));
    }
  }

  async #putPlain(): Promise<void> {
    const Records = plainKeys.map((key) => ({ PartitionKey: key, Data: Buffer.from(this.#nextOf(key)) }));
    const { FailedRecordCount } = await this.#puts.mustCall('PutRecords', { StreamName: this.name, Records });
    if (FailedRecordCount !== 0) throw new Error(`PutRecords: ${String(FailedRecordCount)} records failed`);
  }

  async #putPacked(): Promise<void> {
    const producer = this.#producer as Producer;
    const put = async (key: string): Promise<void> => {
      const ticket = await producer.put({ partitionKey: key, data: this.#nextOf(key) });
      const { attempts } = await ticket.acknowledged;
      if (attempts.length > 1) this.putAgain.add(`${key}/${this.#numberOf(key)}`);
    };
    await Promise.all(packedKeys.map(put));
  }

  #nextOf(key: string): string {
    return `${key} ${this.#numberOf(key)}`;
  }

  /** Of its next record. */
  #numberOf(key: string): number {
    return this.acknowledged.get(key) ?? 0;
  }

  /** Splits, merges and scales at random, one step after the other, for as long as `isWanted`; a step waits while it `isHeld`. */
  async reshardWhile(isWanted: () => boolean, everyMs: number, isHeld = (): boolean => false): Promise<void> {
    const resharder = await Resharder.of(this.#control, { streamName: this.name, openMin, openMax });
    const random = new SeededRandom(Date.now());
    for (;;) {
      await sleep(everyMs);
      while (isWanted() && isHeld()) await sleep(heldCheckMs);
      if (!isWanted()) return;
      const fault = await resharder.make(this.#control, await resharder.plan(this.#control, random));
      if (fault !== undefined) throw new Error(fault);
      this.reshards++;
    }
  }

  async openShards(): Promise<string[]> {
    return (await listOpenShards(this.#control, this.name)).map(({ ShardId }) => ShardId);
  }

  async closedShards(): Promise<string[]> {
    const shards = await listShards(this.#control, this.name);
    return shards.filter((shard) => !isOpen(shard)).map(({ ShardId }) => ShardId);
  }

  async close(): Promise<void> {
    await this.#producer?.close();
    this.#client.destroy();
    this.#puts.close();
    this.#control.close();
  }
}
