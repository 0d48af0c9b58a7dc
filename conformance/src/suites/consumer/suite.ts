import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { isOpen, listShards } from '../../durability/shard-list.ts';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { freshName, type Target } from '../../harness/target.ts';
import { mustBeEmpty } from '../kcl/judge.ts';
import { type FoundRecord, readAll } from '../producer/reader.ts';
import { Group } from './group.ts';
import { checkTheHistory } from './history-checks.ts';
import type { History } from './history.ts';
import { Load } from './load.ts';

export interface ConsumerRun {
  readonly retrieval: 'polling' | 'fan-out';
  /** Splits, merges and scalings under load. */
  readonly reshards: number;
  readonly reshardEveryMs: number;
  /** A worker is killed, or replaced, in turn. */
  readonly changeEveryMs: number;
}

const workers = 4;
const openMin = 2;
const openMax = 10;
const drainMsMax = 60_000;

/** The consumer of `@millrace/client` at the size for every change. */
export async function consumerSuite(target: Target, checks: Checks): Promise<void> {
  checkTheHistory(checks);
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
    const { history } = group;
    const { journal } = history;
    const isDrained = (): boolean =>
      journal.distinct >= load.total && closed.every(({ ShardId }) => history.hasEnded(ShardId));
    for (const endMs = performance.now() + drainMsMax; !isDrained() && performance.now() < endMs;) await sleep(100);
    await group.stop();
    checks.say(
      `${run.retrieval}: ${load.total} records, ${closed.length} closed shards, ${history.killed.size} kills, ${history.lost.size} leases lost, ${journal.again} records again`,
    );
    const whereAre = (missing: readonly string[]): Promise<string> =>
      findMissing(connection, stream, { history, missing });
    await judge(checks, { group, load, run, closed: closed.map(({ ShardId }) => ShardId), whereAre });
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
  {
    group,
    load,
    run,
    closed,
    whereAre,
  }: {
    group: Group;
    load: Load;
    run: ConsumerRun;
    closed: readonly string[];
    whereAre: (missing: readonly string[]) => Promise<string>;
  },
): Promise<void> {
  const { history } = group;
  const { journal } = history;
  checks.prefix = `${run.retrieval}, ${run.reshards} reshards, ${history.killed.size} kills: `;
  await checks.check('every acknowledged record is processed', async () => {
    const missing = journal.missing(load.acknowledged);
    if (missing.length > 0) throw new Error(`${missing.length}: ${await whereAre(missing)}; ${group.lastWords()}`);
  });
  await checks.check('nothing else is processed', () => mustBeEmpty(journal.invented(load.acknowledged)));
  await checks.check('the records of a key are processed in order', () => mustBeEmpty(journal.outOfOrder()));
  await checks.check('what comes again was not saved by a worker that was killed', () =>
    mustBeEmpty(history.unexplained()),
  );
  await checks.check('every closed shard is processed to its end', () =>
    mustBeEmpty(closed.filter((shard) => !history.hasEnded(shard)).map((shard) => history.tellOf(shard))),
  );
  await checks.check('no worker ends by itself, or says anything strange', () =>
    mustBeEmpty([...group.ends, ...journal.strange]),
  );
  checks.prefix = '';
}

/** Where in the stream the records are that nobody has processed, and who had those shards. */
async function findMissing(
  connection: Connection,
  stream: string,
  { history, missing }: { history: History; missing: readonly string[] },
): Promise<string> {
  const sought = new Set(missing);
  const places = new Map<string, FoundRecord[]>();
  for (const record of await readAll(connection, stream)) {
    if (!sought.has(record.text.replace(' ', '/'))) continue;
    places.set(record.shardId, [...(places.get(record.shardId) ?? []), record]);
  }
  if (places.size === 0) return 'none of them is in the stream';
  return [...places]
    .map(([shard, records]) => {
      const [first, last] = [records[0], records.at(-1)] as [FoundRecord, FoundRecord];
      const dropped = records.filter(({ isDropped }) => isDropped).length;
      const range = `${first.sequenceNumber} (${first.text}) to ${last.sequenceNumber} (${last.text})`;
      return `${records.length} at ${range}, ${dropped} of them misplaced, in ${history.tellOf(shard)}`;
    })
    .join('; ');
}
