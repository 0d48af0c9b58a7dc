import type { Connection } from './connection.ts';
import type { SeededRandom } from './seeded-random.ts';
import { endOf, hashKeyMax, listOpenShards, openOnes, startOf, type WireShard } from './shard-list.ts';

/** A call that changes the shards, and whether the open ones begin where it makes them begin. */
export interface Change {
  readonly operation: 'SplitShard' | 'MergeShards' | 'UpdateShardCount';
  readonly input: object;
  readonly isDone: (starts: readonly bigint[]) => boolean;
}

export interface ResharderOptions {
  readonly streamName: string;
  /** Open shards stay within. */
  readonly openMin: number;
  readonly openMax: number;
}

/** No part of a split may be as small as one hash key. */
const splittableWidthMin = 4n;

/** Reshards one stream at random, a call after the other, and knows from what was answered which shards have to be open. */
export class Resharder {
  readonly #options: ResharderOptions;
  /** Whether the open shards begin where they should, as far as it was answered. */
  #isExpected: (starts: readonly bigint[]) => boolean;
  /** The call that has no answer yet. */
  #pending: Change | undefined;

  private constructor(options: ResharderOptions, open: readonly WireShard[]) {
    this.#options = options;
    this.#isExpected = isSame(startsOf(open));
  }

  static async of(connection: Connection, options: ResharderOptions): Promise<Resharder> {
    return new Resharder(options, await listOpenShards(connection, options.streamName));
  }

  /** The next change. @throws NoAnswerError */
  async plan(connection: Connection, random: SeededRandom): Promise<Change> {
    return pickChange(openOnes(await listOpenShards(connection, this.#options.streamName)), random, this.#options);
  }

  /** Makes a change; says what is wrong with the answer, or with the shards after it. @throws NoAnswerError */
  async make(connection: Connection, { operation, input, isDone }: Change): Promise<string | undefined> {
    const { streamName: StreamName } = this.#options;
    this.#pending = { operation, input, isDone };
    const { status, type, body } = await connection.call(operation, { StreamName, ...input });
    this.#pending = undefined;
    if (status !== 200) return `${operation} of ${StreamName} answered ${status} ${type}: ${String(body['message'])}`;
    this.#isExpected = isDone;
    const starts = startsOf(await listOpenShards(connection, StreamName));
    const isRight = this.#isExpected(starts);
    this.#isExpected = isSame(starts);
    return isRight ? undefined : `after ${operation} the shards of ${StreamName} begin at ${starts.join()}`;
  }

  /**
   * After a restart: what was answered has happened, and what was not has happened wholly or not at all.
   *
   * @returns what became of the call without an answer, if there was one
   */
  settle(shards: readonly WireShard[]): 'applied' | 'not applied' | 'wrong' | undefined {
    const starts = startsOf(shards);
    const pending = this.#pending;
    const isAsBefore = this.#isExpected(starts);
    const isAsAfter = pending?.isDone(starts) === true;
    this.#pending = undefined;
    this.#isExpected = isSame(starts);
    if (!isAsBefore && !isAsAfter) return 'wrong';
    if (pending === undefined) return undefined;
    return isAsAfter ? 'applied' : 'not applied';
  }
}

function pickChange(open: readonly WireShard[], random: SeededRandom, options: ResharderOptions): Change {
  const { openMin, openMax } = options;
  const starts = startsOf(open);
  if (random.chance(0.2)) {
    const least = Math.max(openMin, Math.ceil(open.length / 2));
    const count = random.int(least, Math.min(openMax, open.length * 2));
    return {
      operation: 'UpdateShardCount',
      input: { TargetShardCount: count, ScalingType: 'UNIFORM_SCALING' },
      isDone: (now) => now.length === count && areEven(now),
    };
  }
  if (open.length > openMin && (open.length >= openMax || random.chance(0.5))) {
    const at = random.int(0, open.length - 2);
    const [lower, upper] = open.slice(at) as [WireShard, WireShard];
    return {
      operation: 'MergeShards',
      input: { ShardToMerge: lower.ShardId, AdjacentShardToMerge: upper.ShardId },
      isDone: isSame(starts.toSpliced(at + 1, 1)),
    };
  }
  const shard = random.pick(open.filter((each) => endOf(each) - startOf(each) >= splittableWidthMin));
  const at = hashKeyInside(shard, random);
  return {
    operation: 'SplitShard',
    input: { ShardToSplit: shard.ShardId, NewStartingHashKey: String(at) },
    isDone: isSame(starts.toSpliced(open.indexOf(shard) + 1, 0, at)),
  };
}

/** Anywhere in the range of a shard where it can be split; often enough as near to its ends as may be. */
function hashKeyInside(shard: WireShard, random: SeededRandom): bigint {
  const least = startOf(shard) + 2n;
  const most = endOf(shard) - 1n;
  if (random.chance(0.05)) return random.pick([least, most]);
  const scale = 2 ** 32;
  return least + ((most - least) * BigInt(random.int(0, scale))) / BigInt(scale);
}

/** As UpdateShardCount leaves them: a boundary that is there already stays where it is no more than this off. */
const unevenMax = 1n << 20n;

function areEven(starts: readonly bigint[]): boolean {
  const count = BigInt(starts.length);
  return starts.every((start, i) => {
    const offBy = start - (BigInt(i) * (hashKeyMax + 1n)) / count;
    return -unevenMax <= offBy && offBy <= unevenMax;
  });
}

function isSame(right: readonly bigint[]): (starts: readonly bigint[]) => boolean {
  return (starts) => starts.join() === right.join();
}

function startsOf(shards: readonly WireShard[]): bigint[] {
  return openOnes(shards).map(startOf);
}
