import { BackgroundProcess } from '../../harness/background-process.ts';
import { workspaceFile } from '../../harness/folders.ts';
import { clientEnvironment } from '../../harness/target.ts';
import { History } from './history.ts';

export interface GroupOptions {
  readonly endpoint: string;
  readonly stream: string;
  /** Of the leases. */
  readonly file: string;
  readonly settings: object;
}

/** Workers of one application, each a process of its own, and everything they say. */
export class Group {
  readonly history = new History();
  /** Workers that have ended by themselves, with their last words. */
  readonly ends: string[] = [];
  readonly #options: GroupOptions;
  readonly #workers = new Map<string, BackgroundProcess>();
  #started = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  start(): void {
    const { endpoint, stream, file, settings } = this.#options;
    const name = `worker-${++this.#started}`;
    const program = workspaceFile('src/suites/consumer/program.ts');
    const args = [program, endpoint, stream, file, name, JSON.stringify(settings)];
    const worker = new BackgroundProcess(process.execPath, args, {
      env: clientEnvironment,
      onLine: (line) => this.history.note(line, name),
    });
    this.#workers.set(name, worker);
    void worker.ended.then(() => {
      if (this.#workers.delete(name)) this.ends.push(`${name}: ${worker.stderr.slice(-1000)}`);
    });
  }

  /** kill -9 of one of them, and another in its place. */
  async killOne(random: () => number): Promise<void> {
    const names = [...this.#workers.keys()];
    const name = names[Math.floor(random() * names.length)] as string;
    const worker = this.#workers.get(name);
    this.#workers.delete(name);
    this.history.killed.add(name);
    await worker?.kill();
    this.start();
  }

  /** One of them ends as it should, and another comes in its place. */
  async replaceOne(random: () => number): Promise<void> {
    const names = [...this.#workers.keys()];
    const name = names[Math.floor(random() * names.length)] as string;
    const worker = this.#workers.get(name);
    this.#workers.delete(name);
    this.start();
    worker?.terminate();
    await worker?.ended;
  }

  async stop(): Promise<void> {
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    for (const worker of workers) worker.terminate();
    await Promise.all(workers.map(({ ended }) => ended));
  }

  lastWords(): string {
    return [...this.ends, ...[...this.#workers.values()].map(({ stderr }) => stderr.slice(-500))].join('\n');
  }
}
