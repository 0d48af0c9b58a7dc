import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from '../../harness/background-process.ts';
import { Account } from '../failover/account.ts';
import { OurWorker } from '../failover/our-worker.ts';
import type { Retrieval } from '../kcl/application.ts';
import type { ProducedStream } from '../kcl/stream.ts';
import { type LeaseTable, readLeaseTable } from './lease-items.ts';

/** One after the other; the last one goes on to the end. */
export interface LegPlan {
  readonly by: 'ours' | 'Java';
  readonly end: 'stop' | 'kill' | undefined;
}

export interface RelayOptions {
  /** For people. */
  readonly name: string;
  /** Of a worker of the KCL. */
  readonly classPath: string;
  readonly retrieval: Retrieval;
  readonly legs: readonly LegPlan[];
  readonly stream: ProducedStream;
  readonly kinesis: string;
  readonly dynamoDb: string;
}

/** What one worker did in the time that it had. */
export interface Leg extends LegPlan {
  readonly worker: string;
  /** That its end took. */
  endMs: number;
  /** When it had ended, by the clock that all processes share. */
  endNanos: bigint;
  /** How it left the table. */
  table: LeaseTable | undefined;
  /** Why it is not as it should be. */
  failure: string | undefined;
}

/** All workers of an application have the same. */
const failoverMs = 4000;
/** Enough for others to come in the midst of an aggregate. */
const recordMs = 8;
const firstRecordMsMax = 150_000;
const stopMsMax = 40_000;
/** Of each leg, from its first record on. */
const legMs = { ours: 9000, Java: 12_000 };
/** Then it ends as soon as it is in the midst of some open shards: the KCL may still be busy with generations before them. */
const midstMsMax = 90_000;
const midstShards = 3;
const midstCheckMs = 200;
const silenceMsMax = 1000;

/** One application, whose workers follow one another: one at a time, by turns ours and the KCL's. */
export class Relay {
  readonly name: string;
  readonly account = new Account();
  readonly legs: Leg[] = [];
  readonly #options: RelayOptions;
  readonly #application: string;
  #process: BackgroundProcess | undefined;
  #isChanging = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.name = options.name;
    this.#application = `${options.stream.name}-${options.retrieval}`;
  }

  /** Until the last one is at work. @throws Error when one does not come to it */
  async run(): Promise<void> {
    for (const plan of this.#options.legs) {
      const leg: Leg = {
        ...plan,
        worker: `${plan.by}-${this.legs.length + 1}`,
        endMs: 0,
        endNanos: 0n,
        table: undefined,
        failure: undefined,
      };
      this.legs.push(leg);
      const ours = this.#start(leg);
      await this.#until(() => this.#hasBegun(leg), firstRecordMsMax);
      if (leg.end === undefined) return;
      await this.#until(() => false, legMs[leg.by]);
      this.#isChanging = true;
      await this.#waitForMidst(leg);
      await this.#end(leg, ours);
      this.#isChanging = false;
    }
  }

  /** Of the worker that is at work. */
  get lastWords(): string {
    return this.#process?.stderr.slice(-2000) ?? '';
  }

  /** The last worker has been started. */
  get isInLastLeg(): boolean {
    return this.legs.length === this.#options.legs.length;
  }

  /** A worker has had its time: shards that are closed before it ends may leave nothing for the next to go on with. */
  get isChanging(): boolean {
    return this.#isChanging;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning === true;
  }

  readTable(): Promise<LeaseTable> {
    return readLeaseTable(this.#options.dynamoDb, this.#application);
  }

  async stop(): Promise<void> {
    await this.#process?.kill();
  }

  #hasBegun({ worker }: Leg): boolean {
    return this.account.journal.workers.has(worker);
  }

  /** @throws Error when it does not come to it */
  async #waitForMidst({ worker }: Leg): Promise<void> {
    const endMs = performance.now() + midstMsMax;
    while (performance.now() < endMs) {
      const latest = (await this.#options.stream.openShards()).map((shard) => this.account.latest(shard));
      const since = process.hrtime.bigint() - BigInt(silenceMsMax * 1e6);
      if (latest.filter((each) => each?.worker === worker && each.nanos > since).length >= midstShards) return;
      await this.#until(() => false, midstCheckMs);
    }
    throw new Error(`${this.name}: ${worker} does not come to the open shards: ${this.lastWords}`);
  }

  async #end(leg: Leg, ours: OurWorker | undefined): Promise<void> {
    const worker = this.#process as BackgroundProcess;
    const startMs = performance.now();
    if (leg.end === 'kill') await worker.kill();
    else {
      worker.terminate();
      const isLate = await Promise.race([worker.ended.then(() => false), sleep(stopMsMax, true, { ref: false })]);
      if (isLate || ours?.isStopped === false) leg.failure = `it did not end well: ${this.lastWords}`;
      await worker.kill();
    }
    leg.endMs = performance.now() - startMs;
    leg.endNanos = process.hrtime.bigint();
    leg.table = await this.readTable();
  }

  #start({ by, worker }: Leg): OurWorker | undefined {
    const { classPath, retrieval, kinesis, dynamoDb } = this.#options;
    const stream = this.#options.stream.name;
    const application = this.#application;
    if (by === 'ours') {
      const settings = { retrieval, failoverMs };
      const own = { kinesis, stream, application, table: dynamoDb, settings, recordMs };
      const ours = new OurWorker(own, worker, this.account);
      this.#process = ours.process;
      return ours;
    }
    const java = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx192m'];
    const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
    const args = [...java, log, '-cp', classPath, 'millrace.kcl.Worker'];
    this.#process = new BackgroundProcess(
      'java',
      [...args, stream, application, worker, retrieval, kinesis, dynamoDb],
      { onLine: (line) => this.account.note(line, worker) },
    );
    return undefined;
  }

  async #until(isSo: () => boolean, msMax: number): Promise<void> {
    const endMs = performance.now() + msMax;
    while (!isSo() && performance.now() < endMs) {
      if (!this.isRunning) throw new Error(`${this.name}: ${this.legs.at(-1)?.worker} has ended: ${this.lastWords}`);
      await sleep(50);
    }
  }
}
