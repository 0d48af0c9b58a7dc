import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { runCommand } from '../../harness/command.ts';
import { freshFolder, repositoryFolder } from '../../harness/folders.ts';
import { Connection, NoAnswerError } from '../connection.ts';
import { SeededRandom } from '../seeded-random.ts';
import { ServerProcess, type ServerOptions } from '../server-process.ts';
import { medianOf } from '../statistics.ts';

const readyMsMax = 1000;
const repetitions = 5;
const connectionCount = 4;
const callBytes = 6_000_000;
/** Put before each kill, so that the journal holds much to replay. */
const tailBytes = 28_000_000;
const streamName = 'stored';
const pool = randomBytes(8 * 1024 * 1024);

/** How long a server takes from its start to the first answered call, in every way in which one ends before. */
export async function readySuite(megabytes: number, checks: Checks): Promise<void> {
  const fresh = freshFolder('ready');
  try {
    checks.say(`on this machine now Node alone takes ${medianOf(await bareStarts()).toFixed(0)} ms to start and end`);
    await afterKillsAndStops({ folder: join(fresh.path, 'data') }, megabytes * 1_000_000, checks);
    const command = [process.execPath, join(repositoryFolder, 'scripts/run.mjs'), 'start'];
    await afterFirstStart({ folder: join(fresh.path, 'empty'), command }, checks);
  } finally {
    fresh.remove();
  }
}

/** What no server can be faster than; much of it says that the machine is busy with something else. */
async function bareStarts(): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const startedMs = performance.now();
    await runCommand(process.execPath, ['-e', '0']);
    times.push(performance.now() - startedMs);
  }
  return times;
}

async function afterKillsAndStops(options: ServerOptions, bytes: number, checks: Checks): Promise<void> {
  let { server } = await startTimed(options);
  try {
    const connection = new Connection(server.endpoint);
    await connection.mustCall('CreateStream', { StreamName: streamName, ShardCount: 4 });
    connection.close();
    const startedMs = performance.now();
    await store(server, bytes, () => {});
    const seconds = (performance.now() - startedMs) / 1000;
    checks.say(`stored ${(bytes / 1e9).toFixed(2)} GB in ${seconds.toFixed(0)} s, in records of 100 KB to 1 MB`);
    const startAgain = async (): Promise<number> => {
      const started = await startTimed(options);
      server = started.server;
      return started.ms;
    };
    const stored = `with ${(bytes / 1e9).toFixed(1)} GB stored`;
    await judge(checks, `${stored}, after kill -9 under load`, async () => {
      await killLoaded(server);
      return startAgain();
    });
    await judge(checks, `${stored}, after a clean stop`, async () => {
      await server.stop();
      return startAgain();
    });
  } finally {
    await server.kill();
  }
}

/** As `npm start` does it: the first start may install and build. */
async function afterFirstStart(options: ServerOptions, checks: Checks): Promise<void> {
  const startAndStop = async (): Promise<number> => {
    const { server, ms } = await startTimed(options);
    await server.stop();
    return ms;
  };
  await startAndStop();
  await judge(checks, 'of npm start, the second time', startAndStop);
}

async function startTimed(options: ServerOptions): Promise<{ server: ServerProcess; ms: number }> {
  const startedMs = performance.now();
  const server = await ServerProcess.start(options);
  const connection = new Connection(server.endpoint);
  await connection.mustCall('ListStreams', {});
  const ms = performance.now() - startedMs;
  connection.close();
  const { status, damage = [] } = await server.health();
  if (status !== 'ok' || damage.length > 0) throw new Error(`the server says ${status}: ${damage.join('; ')}`);
  return { server, ms };
}

/** By the median of some starts; where that is too long, of as many again: the machine may have been busy with something else. */
async function judge(checks: Checks, name: string, start: () => Promise<number>): Promise<void> {
  let times = await startsOf(start);
  if (medianOf(times) >= readyMsMax) {
    checks.say(`start ${name}: ${listOf(times)}; measured again`);
    times = await startsOf(start);
  }
  checks.record(
    `start ${name}: first answered call within ${readyMsMax} ms (${listOf(times)})`,
    medianOf(times) < readyMsMax ? undefined : `it took ${medianOf(times).toFixed(0)} ms`,
  );
}

async function startsOf(start: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) times.push(await start());
  return times;
}

function listOf(times: readonly number[]): string {
  return `median ${medianOf(times).toFixed(0)} ms of ${times.map((ms) => ms.toFixed(0)).join(', ')}`;
}

async function killLoaded(server: ServerProcess): Promise<void> {
  let kill: Promise<void> | undefined;
  await store(server, Infinity, (stored) => {
    if (stored > tailBytes) kill ??= server.kill();
  });
  await kill;
}

/** Puts from several connections until enough is acknowledged, or the server is gone. */
async function store(server: ServerProcess, bytes: number, onAcknowledged: (stored: number) => void): Promise<void> {
  let stored = 0;
  const worker = async (random: SeededRandom): Promise<void> => {
    const connection = new Connection(server.endpoint);
    try {
      while (stored < bytes) {
        const { Records, size } = recordsOf(random);
        await connection.mustCall('PutRecords', { StreamName: streamName, Records });
        stored += size;
        onAcknowledged(stored);
      }
    } catch (error) {
      if (!(error instanceof NoAnswerError) || bytes !== Infinity) throw error;
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: connectionCount }, (_, i) => worker(new SeededRandom(i))));
}

function recordsOf(random: SeededRandom): { Records: object[]; size: number } {
  const Records: object[] = [];
  let size = 0;
  while (size < callBytes) {
    const length = random.int(100_000, 1_000_000);
    const Data = new Uint8Array(pool.buffer, pool.byteOffset + random.int(0, pool.length - length), length);
    Records.push({ Data, PartitionKey: String(random.next()) });
    size += length;
  }
  return { Records, size };
}
