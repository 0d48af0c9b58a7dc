import { dirname, delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { buildWithMaven } from '../../harness/maven.ts';
import { freshName, type Target } from '../../harness/target.ts';
import { measureFailover } from '../failover/measure.ts';
import { startDynamoDbLocal } from '../kcl/dynamodb-local.ts';
import { ProducedStream } from '../kcl/stream.ts';
import { goneOn, judgeRelay } from './judge.ts';
import { type LegPlan, Relay } from './relay.ts';

const shards = 4;
/** Between two reshards; none while workers change. */
const reshardMs = 14_000;
/** Until all is processed: what lies behind closed shards is read one generation after the other. */
const drainMsMax = 180_000;
const progressEveryMs = 15_000;

const oursStopped: LegPlan = { by: 'ours', end: 'stop' };
const oursKilled: LegPlan = { by: 'ours', end: 'kill' };
const javaToTheEnd: LegPlan = { by: 'Java', end: undefined };

/** An application of the KCL 3.5, which has everything in the lease table, and one of 3.0, which makes two more; then ours alone. */
export async function takeoverSuite(target: Target, checks: Checks): Promise<void> {
  const newest = await buildWithMaven('java-kcl/worker');
  const old = await buildWithMaven('java-kcl/three-tables');
  const oldClassPath = [join(dirname(newest.dependencyFolder), 'classes'), join(old.dependencyFolder, '*')];
  const dynamoDb = await startDynamoDbLocal();
  const { endpoint: kinesis } = target.transport;
  try {
    const stream = new ProducedStream(kinesis, freshName('takeover'));
    const options = { stream, kinesis, dynamoDb: dynamoDb.endpoint };
    const single = new Relay({
      ...options,
      name: 'single table, polling',
      classPath: newest.classPath,
      retrieval: 'polling',
      legs: [oursStopped, { by: 'Java', end: 'kill' }, oursKilled, javaToTheEnd],
    });
    const three = new Relay({
      ...options,
      name: 'three tables, fan-out',
      classPath: oldClassPath.join(delimiter),
      retrieval: 'fan-out',
      // A leader of 3.0 that was killed would be followed after two minutes only.
      legs: [oursStopped, { by: 'Java', end: 'stop' }, oursKilled, javaToTheEnd],
    });
    await runRelays(stream, [single, three], checks);
    await measureFailover(target, checks, {
      name: 'DynamoDB Local, fan-out',
      table: dynamoDb.endpoint,
      settings: {},
      kills: 2,
      killMsMax: 12_000,
      stops: 3,
      stopMsMax: 500,
      settleMs: 1500,
    });
  } finally {
    await dynamoDb.close();
  }
}

async function runRelays(stream: ProducedStream, relays: readonly Relay[], checks: Checks): Promise<void> {
  await stream.create(shards);
  const progress = setInterval(() => checks.say(progressOf(stream, relays)), progressEveryMs);
  try {
    let isOver = false;
    const load = async (): Promise<void> => {
      while (!isOver) await stream.produceUntil(performance.now() + 1000);
    };
    const isWanted = (): boolean => !isOver && !relays.every(({ isInLastLeg }) => isInLastLeg);
    const isHeld = (): boolean => relays.some(({ isChanging }) => isChanging);
    const run = Promise.all(relays.map((relay) => relay.run())).finally(() => (isOver = true));
    await Promise.all([run, load(), stream.reshardWhile(isWanted, reshardMs, isHeld)]);
    await drain(stream, relays);
    checks.say(progressOf(stream, relays));
    for (const relay of relays) await judgeRelay(relay, stream, checks);
    for (const by of ['ours', 'Java'] as const) {
      const count = relays.reduce((sum, relay) => sum + goneOn(relay, by), 0);
      const name =
        by === 'ours'
          ? "@millrace/client has gone on in the midst of the KCL's shards"
          : 'the KCL in the midst of ours';
      checks.record(`${name}: ${count} times`, count > 0 ? undefined : 'wanted some');
    }
    await judgeTables(relays, checks);
  } finally {
    clearInterval(progress);
    await Promise.all(relays.map((relay) => relay.stop()));
    await stream.close();
  }
}

async function drain(stream: ProducedStream, relays: readonly Relay[]): Promise<void> {
  const closed = await stream.closedShards();
  const isDrained = ({ account: { journal } }: Relay): boolean =>
    journal.distinct >= stream.total && closed.every((shard) => journal.ended.has(shard));
  const endMs = performance.now() + drainMsMax;
  while (!relays.every(isDrained) && performance.now() < endMs) {
    const ended = relays.find(({ isRunning }) => !isRunning);
    if (ended !== undefined) throw new Error(`${ended.name}: the last worker has ended: ${ended.lastWords}`);
    await sleep(100);
  }
}

/** Shows that each of the two has worked with what it is said to. */
async function judgeTables([single, three]: readonly Relay[], checks: Checks): Promise<void> {
  await checks.check('KCL 3.5 has kept its leader and its figures in the table that we made', async () => {
    const { otherTypes, otherTables } = (await single?.readTable()) ?? { otherTypes: [], otherTables: [] };
    mustHave(otherTypes, ['LEADER', 'WORKER_METRIC_STATS']);
    if (otherTables.length > 0) throw new Error(`there are ${otherTables.join(', ')}`);
  });
  await checks.check('KCL 3.0 has kept them in two tables beside it', async () => {
    const { otherTypes, otherTables } = (await three?.readTable()) ?? { otherTypes: [], otherTables: [] };
    mustHave(otherTables, ['-CoordinatorState', '-WorkerMetricStats']);
    if (otherTypes.length > 0) throw new Error(`in the lease table there are ${otherTypes.join(', ')}`);
  });
}

function mustHave(found: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((each) => !found.includes(each));
  if (missing.length > 0) throw new Error(`no ${missing.join(', ')} among ${found.join(', ')}`);
}

function progressOf(stream: ProducedStream, relays: readonly Relay[]): string {
  const each = relays.map(
    ({ name, legs, account: { journal } }) =>
      `${name}: ${journal.distinct} processed (${journal.again} again), now ${legs.at(-1)?.worker ?? 'nobody'}`,
  );
  return `${stream.total} put, ${stream.reshards} reshards; ${each.join('; ')}`;
}
