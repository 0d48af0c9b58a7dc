import { type GetRecordsOutput, WireError } from '../../../platform/src/model/index.ts';
import { parseSequenceNumber } from '../../../platform/src/streams/shard/sequence-number.ts';
import { smallLimits } from '../crash-world.ts';
import { SeededRandom } from '../seeded-random.ts';
import { SimClock, tick } from '../sim-clock.ts';
import { SimDisk } from '../sim-disk.ts';
import { caller, startStreams, type StreamsHarness } from '../streams-harness.ts';
import { answerOf, fateOfCode, travel, type Answer, type Operation } from './answer.ts';
import { Follower, type Look } from './follower.ts';
import { History } from './history.ts';
import { Ledger, shardKey, type ListedShard } from './ledger.ts';
import { Polling } from './polling.ts';
import { Subscribing, subscriptionTimes } from './subscribing.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Things that happen: calls, crashes, faults, leaps of the clock. A shorter run is the beginning of a longer one. */
  readonly steps: number;
}

export interface SimulationReport {
  readonly history: History;
  readonly calls: number;
  readonly crashes: number;
  /** Records known to be stored. */
  readonly stored: number;
  /** Records that readers were given who follow a stream's lineage. */
  readonly followed: number;
}

/** What does not hold, and after how many steps it showed. */
export class SimulationError extends Error {
  readonly steps: number;
  readonly history: History;

  constructor(steps: number, history: History, cause: unknown) {
    super(`after ${steps} steps: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.steps = steps;
    this.history = history;
  }
}

const names = ['alpha', 'beta', 'gamma'] as const;
type Name = (typeof names)[number];
const callsMax = 12;
/** Of one stream. */
const followersMax = 3;
const idleTicksMax = 5000;
/** A log that has failed is restarted after so many steps. */
const patienceSteps = 30;

/**
 * Data Streams from the request handler down, on a simulated disk and clock, with a network that delays, and loses answers, between it
 * and its clients. All of it follows from one seed.
 *
 * @throws SimulationError
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const world = new World(options);
  try {
    await world.run();
  } catch (error) {
    throw new SimulationError(world.step, world.history, error);
  }
  return world;
}

class World implements SimulationReport {
  readonly history = new History();
  calls = 0;
  crashes = 0;
  followed = 0;
  step = 0;
  readonly #steps: number;
  readonly #random: SeededRandom;
  readonly #network: SeededRandom;
  readonly #ledger = new Ledger(names);
  readonly #limits: ReturnType<typeof smallLimits>;
  /** Names whose stream is being made or removed. */
  readonly #changing = new Set<Name>();
  readonly #underWay = new Set<Promise<void>>();
  #followers: Follower[] = [];
  #nextFollower = 1;
  #disk: SimDisk;
  #clock = new SimClock();
  #server: StreamsHarness | undefined;
  #onDeath: Array<() => void> = [];
  #nextData = 1;
  #nextCall = 1;
  #failedSteps = 0;
  #problem: unknown;

  constructor({ seed, steps }: SimulationOptions) {
    this.#steps = steps;
    this.#random = new SeededRandom(seed);
    this.#network = this.#random.fork();
    this.#limits = smallLimits(this.#random.fork());
    const capacityBytes = this.#random.chance(0.2) ? this.#random.between(120, 250) * 1024 : Infinity;
    this.#disk = new SimDisk(this.#random.fork(), { isSlow: true, capacityBytes });
  }

  get stored(): number {
    return this.#ledger.storedCount;
  }

  async run(): Promise<void> {
    await this.#start();
    for (; this.step < this.#steps; this.step++) {
      await this.#oneStep(this.#random.fork());
      if (this.#problem !== undefined) throw this.#problem;
      if (this.#disk.isStopped) await this.#restart('at a step of the disk', this.#random.fork());
    }
    await this.#quiet();
    if (this.#disk.isStopped) await this.#restart('at a step of the disk', this.#random.fork());
    await this.#verify();
    await this.#restart('at the end', this.#random.fork());
  }

  async #oneStep(random: SeededRandom): Promise<void> {
    const kind = random.below(1000);
    if (kind < 900) {
      if (this.#underWay.size < callsMax) this.#begin(random);
    } else if (kind < 950) this.#clock.advance(random.pick([1, 20, 300, 1000]));
    else if (kind < 960) this.#leap(random.pick([-60_000, -1000, 5000, 120_000]));
    else if (kind < 975) {
      this.history.add('the disk will stop');
      this.#disk.stopAtStep = this.#disk.steps + random.between(1, 60);
    } else if (kind < 982) await this.#restart('at once', random);
    else if (kind < 986) this.#break(random);
    else if (kind < 990) {
      await this.#quiet();
      if (!this.#disk.isStopped) await this.#verify();
    }
    for (let ticks = random.pick([0, 0, 1, 3, 10]); ticks > 0; ticks--) await tick();
    const isFailed = this.#server?.log.status().state === 'read-only';
    this.#failedSteps = isFailed ? this.#failedSteps + 1 : 0;
    if (this.#failedSteps > patienceSteps) await this.#restart('since the log has failed', random);
  }

  #leap(ms: number): void {
    this.history.add(`the clock leaps by ${ms}`);
    this.#clock.set(this.#clock.now() + ms);
  }

  #break(random: SeededRandom): void {
    const [operation, code] = random.pick([
      ['write', 'EIO'],
      ['write', 'ENOSPC'],
      ['sync', 'EIO'],
      ['read', 'EIO'],
    ] as const);
    this.history.add(`a ${operation} will fail with ${code}`);
    this.#disk.fail({
      operation,
      code,
      path: random.pick([/^journal/, /^segments/, /^checkpoint/]),
      nth: random.between(1, 10),
    });
  }

  #begin(random: SeededRandom): void {
    const call = this.#call(random).catch((error: unknown) => {
      this.#problem ??= error;
    });
    this.#underWay.add(call);
    void call.finally(() => this.#underWay.delete(call));
  }

  #call(random: SeededRandom): Promise<void> {
    const name = random.pick(names);
    const kind = random.below(100);
    if (kind < 40) return this.#putRecord(name, random);
    if (kind < 60) return this.#putRecords(name, random);
    if (kind < 85) return this.#follow(name, random);
    if (this.#changing.has(name)) return Promise.resolve();
    this.#changing.add(name);
    return this.#change(name, kind, random).finally(() => this.#changing.delete(name));
  }

  #change(name: Name, kind: number, random: SeededRandom): Promise<void> {
    if (kind < 94 && this.#ledger.existenceOf(name) !== 'present') return this.#create(name, random);
    if (kind < 92) return this.#reshard(name, random);
    return kind < 98 ? this.#tag(name, random) : this.#delete(name, random);
  }

  /** Where records lie afterwards, readers find out by themselves. */
  async #reshard(name: Name, random: SeededRandom): Promise<void> {
    const { output } = await this.#ask('listShards', { StreamName: name });
    const shards = (output as { Shards?: WireShard[] } | undefined)?.Shards ?? [];
    const open = shards.filter(({ SequenceNumberRange: range }) => range.EndingSequenceNumber === undefined);
    if (open.length === 0) return;
    const shard = random.pick(open);
    const { ShardId, HashKeyRange: range } = shard;
    const other = random.pick(open);
    const middle = (BigInt(range.StartingHashKey) + BigInt(range.EndingHashKey)) / 2n;
    const count = Math.min(8, random.between(Math.ceil(open.length / 2), open.length * 2));
    const [operation, input, closed] = random.pick([
      ['splitShard', { ShardToSplit: ShardId, NewStartingHashKey: String(middle) }, [shard]],
      ['mergeShards', { ShardToMerge: ShardId, AdjacentShardToMerge: other.ShardId }, [shard, other]],
      ['updateShardCount', { TargetShardCount: count, ScalingType: 'UNIFORM_SCALING' }, []],
    ] as const);
    const { fate } = await this.#ask(operation, { StreamName: name, ...input });
    if (fate === 'acknowledged') this.#ledger.closed(closed.map((each) => keyOf(name, each)));
  }

  async #create(name: Name, random: SeededRandom): Promise<void> {
    const answer = await this.#ask('createStream', { StreamName: name, ShardCount: random.between(1, 3) });
    this.#ledger.created(name, answer.fate, answer.code === 'ResourceInUseException');
  }

  async #delete(name: Name, random: SeededRandom): Promise<void> {
    const gone = this.#followers.filter(({ stream }) => stream === name);
    this.#followers = this.#followers.filter((each) => !gone.includes(each));
    for (const each of gone) each.drop();
    const EnforceConsumerDeletion = random.chance(0.8);
    const answer = await this.#ask('deleteStream', { StreamName: name, EnforceConsumerDeletion });
    this.#ledger.deleted(name, answer.fate, answer.code === 'ResourceNotFoundException');
  }

  async #tag(name: Name, random: SeededRandom): Promise<void> {
    const key = `k${random.below(3)}`;
    const value = `v${this.#nextData++}`;
    const answer = await this.#ask('addTagsToStream', { StreamName: name, Tags: { [key]: value } });
    this.#ledger.tagged(name, key, value, answer.fate);
  }

  #newRecord(name: Name, random: SeededRandom): { Data: Buffer; PartitionKey: string } {
    const data = `r${this.#nextData++}${'.'.repeat(random.pick([0, 10, 100, 400]))}`;
    const PartitionKey = `p${random.below(20)}`;
    this.#ledger.putting(name, data, PartitionKey);
    return { Data: Buffer.from(data), PartitionKey };
  }

  async #putRecord(name: Name, random: SeededRandom): Promise<void> {
    const record = this.#newRecord(name, random);
    const { fate, output } = await this.#ask('putRecord', { StreamName: name, ...record });
    this.#ledger.put(record.Data.toString(), fate, (output as { SequenceNumber?: string } | undefined)?.SequenceNumber);
  }

  async #putRecords(name: Name, random: SeededRandom): Promise<void> {
    const records = Array.from({ length: random.between(1, 6) }, () => this.#newRecord(name, random));
    const { fate, output } = await this.#ask('putRecords', { StreamName: name, Records: records });
    const results = (output as { Records: { SequenceNumber?: string; ErrorCode?: string }[] } | undefined)?.Records;
    records.forEach(({ Data }, i) => {
      const { ErrorCode: code, SequenceNumber: number } = results?.[i] ?? {};
      const each = code === undefined ? fate : fateOfCode(code);
      this.#ledger.put(Data.toString(), each, number);
    });
  }

  /** Lets one of the readers of a stream go on, or a new one begin. */
  #follow(name: Name, random: SeededRandom): Promise<void> {
    // Who reads what is being deleted may get to see anything.
    if (this.#changing.has(name) || this.#ledger.existenceOf(name) !== 'present') return Promise.resolve();
    const followers = this.#followers.filter((each) => each.stream === name);
    if (followers.length === followersMax) return random.pick(followers).step(random);
    const follower = this.#newFollower(name, random.chance(0.5));
    this.#followers.push(follower);
    return follower.step(random);
  }

  #newFollower(name: Name, isPolling: boolean): Follower {
    const subscribing = {
      arnOf: (stream: string) => `arn:aws:kinesis:${caller.region}:${caller.account}:stream/${stream}`,
      onProblem: (error: unknown) => (this.#problem ??= error),
    };
    return new Follower({
      ledger: this.#ledger,
      stream: name,
      label: `${isPolling ? 'polling' : 'pushed'}-${this.#nextFollower++}`,
      ask: (operation, input) => this.#ask(operation, input),
      note: (line, records) => {
        this.history.add(`${this.step} ${line}`);
        this.followed += records;
      },
      wayOf: (parts) => (isPolling ? new Polling(parts) : new Subscribing(parts, subscribing)),
    });
  }

  /** Sends a request and waits for its answer; the server may die meanwhile, and either way takes its time. */
  async #ask(operation: Operation, input: object): Promise<Answer> {
    const id = this.#nextCall++;
    this.calls++;
    this.history.add(`${this.step} ${id} ${operation} ${textOf(input)}`);
    const answer = await this.#exchange(operation, input);
    this.history.add(`${this.step} ${id} ${answer.fate} ${answer.code ?? ''} ${textOf(answer.output)}`);
    return answer;
  }

  async #exchange(operation: Operation, input: object): Promise<Answer> {
    const random = this.#network.fork();
    await travel(random);
    const server = this.#server;
    if (server === undefined || this.#disk.isStopped) return { fate: 'refused', code: 'ECONNREFUSED' };
    const death = new Promise<Answer>((resolve) => {
      this.#onDeath.push(() => resolve({ fate: 'unknown' }));
    });
    const handler = server.streams[operation] as (input: object, by: typeof caller) => Promise<unknown>;
    const answer = await Promise.race([answerOf(() => handler(input, caller)), death]);
    await travel(random);
    return random.chance(0.02) && answer.fate === 'acknowledged' ? { fate: 'unknown', code: 'lost' } : answer;
  }

  async #restart(why: string, random: SeededRandom): Promise<void> {
    this.crashes++;
    const isKill = random.chance(0.4);
    this.history.add(`${this.step} the server dies ${why}, ${isKill ? 'killed' : 'by a power cut'}`);
    this.#disk.stop();
    for (const die of this.#onDeath.splice(0)) die();
    await this.#quiet();
    this.#server = undefined;
    for (const each of this.#followers) each.hangUp();
    this.#disk = isKill ? this.#disk.kill() : this.#disk.powerCut();
    for (let tries = random.pick([0, 0, 0, 1, 2]); tries > 0; tries--) {
      this.#disk.stopAtStep = this.#disk.steps + random.between(1, random.pick([20, 200]));
      await this.#start();
      this.#disk.stop();
      this.#server = undefined;
      this.#disk = random.chance(0.4) ? this.#disk.kill() : this.#disk.powerCut();
    }
    await this.#start();
    await this.#verify(true);
  }

  /** Starts the server, unless its disk stops before it has. */
  async #start(): Promise<void> {
    this.#clock = new SimClock(this.#clock.now());
    const starting = startStreams({
      disk: this.#disk,
      durability: 'fsync',
      engine: this.#limits,
      clock: this.#clock,
      random: this.#random.fork(),
      subscriptions: subscriptionTimes,
    });
    const disk = this.#disk;
    await this.#until(starting, () => disk.isStopped);
    if (disk.isStopped) return;
    this.#server = await starting;
    const { damage } = this.#server.log.status();
    if (damage.length > 0) throw new Error(`damage on a sound disk: ${damage.join('; ')}`);
    this.history.add(`${this.step} the server runs`);
  }

  /** Waits until no call is under way. */
  async #quiet(): Promise<void> {
    const disk = this.#disk;
    await this.#until(Promise.all(this.#underWay), () => {
      if (disk.isStopped) for (const die of this.#onDeath.splice(0)) die();
      return false;
    });
    this.#onDeath = [];
    if (this.#problem !== undefined) throw this.#problem;
  }

  async #until(work: Promise<unknown>, isOver: () => boolean): Promise<void> {
    let isDone = false;
    void work.catch(() => undefined).then(() => (isDone = true));
    const disk = this.#disk;
    let { steps } = disk;
    for (let idle = 0; !isDone && !isOver(); idle = disk.steps === steps ? idle + 1 : 0) {
      ({ steps } = disk);
      if (idle > idleTicksMax) throw new Error('everything waits and nothing happens');
      if (idle % 100 === 99) this.#clock.advance(1000);
      await tick();
    }
    if (isDone) await work;
  }

  /**
   * Asks for everything, over a network that neither dallies nor loses, and holds it against the ledger.
   *
   * @param isSettled   see {@link Ledger.found}
   */
  async #verify(isSettled = false): Promise<void> {
    this.#disk.heal(); // Who checks has to be able to read.
    const disk = this.#disk;
    const look = { server: this.#server as StreamsHarness, isOver: () => disk.isStopped };
    const verifying = this.#verifyAll(look, isSettled);
    await this.#until(verifying, () => disk.isStopped);
    // A disk that stops now ends the look; the next start takes another.
    void verifying.catch(() => undefined);
  }

  async #verifyAll(look: Look, isSettled: boolean): Promise<void> {
    const { streams } = look.server;
    for (const name of names) {
      const { Shards: shards } = await streams
        .listShards({ StreamName: name }, caller)
        .catch((error: unknown) => (isAbsence(error) ? { Shards: undefined } : Promise.reject(error as Error)));
      if (shards === undefined) {
        this.#ledger.found(name, undefined, new Map(), isSettled);
        continue;
      }
      const { Tags: tags } = await streams.listTagsForStream({ StreamName: name }, caller);
      const listed = shards as unknown as WireShard[];
      const first = parseSequenceNumber((listed[0] as WireShard).SequenceNumberRange.StartingSequenceNumber);
      this.#ledger.found(
        name,
        first?.createdSecond,
        new Map(tags.map(({ Key, Value = '' }) => [Key, Value])),
        isSettled,
      );
      for (const each of listed) await this.#verifyShard(name, each);
      const facts = listed.map((each) => factsOf(name, each));
      this.#ledger.foundShards(name, facts);
      for (const each of this.#followers) if (each.stream === name) await each.verify(facts, look);
    }
    this.history.add(`${this.step} verified, ${this.stored} stored`);
  }

  async #verifyShard(name: Name, shard: WireShard): Promise<void> {
    const { streams } = this.#server as StreamsHarness;
    const input = { StreamName: name, ShardId: shard.ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
    let { ShardIterator: iterator } = await streams.getShardIterator(input, caller);
    const all: Array<{ data: string; sequenceNumber: string }> = [];
    for (let behind = 1; behind > 0 && iterator !== undefined;) {
      const page: GetRecordsOutput = await streams.getRecords({ ShardIterator: iterator }, caller);
      for (const { Data, SequenceNumber: sequenceNumber } of page.Records)
        all.push({ data: Buffer.from(Data).toString(), sequenceNumber });
      iterator = page.NextShardIterator;
      behind = page.Records.length;
    }
    this.#ledger.read(name, all, true, keyOf(name, shard));
  }
}

interface WireShard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
  readonly SequenceNumberRange: { readonly StartingSequenceNumber: string; readonly EndingSequenceNumber?: string };
}

function factsOf(name: Name, shard: WireShard): ListedShard {
  return {
    id: shard.ShardId,
    key: keyOf(name, shard),
    parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((each) => each !== undefined),
    isOpen: shard.SequenceNumberRange.EndingSequenceNumber === undefined,
    startHash: BigInt(shard.HashKeyRange.StartingHashKey),
    endHash: BigInt(shard.HashKeyRange.EndingHashKey),
  };
}

function keyOf(name: Name, { SequenceNumberRange: range }: WireShard): string {
  const { createdSecond, shard } = parseSequenceNumber(range.StartingSequenceNumber) as {
    createdSecond: number;
    shard: number;
  };
  return shardKey(name, createdSecond, shard);
}

const isAbsence = (error: unknown): boolean => error instanceof WireError && error.code === 'ResourceNotFoundException';

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && (each as { type?: string }).type === 'Buffer'
      ? Buffer.from((each as unknown as { data: number[] }).data).toString('latin1')
      : each,
  );
}
