import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { buildWithMaven } from '../../harness/maven.ts';
import { freshName, type Target } from '../../harness/target.ts';
import { Application, type Retrieval } from './application.ts';
import { startDynamoDbLocal, type DynamoDbLocal } from './dynamodb-local.ts';
import { checkTheJournal } from './journal-checks.ts';
import { judgeJournal } from './judge.ts';
import { ProducedStream } from './stream.ts';

/** One run: applications that read one stream side by side. */
export interface KclRun {
  readonly retrievals: readonly Retrieval[];
  /** Of each application. */
  readonly workers: number;
  readonly shards: number;
  /** Of load, from the first record processed. */
  readonly seconds: number;
  readonly reshardEverySeconds: number;
  readonly killEverySeconds: number;
}

/** Until the first record is processed: a new application waits for its tables, its index and its leader. */
const startMsMax = 240_000;
/** Until all is processed: leases of workers that died are found, and what lies behind closed shards is read. */
const drainMsMax = 240_000;
const progressEveryMs = 15_000;

/** At the size for every change: both kinds of retrieval side by side. */
export async function kclSuite(target: Target, checks: Checks): Promise<void> {
  const size = { workers: 2, shards: 4, seconds: 50, reshardEverySeconds: 7, killEverySeconds: 30 };
  await runKcl(target, checks, [{ ...size, retrievals: ['polling', 'fan-out'] }]);
}

/** At full size, one kind after the other. */
export async function kclSuiteAtFullSize(target: Target, checks: Checks): Promise<void> {
  const size = { workers: 4, shards: 8, seconds: 600, reshardEverySeconds: 12, killEverySeconds: 60 };
  await runKcl(target, checks, [
    { ...size, retrievals: ['polling'] },
    { ...size, retrievals: ['fan-out'] },
  ]);
}

async function runKcl(target: Target, checks: Checks, runs: readonly KclRun[]): Promise<void> {
  checkTheJournal(checks);
  const dynamoDb = await startDynamoDbLocal();
  try {
    for (const run of runs) await runOnce(target, dynamoDb, run, checks);
  } finally {
    await dynamoDb.close();
  }
}

async function runOnce(target: Target, dynamoDb: DynamoDbLocal, run: KclRun, checks: Checks): Promise<void> {
  const program = await buildWithMaven('java-kcl/worker');
  const { endpoint } = target.transport;
  const stream = new ProducedStream(endpoint, freshName('kcl'));
  await stream.create(run.shards);
  const options = { program, stream: stream.name, kinesis: endpoint, dynamoDb: dynamoDb.endpoint };
  const applications = run.retrievals.map((retrieval) => new Application({ ...options, retrieval }));
  try {
    await start(stream, applications, run);
    await load(stream, applications, run, checks);
    await drain(stream, applications, checks);
    for (const application of applications) await judge(stream, application, run.workers, checks);
  } finally {
    await Promise.all(applications.map((application) => application.stop()));
    await stream.close();
  }
}

/** Until every application is under way, with something to read from the beginning on. */
async function start(stream: ProducedStream, applications: readonly Application[], run: KclRun): Promise<void> {
  await stream.produceUntil(performance.now() + 1000);
  await Promise.all(applications.map((application) => application.start(run.workers, startMsMax)));
  const isUnderWay = (): boolean => applications.every(({ journal }) => journal.distinct > 0);
  await waitUntil(isUnderWay, startMsMax, applications);
}

/** Puts, reshards and kills, all at once. */
async function load(
  stream: ProducedStream,
  applications: readonly Application[],
  run: KclRun,
  checks: Checks,
): Promise<void> {
  const endMs = performance.now() + run.seconds * 1000;
  const progress = setInterval(() => checks.say(progressOf(stream, applications)), progressEveryMs);
  try {
    await Promise.all([
      stream.produceUntil(endMs),
      stream.reshardWhile(() => performance.now() < endMs, run.reshardEverySeconds * 1000),
      ...applications.map((application) => application.killUntil(endMs, run.killEverySeconds * 1000)),
    ]);
  } finally {
    clearInterval(progress);
  }
}

async function drain(stream: ProducedStream, applications: readonly Application[], checks: Checks): Promise<void> {
  const closed = await stream.closedShards();
  const isDrained = (): boolean =>
    applications.every(
      ({ journal }) => journal.distinct >= stream.total && closed.every((shard) => journal.ended.has(shard)),
    );
  await waitUntil(isDrained, drainMsMax, applications);
  checks.say(progressOf(stream, applications));
  if (isDrained()) return;
  for (const application of applications) {
    for (const words of application.lastWords()) checks.say(`a ${application.retrieval} worker: ${words.slice(-2000)}`);
  }
}

async function judge(stream: ProducedStream, application: Application, workers: number, checks: Checks): Promise<void> {
  const { journal, kills, retrieval } = application;
  checks.prefix = `${retrieval}: `;
  await judgeJournal(journal, stream, checks);
  const atWork = journal.workers.size;
  await checks.check(`the run had ${stream.reshards} reshards, ${kills} kills and ${atWork} workers at work`, () => {
    if (stream.reshards === 0 || kills === 0 || atWork < workers) throw new Error(`wanted some, some and ${workers}`);
  });
  checks.prefix = '';
}

async function waitUntil(isSo: () => boolean, msMax: number, applications: readonly Application[]): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!isSo() && performance.now() < endMs) {
    const failure = applications.map((application) => application.failure()).find((each) => each !== undefined);
    if (failure !== undefined) throw new Error(failure);
    await sleep(200);
  }
}

function progressOf(stream: ProducedStream, applications: readonly Application[]): string {
  const each = applications.map(
    ({ retrieval, journal, kills }) =>
      `${retrieval} ${journal.distinct} processed (${journal.again} again) by ${journal.workers.size} workers, ${kills} kills`,
  );
  return `${stream.total} put, ${stream.reshards} reshards; ${each.join('; ')}`;
}
