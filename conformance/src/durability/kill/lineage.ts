import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../seeded-random.ts';
import { blobOf, NoAnswerError, type Connection } from '../connection.ts';
import { makeStream } from './books.ts';
import type { Ledger } from './ledger.ts';

const keyCount = 16;
const openMax = 8;
const shardCount = 2;
const hashEnd = 2n ** 128n - 1n;
const pageRecords = 10_000;
const pauseMsMax = 10;

interface WireShard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
  readonly SequenceNumberRange: { readonly EndingSequenceNumber?: string };
}

/** What a worker of a load has of it. */
interface Worker {
  readonly load: { readonly isStopped: boolean; readonly world: { readonly ledger: Ledger } };
  readonly connection: Connection;
  readonly random: SeededRandom;
}

/** A call that changes the shards, and whether the open ones are what it makes of them. */
interface Change {
  readonly operation: string;
  readonly input: object;
  readonly isDone: (starts: readonly bigint[]) => boolean;
}

/**
 * A stream that is resharded all the time, and has a checker of its own: what was put is followed from parents to children, where each key
 * keeps its order, whatever shard it is in.
 */
export class Lineage {
  readonly name = 'lineage';
  /** By `key/number`. `unknown`: no answer came. `absent`: refused, or not there after a restart. */
  readonly #attempts = new Map<string, 'unknown' | 'stored' | 'absent'>();
  #nextNumber = 0;
  /** Whether the open shards begin where they should, as far as it was answered. */
  #isExpected: (starts: readonly bigint[]) => boolean = () => true;
  #pending: Change | undefined;

  static async make(connection: Connection): Promise<Lineage> {
    const lineage = new Lineage();
    await makeStream(connection, lineage.name, shardCount);
    lineage.#isExpected = isSame(startsOf(await listShards(connection, lineage.name)));
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
    while (!load.isStopped) {
      try {
        const open = openOnes(await listShards(connection, this.name));
        const change = this.#pickChange(open, (max) => random.int(0, max));
        this.#pending = change;
        const { status, type, body } = await connection.call(change.operation, {
          StreamName: this.name,
          ...change.input,
        });
        if (status === 200) ledger.counts.reshards++;
        else
          ledger.violate(`${change.operation} of ${this.name} answered ${status} ${type}: ${String(body['message'])}`);
        this.#pending = undefined;
        if (status === 200) this.#isExpected = change.isDone;
        const starts = startsOf(await listShards(connection, this.name));
        if (!this.#isExpected(starts)) {
          ledger.violate(`after ${change.operation} the shards of ${this.name} begin at ${starts.join()}`);
        }
        this.#isExpected = isSame(starts);
      } catch (error) {
        if (error instanceof NoAnswerError) return;
        throw error;
      }
      await sleep(random.int(0, pauseMsMax));
    }
  }

  /** @param pick   a whole number up to and with its argument */
  #pickChange(open: readonly WireShard[], pick: (max: number) => number): Change {
    const starts = open.map(startOf);
    const at = pick(open.length - 1);
    const shard = open[at] as WireShard;
    const next = open[at + 1];
    const dice = pick(9);
    if (dice < 2) {
      const count = Math.max(1, Math.min(openMax, Math.ceil(open.length / 2) + pick(open.length)));
      const input = { TargetShardCount: count, ScalingType: 'UNIFORM_SCALING' };
      return { operation: 'UpdateShardCount', input, isDone: (now) => now.length === count };
    }
    if (next !== undefined && (dice < 6 || open.length >= openMax)) {
      const input = { ShardToMerge: shard.ShardId, AdjacentShardToMerge: next.ShardId };
      return { operation: 'MergeShards', input, isDone: isSame(starts.toSpliced(at + 1, 1)) };
    }
    const middle = (startOf(shard) + BigInt(shard.HashKeyRange.EndingHashKey)) / 2n + BigInt(pick(1000));
    const input = { ShardToSplit: shard.ShardId, NewStartingHashKey: String(middle) };
    return { operation: 'SplitShard', input, isDone: isSame(starts.toSpliced(at + 1, 0, middle)) };
  }

  /** After a restart: reads every shard, parents before children, and holds it against what was answered. */
  async verify(connection: Connection, ledger: Ledger): Promise<void> {
    const shards = await listShards(connection, this.name);
    this.#compareShards(shards, ledger);
    const last = new Map<string, number>();
    const found = new Set<string>();
    for (const shard of shards) {
      for (const name of await this.#readShard(connection, shard, shards, ledger)) {
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
    const open = openOnes(shards);
    const ends = open.map(({ HashKeyRange }) => BigInt(HashKeyRange.EndingHashKey));
    const isWhole = open.every((each, i) => startOf(each) === (i === 0 ? 0n : (ends[i - 1] as bigint) + 1n));
    if (!isWhole || ends.at(-1) !== hashEnd) ledger.violate(`the open shards of ${this.name} do not cover all keys`);
    const starts = startsOf(shards);
    const isAsBefore = this.#isExpected(starts);
    const isAsAfter = this.#pending?.isDone(starts) === true;
    if (!isAsBefore && !isAsAfter) {
      ledger.violate(`the shards of ${this.name} begin at ${starts.join()}, which nobody was answered`);
    }
    if (this.#pending !== undefined) ledger.counts[isAsAfter ? 'controlApplied' : 'controlNotApplied']++;
    this.#pending = undefined;
    this.#isExpected = isSame(starts);
    const closed = new Set(shards.filter((each) => !open.includes(each)).map(({ ShardId }) => ShardId));
    for (const shard of shards) {
      for (const parent of parentsOf(shard)) {
        if (!closed.has(parent)) ledger.violate(`${parent}, parent of ${shard.ShardId}, is not there, or is open`);
      }
    }
  }

  async #readShard(
    connection: Connection,
    shard: WireShard,
    shards: readonly WireShard[],
    ledger: Ledger,
  ): Promise<string[]> {
    const names: string[] = [];
    const isOpen = shard.SequenceNumberRange.EndingSequenceNumber === undefined;
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
        const right = shards.filter((each) => parentsOf(each).includes(shard.ShardId)).map(({ ShardId }) => ShardId);
        if (isOpen) ledger.violate(`${shard.ShardId} of ${this.name} is open and gave no next iterator`);
        if (told.join() !== right.sort().join())
          ledger.violate(`${shard.ShardId} names as its children ${told.join()}`);
        return names;
      }
      if (page.Records.length === 0 && page.MillisBehindLatest === 0) {
        if (!isOpen) ledger.violate(`${shard.ShardId} of ${this.name} is closed and does not end`);
        return names;
      }
      token = page.NextShardIterator as string;
    }
  }
}

const keyOf = (name: string): string => `key ${name.split('/')[0]}`;

function isSame(right: readonly bigint[]): (starts: readonly bigint[]) => boolean {
  return (starts) => starts.join() === right.join();
}

function parentsOf({ ParentShardId, AdjacentParentShardId }: WireShard): string[] {
  return [ParentShardId, AdjacentParentShardId].filter((each) => each !== undefined);
}

function startOf({ HashKeyRange }: WireShard): bigint {
  return BigInt(HashKeyRange.StartingHashKey);
}

/** In the order of their ranges. */
function openOnes(shards: readonly WireShard[]): WireShard[] {
  return shards
    .filter(({ SequenceNumberRange: range }) => range.EndingSequenceNumber === undefined)
    .sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
}

function startsOf(shards: readonly WireShard[]): bigint[] {
  return openOnes(shards).map(startOf);
}

/** All of a stream, in the order of their numbers, in which parents come before children. */
async function listShards(connection: Connection, StreamName: string): Promise<WireShard[]> {
  const shards: WireShard[] = [];
  let page: { Shards?: WireShard[]; NextToken?: string } = {};
  do {
    const input = page.NextToken === undefined ? { StreamName } : { NextToken: page.NextToken };
    page = await connection.mustCall('ListShards', input);
    shards.push(...(page.Shards ?? []));
  } while (page.NextToken !== undefined);
  return shards;
}
