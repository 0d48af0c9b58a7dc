import { setTimeout as sleep } from 'node:timers/promises';
import { blobOf, NoAnswerError, type Connection } from '../connection.ts';
import { Resharder } from '../resharder.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { isOpen, listShards, type WireShard } from '../shard-list.ts';
import { ShardTree } from '../shard-tree.ts';
import { makeStream } from './books.ts';
import type { Ledger } from './ledger.ts';

const keyCount = 16;
const openMax = 8;
const shardCount = 2;
const pageRecords = 10_000;
const pauseMsMax = 10;

/** What a worker of a load has of it. */
interface Worker {
  readonly load: { readonly isStopped: boolean; readonly world: { readonly ledger: Ledger } };
  readonly connection: Connection;
  readonly random: SeededRandom;
}

/**
 * A stream that is resharded all the time, and has a checker of its own: what was put is followed from parents to children, where each key
 * keeps its order, whatever shard it is in.
 */
export class Lineage {
  readonly name = 'lineage';
  /** By `key/number`. `unknown`: no answer came. `absent`: refused, or not there after a restart. */
  readonly #attempts = new Map<string, 'unknown' | 'stored' | 'absent'>();
  readonly #tree = new ShardTree();
  #nextNumber = 0;
  #resharder: Resharder | undefined;

  static async make(connection: Connection): Promise<Lineage> {
    const lineage = new Lineage();
    await makeStream(connection, lineage.name, shardCount);
    lineage.#resharder = await Resharder.of(connection, { streamName: lineage.name, openMin: 1, openMax });
    return lineage;
  }

  /** Puts a record of each key a call, one call after the other. */
  async write({ load, connection }: Omit<Worker, 'random'>): Promise<void> {
    const { ledger } = load.world;
    while (!load.isStopped) {
      const number = this.#nextNumber++;
      const names = Array.from({ length: keyCount }, (_, key) => `${key}/${number}`);
      const Records = names.map((name) => ({ PartitionKey: keyOf(name), Data: Buffer.from(name) }));
      for (const name of names) this.#attempts.set(name, 'unknown');
      try {
        const { status, type, body } = await connection.call('PutRecords', { StreamName: this.name, Records });
        if (status !== 200) ledger.violate(`PutRecords into ${this.name} answered ${status} ${type}`);
        const results = (body['Records'] ?? []) as { ErrorCode?: string; SequenceNumber?: string }[];
        results.forEach(({ SequenceNumber, ErrorCode }, i) => {
          if (SequenceNumber !== undefined) this.#attempts.set(names[i] as string, 'stored');
          else if (ErrorCode !== 'InternalFailure') this.#attempts.set(names[i] as string, 'absent');
        });
      } catch (error) {
        if (error instanceof NoAnswerError) return;
        throw error;
      }
      await sleep(2);
    }
  }

  /** Splits, merges and scales; at most one call is unanswered at a kill. */
  async reshard({ load, connection, random }: Worker): Promise<void> {
    const { ledger } = load.world;
    const resharder = this.#resharder as Resharder;
    while (!load.isStopped) {
      try {
        const wrong = await resharder.make(connection, await resharder.plan(connection, random));
        if (wrong === undefined) ledger.counts.reshards++;
        else ledger.violate(wrong);
      } catch (error) {
        if (error instanceof NoAnswerError) return;
        throw error;
      }
      await sleep(random.int(0, pauseMsMax));
    }
  }

  /** After a restart: reads every shard, parents before children, and holds it against what was answered. */
  async verify(connection: Connection, ledger: Ledger): Promise<void> {
    const shards = await listShards(connection, this.name);
    this.#compareShards(shards, ledger);
    const last = new Map<string, number>();
    const found = new Set<string>();
    for (const shard of shards) {
      for (const name of await this.#readShard(connection, shard, ledger)) {
        const [key = '', number] = name.split('/');
        const state = this.#attempts.get(name);
        if (state === undefined || state === 'absent')
          ledger.violate(`${name} is in ${shard.ShardId}, and should not be`);
        if (found.has(name)) ledger.violate(`${name} is there twice, again in ${shard.ShardId}`);
        if (Number(number) <= (last.get(key) ?? -1))
          ledger.violate(`${name} in ${shard.ShardId} is behind ${last.get(key)}`);
        last.set(key, Number(number));
        found.add(name);
      }
    }
    for (const [name, state] of this.#attempts) {
      if (state === 'stored' && !found.has(name)) ledger.violate(`${name}, acknowledged by ${this.name}, is lost`);
      if (state === 'unknown') this.#attempts.set(name, found.has(name) ? 'stored' : 'absent');
    }
  }

  #compareShards(shards: readonly WireShard[], ledger: Ledger): void {
    for (const sentence of this.#tree.take(shards)) ledger.violate(`${this.name}: ${sentence}`);
    const outcome = this.#resharder?.settle(shards);
    if (outcome === 'wrong') ledger.violate(`the open shards of ${this.name} are what nobody was answered`);
    if (outcome === 'applied') ledger.counts.controlApplied++;
    if (outcome === 'not applied') ledger.counts.controlNotApplied++;
  }

  async #readShard(connection: Connection, shard: WireShard, ledger: Ledger): Promise<string[]> {
    const names: string[] = [];
    const start = { StreamName: this.name, ShardId: shard.ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let token = (await connection.mustCall('GetShardIterator', start))['ShardIterator'] as string;
    for (;;) {
      const page = (await connection.mustCall('GetRecords', { ShardIterator: token, Limit: pageRecords })) as {
        Records: { Data: unknown }[];
        NextShardIterator?: string;
        MillisBehindLatest: number;
        ChildShards?: { ShardId: string }[];
      };
      for (const { Data } of page.Records) names.push(Buffer.from(blobOf(Data)).toString());
      const isEnd = page.NextShardIterator === undefined;
      if (isEnd) {
        const told = (page.ChildShards ?? []).map(({ ShardId }) => ShardId).sort();
        const right = this.#tree.childrenOf(shard.ShardId).map(({ ShardId }) => ShardId);
        if (isOpen(shard)) ledger.violate(`${shard.ShardId} of ${this.name} is open and gave no next iterator`);
        if (told.join() !== right.sort().join())
          ledger.violate(`${shard.ShardId} names as its children ${told.join()}`);
        return names;
      }
      if (page.Records.length === 0 && page.MillisBehindLatest === 0) {
        if (!isOpen(shard)) ledger.violate(`${shard.ShardId} of ${this.name} is closed and does not end`);
        return names;
      }
      token = page.NextShardIterator as string;
    }
  }
}

const keyOf = (name: string): string => `key ${name.split('/')[0]}`;
