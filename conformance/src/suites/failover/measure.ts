import type { ConsumerSettings } from '@millrace/client';
import type { Checks } from '../../harness/checks.ts';
import { freshName, type Target } from '../../harness/target.ts';
import { mustBeEmpty } from '../kcl/judge.ts';
import { Fleet, type Takeover } from './fleet.ts';
import { Ticker } from './ticker.ts';

export interface FailoverRun {
  /** For people. */
  readonly name: string;
  /** Endpoint of DynamoDB, or path of a SQLite file. */
  readonly table: string;
  readonly settings: ConsumerSettings;
  readonly kills: number;
  readonly killMsMax: number;
  readonly stops: number;
  readonly stopMsMax: number;
  /** Between a share that is even and the end of the next worker. */
  readonly settleMs: number;
}

const workers = 3;
const shards = 6;
const tickMs = 50;
const drainMsMax = 15_000;

/** Ends workers of ours again and again, some with `kill -9` and some with SIGTERM, and measures how long their shards stand still. */
export async function measureFailover(target: Target, checks: Checks, run: FailoverRun): Promise<void> {
  const { endpoint: kinesis } = target.transport;
  const ticker = new Ticker(kinesis, freshName('failover'));
  const { table, settings, settleMs } = run;
  const application = { kinesis, stream: ticker.name, application: ticker.name, table, settings, recordMs: 0 };
  const fleet = new Fleet(application, shards);
  checks.prefix = `${run.name}: `;
  try {
    await ticker.start(shards, tickMs);
    fleet.start(workers);
    for (const how of ['SIGKILL', 'SIGTERM'] as const) {
      const [times, msMax] = how === 'SIGKILL' ? [run.kills, run.killMsMax] : [run.stops, run.stopMsMax];
      const found: Takeover[] = [];
      for (let i = 0; i < times; i++) {
        await fleet.balanced(settleMs);
        found.push(await fleet.end(how));
        fleet.start(1);
      }
      judgeTimes(checks, how, found, msMax);
    }
    await ticker.stop();
    await fleet.processed(ticker.total, drainMsMax);
    await judgeRecords(checks, ticker, fleet);
  } finally {
    await ticker.stop();
    await fleet.stop();
    checks.prefix = '';
  }
}

function judgeTimes(checks: Checks, how: 'SIGKILL' | 'SIGTERM', found: readonly Takeover[], msMax: number): void {
  const lasts = found.map(({ lastMs }) => lastMs).toSorted((a, b) => a - b);
  const firsts = found.map(({ firstMs }) => firstMs).toSorted((a, b) => a - b);
  const figures = `all its shards go on after ${spreadOf(lasts)}, the first after ${spreadOf(firsts)}`;
  const name = `${found.length} times ${how} to one of ${workers} workers: within ${msMax} ms`;
  const failure = (lasts.at(-1) as number) <= msMax ? undefined : figures;
  checks.record(name, failure);
  if (failure === undefined) checks.say(`  ${figures}`);
}

function spreadOf(sorted: readonly number[]): string {
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  return `${median.toFixed(0)} ms (median; ${sorted.map((ms) => ms.toFixed(0)).join(', ')})`;
}

async function judgeRecords(checks: Checks, { total, acknowledged }: Ticker, fleet: Fleet): Promise<void> {
  const { journal, repeats, twins } = fleet.account;
  await checks.check(`every one of ${total} acknowledged records is processed, in order, and nothing else`, () =>
    mustBeEmpty([
      ...journal.missing(acknowledged),
      ...journal.outOfOrder(),
      ...journal.invented(acknowledged),
      ...journal.strange,
      ...twins,
    ]),
  );
  const ofLiving = repeats.filter(({ before }) => !fleet.killed.has(before));
  await checks.check('no record is processed again, but for the last ones of a worker that was killed', () =>
    mustBeEmpty(ofLiving.map(({ key, shard, before, by }) => `${key} of ${shard} by ${before}, then by ${by}`)),
  );
  checks.say(`  processed again after ${fleet.killed.size} kills: ${repeats.length - ofLiving.length}`);
}
