import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { runCommand } from '../../harness/command.ts';
import { freshFolder } from '../../harness/folders.ts';
import { Connection } from '../connection.ts';
import { SeededRandom } from '../seeded-random.ts';
import { ServerProcess, serverProgram } from '../server-process.ts';
import { Image, type Flip } from './image.ts';
import { readAll, recordsOf, streamName, type Baseline } from './stored.ts';

export interface FlipsOptions {
  readonly megabytes: number;
  readonly flips: number;
  readonly seed?: number | undefined;
}

const shardCount = 4;
const connectionCount = 4;
/** Flipped at one time, in places of their own. */
const batchFlips = 25;

/** What `millrace check --json` prints, as far as it is looked at. */
interface Report {
  readonly verdict: 'sound' | 'damaged';
  readonly damage: ReadonlyArray<{
    readonly file: string;
    readonly position: number | null;
    readonly lost: readonly LostRange[];
    readonly mayHoldMore: boolean;
  }>;
  readonly tornTail: {
    readonly file: string;
    readonly position: number;
    readonly records: readonly LostRange[];
  } | null;
  readonly totals: { readonly records: number };
}

interface LostRange {
  readonly shardId: string;
  readonly fromOffset: number;
  readonly endOffset: number;
}

/**
 * Flips bits anywhere in a data folder that a real server has left behind. `millrace check` has to name each place, and to say exactly
 * which records a real server, started on the same bytes, does not return. All others have to be right.
 */
export async function flipsSuite(options: FlipsOptions, checks: Checks): Promise<void> {
  const { megabytes, flips } = options;
  const seed = options.seed ?? randomInt(1, 2 ** 32);
  const random = new SeededRandom(seed);
  const fresh = freshFolder('flips');
  try {
    const folder = join(fresh.path, 'stored');
    const baseline = await fill(folder, megabytes * 1_000_000);
    const image = new Image(folder);
    checks.say(
      `${baseline.count} records, ${(image.bytes / 1e9).toFixed(2)} GB in ${image.fileCount} files; ${flips} flips, seed ${seed}`,
    );
    const sound = await check(folder);
    checks.record('the folder is sound at first', sound.verdict === 'sound' ? undefined : JSON.stringify(sound.damage));
    const counts = { found: 0, unused: 0, lost: 0, unsure: 0 };
    for (let done = 0; done < flips; done += batchFlips) {
      const batch = image.flipSome(join(fresh.path, 'flipped'), Math.min(batchFlips, flips - done), random);
      const failure = await tryBatch(batch, baseline, counts);
      checks.record(`flips ${done + 1} to ${done + batch.flips.length}`, failure);
      batch.remove();
    }
    checks.say(
      `${counts.found} flips were found, ${counts.unused} lay where no start looks; ${counts.lost} records lost, each by name; ` +
        `${counts.unsure} times check said that more might be`,
    );
    checks.record('most flips hit something', counts.found > flips / 3 ? undefined : `only ${counts.found}`);
  } finally {
    fresh.remove();
  }
}

/** Stores records, and ends the server with `kill -9` at rest, so that the journal holds the newest of them. */
async function fill(folder: string, bytes: number): Promise<Baseline> {
  const server = await ServerProcess.start({ folder });
  const pool = randomBytes(4 * 1024 * 1024);
  let stored = 0;
  const worker = async (number: number): Promise<void> => {
    const connection = new Connection(server.endpoint);
    const random = new SeededRandom(number);
    while (stored < bytes) {
      const Records = recordsOf(pool, random);
      await connection.mustCall('PutRecords', { StreamName: streamName, Records });
      stored += Records.reduce((sum, { Data }) => sum + Data.length, 0);
    }
    connection.close();
  };
  try {
    const connection = new Connection(server.endpoint);
    await connection.mustCall('CreateStream', { StreamName: streamName, ShardCount: shardCount });
    await Promise.all(Array.from({ length: connectionCount }, (_, i) => worker(i)));
    const read = await readAll(connection, pool);
    connection.close();
    if (read.wrong.length > 0) throw new Error(read.wrong.join('; '));
    await sleep(1000); // The log at rest vouches for its newest commit.
    return { pool, shards: read.shards, count: [...read.shards.values()].reduce((sum, each) => sum + each.length, 0) };
  } finally {
    await server.kill();
  }
}

async function check(folder: string): Promise<Report> {
  const { code, stdout, stderr } = await runCommand(process.execPath, [
    serverProgram,
    'check',
    '--json',
    '--data-dir',
    folder,
  ]);
  if (code > 1) throw new Error(`check ended with ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as Report;
}

async function tryBatch(
  batch: { readonly folder: string; readonly flips: readonly Flip[] },
  baseline: Baseline,
  counts: { found: number; unused: number; lost: number; unsure: number },
): Promise<string | undefined> {
  const report = await check(batch.folder);
  const places =
    report.tornTail === null
      ? report.damage
      : [...report.damage, { ...report.tornTail, lost: report.tornTail.records }];
  for (const { file, position } of places) {
    if (!batch.flips.some((flip) => flip.file === file && (position ?? 0) <= flip.position))
      return `check names ${file} at ${position}, where nothing was flipped`;
  }
  const said = new Set(places.flatMap(({ lost }) => lost).flatMap((range) => keysOf(range, baseline)));
  const isUnsure = report.damage.some(({ mayHoldMore }) => mayHoldMore);
  const server = await ServerProcess.start({ folder: batch.folder });
  try {
    const connection = new Connection(server.endpoint);
    const { shards, wrong } = await readAll(connection, baseline.pool);
    connection.close();
    if (wrong.length > 0) return wrong.slice(0, 3).join('; ');
    const returned = new Set([...shards].flatMap(([shard, list]) => list.map((sequence) => `${shard} ${sequence}`)));
    const all = [...baseline.shards].flatMap(([shard, list]) => list.map((sequence) => `${shard} ${sequence}`));
    const missing = all.filter((key) => !returned.has(key));
    if (all.length - missing.length !== returned.size) return 'records are returned that were never stored';
    const silent = missing.filter((key) => !said.has(key));
    if (silent.length > 0 && !isUnsure)
      return `${silent.length} records are missing that check does not name: ${silent[0]}`;
    const alive = [...said].filter((key) => returned.has(key));
    if (alive.length > 0) return `check says that ${alive.length} records are lost which are returned: ${alive[0]}`;
    if (missing.length > 0 && places.length === 0) return 'records are missing and nothing is found';
    const found = batch.flips.filter((flip) =>
      places.some(({ file, position }) => file === flip.file && (position ?? 0) <= flip.position),
    );
    counts.found += found.length;
    counts.unused += batch.flips.length - found.length;
    counts.lost += missing.length;
    counts.unsure += Number(isUnsure);
    return undefined;
  } finally {
    await server.kill();
  }
}

function keysOf({ shardId, fromOffset, endOffset }: LostRange, { shards }: Baseline): string[] {
  return (shards.get(shardId) ?? []).slice(fromOffset, endOffset).map((sequence) => `${shardId} ${sequence}`);
}
