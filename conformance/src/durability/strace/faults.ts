import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { Connection, NoAnswerError } from '../connection.ts';
import { openBook } from '../kill/books.ts';
import { ControlledStream, readFacts } from '../kill/controlled-stream.ts';
import type { StreamBook } from '../kill/ledger.ts';
import { readEverything } from '../kill/reading.ts';
import { World } from '../kill/world.ts';
import { ServerProcess, StartFailure } from '../server-process.ts';

/** A system call that is made to fail with EIO, once. */
interface Fault {
  readonly name: string;
  readonly call: 'fdatasync' | 'fsync' | 'pwrite64';
  /** Of the data folder; undefined is all files. */
  readonly path?: string;
  /** Which of these calls fails, counted in a process with one thread for files. */
  readonly which: number;
  readonly expects: 'no start' | 'read-only';
}

const firstJournal = 'journal/00000001.log';
/** The counts of commits are so small that the first journal file (4 MiB) takes them also if each holds a put of every connection. */
const faults: readonly Fault[] = [
  { name: 'the sync of the first checkpoint', call: 'fdatasync', which: 1, expects: 'no start' },
  { name: 'the sync of the data folder at the first start', call: 'fsync', which: 1, expects: 'no start' },
  { name: 'the sync of a new journal file', call: 'fdatasync', path: firstJournal, which: 1, expects: 'no start' },
  { name: 'the sync of the journal folder', call: 'fsync', path: 'journal', which: 1, expects: 'no start' },
  { name: 'the sync of a commit', call: 'fdatasync', path: firstJournal, which: 12, expects: 'read-only' },
  { name: 'the write of a commit', call: 'pwrite64', path: firstJournal, which: 16, expects: 'read-only' },
  { name: 'the sync of a segment', call: 'fdatasync', path: 'segments/1/00000001.seg', which: 1, expects: 'read-only' },
  { name: 'the write of a segment', call: 'pwrite64', path: 'segments/1/00000001.seg', which: 1, expects: 'read-only' },
  { name: 'the sync of the folder of segments', call: 'fsync', path: 'segments/1', which: 1, expects: 'read-only' },
  { name: 'the sync of a checkpoint', call: 'fdatasync', path: 'checkpoint.new', which: 2, expects: 'read-only' },
];
const loadMsMax = 30_000;
const streamName = 'faulty';
const connectionCount = 4;

/** Lets a system call fail while the server runs: it must not go on as if nothing had happened, and keep all that it acknowledged. */
export async function checkFaults(checks: Checks): Promise<void> {
  for (const fault of faults) {
    const { name, expects } = fault;
    const ending = expects === 'no start' ? 'does not start' : 'acknowledges nothing more and loses nothing';
    await checks.check(`when ${name} fails, the server ${ending}`, () => withFault(fault));
  }
}

async function withFault({ call, path, which, expects }: Fault): Promise<void> {
  const fresh = freshFolder('fault');
  try {
    const folder = join(fresh.path, 'data');
    const traceFile = join(fresh.path, 'trace');
    const only = path === undefined ? [] : ['-P', join(folder, path)];
    const wrapper = ['strace', '-f', '-y', '-q', '-o', traceFile, '-s', '16', '-e', `trace=${call}`, ...only];
    wrapper.push('-e', `inject=${call}:error=EIO:when=${which}`);
    const options = { folder, wrapper, env: { UV_THREADPOOL_SIZE: '1' } };
    if (expects === 'no start') await mustNotStart(options);
    else await mustGoReadOnly(options);
    if (!readFileSync(traceFile, 'utf8').includes('(INJECTED)')) throw new Error('the call to fail was never made');
  } finally {
    fresh.remove();
  }
}

type StartOptions = Parameters<typeof ServerProcess.start>[0];

async function mustNotStart(options: StartOptions): Promise<void> {
  try {
    const server = await ServerProcess.start(options);
    await server.kill();
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    if (error.code === 0) throw new Error('it ended with 0', { cause: error });
    if (!/EIO|i\/o error/i.test(error.message))
      throw new Error(`it does not say why: ${error.message}`, { cause: error });
    return;
  }
  throw new Error('it started');
}

async function mustGoReadOnly(options: StartOptions): Promise<void> {
  const world = new World(options.folder);
  const server = await ServerProcess.start(options);
  try {
    const stream = new ControlledStream(streamName);
    const connection = new Connection(server.endpoint);
    await connection.mustCall('CreateStream', { StreamName: streamName, ShardCount: 2 });
    stream.book = await openBook(connection, streamName);
    stream.facts = await readFacts(connection, streamName);
    world.stable.push(stream);
    const state = { isFailed: false, acknowledgedLate: 0 };
    const endMs = performance.now() + loadMsMax;
    await Promise.all([
      ...Array.from({ length: connectionCount }, (_, i) => putUntil(world, server, { state, number: i, endMs })),
      watchHealth(server, state, endMs),
    ]);
    if (!state.isFailed) throw new Error(`it does not say that it is read-only within ${loadMsMax} ms`);
    if (state.acknowledgedLate > 0)
      throw new Error(`${state.acknowledgedLate} records were acknowledged when it was read-only`);
    await mustRefuse(connection);
    connection.close();
  } finally {
    await server.kill();
  }
  await mustHaveAll(world);
}

interface State {
  isFailed: boolean;
  acknowledgedLate: number;
}

/** Puts, through the fault and for a while behind it. */
async function putUntil(
  world: World,
  server: ServerProcess,
  { state, number, endMs }: { state: State; number: number; endMs: number },
): Promise<void> {
  const connection = new Connection(server.endpoint);
  const book = world.stable[0]?.book as StreamBook;
  const { ledger } = world;
  for (let late = 0; late < 20 && performance.now() < endMs; late += state.isFailed ? 1 : 0) {
    const wasFailed = state.isFailed;
    const data = new Uint8Array(Buffer.alloc(60_000, number + late));
    const { attempt, partitionKey } = ledger.begin({ stream: book, connection: number, data });
    try {
      const reply = await connection.call('PutRecord', {
        StreamName: book.name,
        PartitionKey: partitionKey,
        Data: data,
      });
      if (reply.status === 200) {
        if (wasFailed) state.acknowledgedLate++;
        ledger.acknowledge(attempt, String(reply.body['SequenceNumber']), String(reply.body['ShardId']));
      } else ledger.leaveOpen(attempt);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      ledger.leaveOpen(attempt);
    }
  }
  connection.close();
}

async function watchHealth(server: ServerProcess, state: State, endMs: number): Promise<void> {
  while (!state.isFailed && performance.now() < endMs) {
    const { status } = await server.health();
    if (status === 'read-only') state.isFailed = true;
    else await sleep(10);
  }
}

/** Puts and control calls are refused, reads are answered. */
async function mustRefuse(connection: Connection): Promise<void> {
  const put = await connection.call('PutRecord', {
    StreamName: streamName,
    PartitionKey: 'late',
    Data: new Uint8Array(1),
  });
  const control = await connection.call('AddTagsToStream', { StreamName: streamName, Tags: { late: 'tag' } });
  for (const { status, type } of [put, control]) {
    if (status !== 500) throw new Error(`a change of a read-only server was answered ${status} ${type}`);
  }
  const input = { StreamName: streamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await connection.mustCall('GetShardIterator', input);
  await connection.mustCall('GetRecords', { ShardIterator, Limit: 10 });
}

/** After a restart without faults all that was acknowledged is there. */
async function mustHaveAll(world: World): Promise<void> {
  const server = await ServerProcess.start({ folder: world.folder });
  try {
    await readEverything(world, server.endpoint);
    const { status, damage = [] } = await server.health();
    const sentences = [...world.ledger.violations, ...damage];
    if (status !== 'ok' || sentences.length > 0)
      throw new Error(`after the restart (${status}): ${sentences.join('; ')}`);
    if (world.ledger.counts.acknowledged === 0) throw new Error('nothing was acknowledged before the fault');
  } finally {
    await server.kill();
  }
}
