import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Producer } from '@millrace/client';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { isOpen, listShards } from '../../durability/shard-list.ts';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { credentials, freshName, region, type Target } from '../../harness/target.ts';
import { Group } from './group.ts';

export interface ConsumerRun {
  readonly retrieval: 'polling' | 'fan-out';
  /** Splits, merges and scalings under load. */
  readonly reshards: number;
  readonly reshardEveryMs: number;
  /** A worker is killed, or replaced, in turn. */
  readonly changeEveryMs: number;
}

const keys = 48;
const workers = 4;
const openMin = 2;
const openMax = 10;
const drainMsMax = 60_000;

/** The consumer of `@millrace/client` at the size for every change. */
export async function consumerSuite(target: Target, checks: Checks): Promise<void> {
  const size = { reshards: 40, reshardEveryMs: 400, changeEveryMs: 2500 };
  for (const retrieval of ['polling', 'fan-out'] as const) await runGroup(target, { ...size, retrieval }, checks);
}

export async function consumerSuiteAtFullSize(target: Target, checks: Checks): Promise<void> {
  const size = { reshards: 1000, reshardEveryMs: 300, changeEveryMs: 3000 };
  for (const retrieval of ['polling', 'fan-out'] as const) await runGroup(target, { ...size, retrieval }, checks);
}

/** A group of workers under load, with reshards, kills and hand-overs all at once. */
async function runGroup(target: Target, run: ConsumerRun, checks: Checks): Promise<void> {
  const { endpoint } = target.transport;
  const folder = freshFolder('consumer');
  const stream = freshName('consumer');
  const connection = new Connection(endpoint);
  await connection.mustCall('CreateStream', { StreamName: stream, ShardCount: 4 });
  const settings = { retrieval: run.retrieval, pollIdleMs: 100, checkpointMs: 200, concurrency: 4 };
  const group = new Group({ endpoint, stream, file: join(folder.path, 'leases.db'), settings });
  const load = new Load(endpoint, stream);
  const random = new SeededRandom(Date.now());
  try {
    await load.start();
    for (let i = 0; i < workers; i++) group.start();
    await reshardAndChange(connection, { stream, group, run, random });
    await load.end();
    const closed = (await listShards(connection, stream)).filter((shard) => !isOpen(shard));
    const { journal } = group;
    const isDrained = (): boolean =>
      journal.distinct >= load.total && closed.every(({ ShardId }) => group.hasEnded(ShardId));
    for (const endMs = performance.now() + drainMsMax; !isDrained() && performance.now() < endMs;) await sleep(100);
    await group.stop();
    checks.say(
      `${run.retrieval}: ${load.total} records, ${closed.length} closed shards, ${group.killed.size} kills, ${group.lost.size} leases lost, ${journal.again} records again`,
    );
    await judge(checks, { group, load, run, closed: closed.map(({ ShardId }) => ShardId) });
  } finally {
    await group.stop();
    await load.end();
    connection.close();
    folder.remove();
  }
}

async function reshardAndChange(
  connection: Connection,
  { stream, group, run, random }: { stream: string; group: Group; run: ConsumerRun; random: SeededRandom },
): Promise<void> {
  const resharder = await Resharder.of(connection, { streamName: stream, openMin, openMax });
  let isOver = false;
  const changing = (async (): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      await sleep(run.changeEveryMs);
      if (turn % 3 === 2) await group.replaceOne(() => random.int(0, 999) / 1000);
      else await group.killOne(() => random.int(0, 999) / 1000);
    }
  })();
  for (let i = 0; i < run.reshards; i++) {
    const fault = await resharder.make(connection, await resharder.plan(connection, random));
    if (fault !== undefined) throw new Error(fault);
    await sleep(run.reshardEveryMs);
  }
  isOver = true;
  await changing;
}

async function judge(
  checks: Checks,
  { group, load, run, closed }: { group: Group; load: Load; run: ConsumerRun; closed: readonly string[] },
): Promise<void> {
  const { journal } = group;
  const mustBeEmpty = (found: readonly string[]): void => {
    if (found.length > 0) throw new Error(`${found.length}, the first ${found.slice(0, 5).join(', ')}`);
  };
  checks.prefix = `${run.retrieval}, ${run.reshards} reshards, ${group.killed.size} kills: `;
  await checks.check('every acknowledged record is processed', () => {
    try {
      mustBeEmpty(journal.missing(load.acknowledged));
    } catch (error) {
      throw new Error(`${String(error)}; ${group.lastWords()}`, { cause: error });
    }
  });
  await checks.check('nothing else is processed', () => mustBeEmpty(journal.invented(load.acknowledged)));
  await checks.check('the records of a key are processed in order', () => mustBeEmpty(journal.outOfOrder()));
  await checks.check('what comes again was not saved by a worker that was killed', () =>
    mustBeEmpty(group.unexplained),
  );
  await checks.check('every closed shard is processed to its end', () =>
    mustBeEmpty(closed.filter((shard) => !group.hasEnded(shard))),
  );
  await checks.check('no worker ends by itself, or says anything strange', () =>
    mustBeEmpty([...group.ends, ...journal.strange]),
  );
  checks.prefix = '';
}

/** Records that are put all the time, those of a key in order, in aggregates. */
class Load {
  /** By key: how many have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  readonly #client: KinesisClient;
  readonly #stream: string;
  #isOver = false;
  #running: Promise<void> | undefined;

  constructor(endpoint: string, stream: string) {
    this.#client = new KinesisClient({
      endpoint,
      region,
      credentials,
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler(),
    });
    this.#stream = stream;
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  async start(): Promise<void> {
    const options = { ordering: 'perKey', lingerMs: 5, aggregateRecordsMax: 20, recordTtlMs: Infinity } as const;
    const producer = await Producer.open({ client: this.#client, stream: this.#stream, ...options });
    this.#running = this.#run(producer);
    this.#running.catch(() => undefined); // Told at the end.
  }

  /** Resolves when all that was accepted has been put. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#client.destroy();
  }

  async #run(producer: Producer): Promise<void> {
    const failures: unknown[] = [];
    for (let number = 0; !this.#isOver; number++) {
      for (let i = 0; i < keys; i++) {
        const key = `key-${i}`;
        const { acknowledged } = await producer.put({ partitionKey: key, data: `${key} ${number}` });
        acknowledged.then(
          () => this.acknowledged.set(key, number + 1),
          (error: unknown) => failures.push(error),
        );
      }
      await sleep(25);
    }
    await producer.close();
    if (failures.length > 0)
      throw new Error(`${failures.length} records were not put, the first: ${String(failures[0])}`);
  }
}
