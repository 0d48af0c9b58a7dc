import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Connection, NoAnswerError, type ConnectionOptions } from '../connection.ts';
import { EventConnection } from '../event-connection.ts';
import { makeStream } from '../kill/books.ts';
import { restart } from '../kill/round.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { ServerProcess } from '../server-process.ts';
import { Resharder } from '../resharder.ts';
import { listOpenShards, listShards, startOf } from '../shard-list.ts';
import { ShardTree } from '../shard-tree.ts';
import { Follower } from './follower.ts';
import type { Life } from './life.ts';
import { Oracle } from './oracle.ts';
import { poll } from './polling.ts';
import { Producer, put } from './producer.ts';
import { subscribe, subscriptionFlags } from './subscribing.ts';

const streamName = 'resharded';
const firstShards = 4;
const openMin = 2;
const openMax = 24;
const killChance = 1 / 12;
const pauseMsMax = 60;
/** Share of the newest in the time that reshards take. */
const newestShare = 0.2;
/** Nothing more is read in this time: readers that have not come to the last records never will. */
const catchUpMsMax = 30_000;

const producerConnections: readonly ConnectionOptions[] = [
  { encoding: 'cbor' },
  { encoding: 'json' },
  { protocol: 'HTTP/2', encoding: 'cbor' },
  { protocol: 'HTTP/2', encoding: 'json' },
];
const protocols = ['HTTP/1.1', 'HTTP/2'] as const;

/** One data folder with one stream: reshards under load from kill to kill, and what is known about it from outside. */
export class ReshardRun {
  readonly oracle = new Oracle();
  readonly counts = { steps: 0, lives: 0, kills: 0, killedStarts: 0, applied: 0, notApplied: 0 };
  readonly tree = new ShardTree();
  readonly #folder: string;
  readonly #producers: readonly Producer[];
  #resharder: Resharder | undefined;
  #consumerArn = '';
  #followers: { readonly polling: Follower; readonly subscribing: Follower } | undefined;
  #server: ServerProcess | undefined;
  /** What reshards take, and a look at the shards after them: kills come within that time. */
  #reshardMs = 5;

  constructor(folder: string) {
    this.#folder = folder;
    this.#producers = producerConnections.map((_, i) => new Producer({ streamName, oracle: this.oracle }, `p${i}`));
  }

  /**
   * One life of a server. It begins with readers who catch up on the life before, and with a look at all of it; then come reshards
   * under load, until a kill in the midst of one.
   *
   * @param stepsMax   0 is only to look
   * @returns          how it went, for people
   */
  async live(stepsMax: number, random: SeededRandom): Promise<string> {
    const { server, killedStarts } = await restart({ folder: this.#folder, flags: subscriptionFlags }, random);
    this.#server = server;
    this.counts.lives++;
    this.counts.killedStarts += killedStarts;
    const life: Life = { endpoint: server.endpoint, isOver: false };
    const connection = new Connection(server.endpoint, { encoding: 'json' });
    const opened: { close(): void }[] = [connection];
    if (this.#followers === undefined) await this.#begin(connection);
    const workers = this.#read(life, random, opened);
    const stepsBefore = this.counts.steps;
    let caughtUpMs = 0;
    let killed = '';
    try {
      caughtUpMs = await this.#settle(connection, life);
      if (stepsMax > 0 && this.oracle.violations.length === 0) {
        workers.push(...this.#produce(life, random, opened));
        killed = await this.#reshard(connection, { life, stepsMax, random });
      }
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      this.oracle.violate(`the server gave no answer (${error.message}): ${server.stderr.slice(-1000)}`);
    }
    life.isOver = true;
    await server.kill();
    await Promise.all(workers);
    for (const each of opened) each.close();
    const facts = `ready in ${server.readyMs.toFixed(0)} ms, readers had caught up after ${caughtUpMs.toFixed(0)} ms`;
    return `${facts}; ${this.counts.steps - stepsBefore} steps${killed}`;
  }

  async close(): Promise<void> {
    await this.#server?.kill();
  }

  async #begin(connection: Connection): Promise<void> {
    await makeStream(connection, streamName, firstShards);
    const { StreamDescriptionSummary: summary } = await connection.mustCall('DescribeStreamSummary', {
      StreamName: streamName,
    });
    const { StreamARN } = summary as { StreamARN: string };
    const { Consumer } = await connection.mustCall('RegisterStreamConsumer', { StreamARN, ConsumerName: 'pushed' });
    this.#consumerArn = (Consumer as { ConsumerARN: string }).ConsumerARN;
    this.#resharder = await Resharder.of(connection, { streamName, openMin, openMax });
    const shards = await listShards(connection, streamName);
    this.#followers = {
      polling: new Follower(this.oracle, 'polling', shards),
      subscribing: new Follower(this.oracle, 'subscriptions', shards),
    };
  }

  #read(life: Life, random: SeededRandom, opened: { close(): void }[]): Promise<void>[] {
    const { polling, subscribing } = this.#followers as { polling: Follower; subscribing: Follower };
    const polled = new Connection(life.endpoint, { protocol: random.pick(protocols) });
    const pushed = new EventConnection(life.endpoint, random.pick(protocols));
    opened.push(polled, pushed);
    const parts = { random: random.fork(), streamName, consumerArn: this.#consumerArn };
    return [
      polling.follow(life, (reader) => poll(reader, life, { ...parts, connection: polled })),
      subscribing.follow(life, (reader) => subscribe(reader, life, { ...parts, connection: pushed })),
    ];
  }

  #produce(life: Life, random: SeededRandom, opened: { close(): void }[]): Promise<void>[] {
    return this.#producers.map((producer, i) => {
      const connection = new Connection(life.endpoint, producerConnections[i]);
      opened.push(connection);
      return producer.run(life, connection, random.fork());
    });
  }

  /** While nobody else writes: puts a last record into each open shard, and waits until readers have come to it. */
  async #settle(connection: Connection, life: Life): Promise<number> {
    const startedMs = performance.now();
    const { oracle } = this;
    const shards = await listShards(connection, streamName);
    for (const sentence of this.tree.take(shards)) oracle.violate(sentence);
    this.#note((this.#resharder as Resharder).settle(shards));
    const open = await listOpenShards(connection, streamName);
    const marks = open.map((each) => oracle.begin(`mark of ${each.ShardId}`, startOf(each)));
    const target = { streamName, oracle };
    for (const mark of marks) await put(target, connection, { attempts: [mark], life, isExplicit: () => true });
    while (oracle.violations.length === 0 && !marks.every((mark) => oracle.isRead(mark))) {
      if (performance.now() - startedMs > catchUpMsMax) oracle.violate('readers do not come to the last records');
      await sleep(2);
    }
    // First, since a shard that nobody came to says more than its records.
    for (const follower of Object.values(this.#followers as object) as Follower[]) follower.compare(this.tree, shards);
    oracle.settle();
    return performance.now() - startedMs;
  }

  #note(outcome: ReturnType<Resharder['settle']>): void {
    if (outcome === 'wrong') this.oracle.violate('the open shards are what nobody was answered');
    if (outcome === 'applied') this.counts.applied++;
    if (outcome === 'not applied') this.counts.notApplied++;
  }

  /** Step after step, until one is cut off by the kill. */
  async #reshard(
    connection: Connection,
    { life, stepsMax, random }: { life: Life; stepsMax: number; random: SeededRandom },
  ): Promise<string> {
    const resharder = this.#resharder as Resharder;
    for (let step = 1; this.oracle.violations.length === 0; step++) {
      await sleep(random.int(0, pauseMsMax));
      const change = await resharder.plan(connection, random);
      const making = resharder.make(connection, change);
      this.counts.steps++;
      if (step < stepsMax && !random.chance(killChance)) {
        const startedMs = performance.now();
        const wrong = await making;
        this.#reshardMs += (performance.now() - startedMs - this.#reshardMs) * newestShare;
        if (wrong !== undefined) this.oracle.violate(wrong);
        continue;
      }
      await this.#killWithin(making, life, random);
      return `, killed in the midst of ${change.operation}`;
    }
    return '';
  }

  /** Kills the server a moment after a reshard was sent. */
  async #killWithin(making: Promise<string | undefined>, life: Life, random: SeededRandom): Promise<void> {
    const answer = making.catch((error: unknown) => {
      if (!(error instanceof NoAnswerError)) throw error;
      return undefined;
    });
    const endMs = performance.now() + random.next() * this.#reshardMs;
    while (performance.now() < endMs) await turn();
    life.isOver = true;
    await this.#server?.kill();
    this.counts.kills++;
    const wrong = await answer;
    if (wrong !== undefined) this.oracle.violate(wrong);
  }
}
