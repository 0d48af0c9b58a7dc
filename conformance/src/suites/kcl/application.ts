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

/** A consumer application of the KCL: a number of workers, each a process of its own. */
export class Application {
  readonly journal = new Journal();
  readonly name: string;
  kills = 0;
  readonly #options: ApplicationOptions;
  readonly #workers: BackgroundProcess[] = [];
  #started = 0;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.name = `${options.stream}-${options.retrieval}`;
  }

  start(workers: number): void {
    for (let i = 0; i < workers; i++) this.#workers.push(this.#startWorker());
  }

  /** Kills a worker at random now and then, and starts another in its place. */
  async killUntil(endMs: number, everyMs: number): Promise<void> {
    for (;;) {
      await sleep(everyMs);
      if (performance.now() >= endMs) return;
      const index = Math.floor(Math.random() * this.#workers.length);
      await this.#workers[index]?.kill();
      this.kills++;
      this.#workers[index] = this.#startWorker();
    }
  }

  /** Why a worker has ended that nobody has killed; undefined while all run. */
  failure(): string | undefined {
    const dead = this.#workers.find(({ isRunning }) => !isRunning);
    return dead && `a worker has ended: ${dead.stderr.slice(-1500)}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
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
      onLine: (line) => journal.note(line),
    });
  }
}
