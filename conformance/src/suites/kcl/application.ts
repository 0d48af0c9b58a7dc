import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from '../../harness/background-process.ts';
import type { JavaProgram } from '../../harness/maven.ts';
import { Journal } from './journal.ts';

export type Retrieval = 'polling' | 'fan-out';

export interface ApplicationOptions {
  readonly program: JavaProgram;
  readonly stream: string;
  readonly retrieval: Retrieval;
  readonly kinesis: string;
  readonly dynamoDb: string;
}

/** Workers that may end by themselves before that is a failure. */
const endsMax = 6;

/** A consumer application of the KCL: a number of workers, each a process of its own, started again when it ends. */
export class Application {
  readonly journal = new Journal();
  readonly name: string;
  kills = 0;
  readonly #options: ApplicationOptions;
  readonly #workers: BackgroundProcess[] = [];
  readonly #killed = new WeakSet<BackgroundProcess>();
  /** What workers that nobody killed said at their end. */
  readonly #ends: string[] = [];
  #started = 0;
  #isStopped = false;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.name = `${options.stream}-${options.retrieval}`;
  }

  get retrieval(): Retrieval {
    return this.#options.retrieval;
  }

  /**
   * The first worker makes the tables, the others come when it is at work: in 3.5.1 a worker that comes while another makes them may
   * give up.
   */
  async start(workers: number, msMax: number): Promise<void> {
    this.#keepWorker(0);
    const endMs = performance.now() + msMax;
    while (this.journal.begun.size === 0 && performance.now() < endMs) await sleep(200);
    for (let slot = 1; slot < workers; slot++) this.#keepWorker(slot);
  }

  /** Kills a worker at random now and then. */
  async killUntil(endMs: number, everyMs: number): Promise<void> {
    for (;;) {
      await sleep(everyMs);
      if (performance.now() >= endMs) return;
      const worker = this.#workers[Math.floor(Math.random() * this.#workers.length)] as BackgroundProcess;
      this.#killed.add(worker);
      this.kills++;
      await worker.kill();
    }
  }

  /** What went wrong with workers that ended again and again; undefined while they do not. */
  failure(): string | undefined {
    if (this.#ends.length <= endsMax) return undefined;
    return `${this.#ends.length} workers have ended by themselves: ${this.#ends.at(-1)?.slice(-1500)}`;
  }

  /** What the workers of now, and those that ended by themselves, have written to standard error. */
  lastWords(): string[] {
    return [...this.#ends, ...this.#workers.map(({ stderr }) => stderr)];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  #keepWorker(slot: number): void {
    const worker = this.#startWorker();
    this.#workers[slot] = worker;
    void worker.ended.then(() => {
      if (this.#isStopped) return;
      if (!this.#killed.has(worker)) this.#ends.push(worker.stderr);
      if (this.failure() === undefined) this.#keepWorker(slot);
    });
  }

  #startWorker(): BackgroundProcess {
    const { program, stream, retrieval, kinesis, dynamoDb } = this.#options;
    // The first compiler only: a worker's life is too short for the second, and two cores are there for all.
    const java = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx192m'];
    const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
    const worker = `worker-${++this.#started}`;
    const args = [...java, log, '-cp', program.classPath, 'millrace.kcl.Worker'];
    const { journal } = this;
    return new BackgroundProcess('java', [...args, stream, this.name, worker, retrieval, kinesis, dynamoDb], {
      onLine: (line) => journal.note(line, worker),
    });
  }
}
