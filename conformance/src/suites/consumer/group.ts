import { BackgroundProcess } from '../../harness/background-process.ts';
import { workspaceFile } from '../../harness/folders.ts';
import { clientEnvironment } from '../../harness/target.ts';
import { Journal } from '../kcl/journal.ts';

interface Processed {
  readonly worker: string;
  readonly shard: string;
  readonly position: string;
}

export interface GroupOptions {
  readonly endpoint: string;
  readonly stream: string;
  /** Of the leases. */
  readonly file: string;
  readonly settings: object;
}

/** Workers of one application, each a process of its own, and everything they say. */
export class Group {
  readonly journal = new Journal();
  /** Repeated records that no kill explains. */
  readonly unexplained: string[] = [];
  readonly killed = new Set<string>();
  /** Worker and shard of leases that a worker could not renew in time: it was held up for as long as one that is dead. */
  readonly lost = new Set<string>();
  /** Workers that have ended by themselves, with their last words. */
  readonly ends: string[] = [];
  readonly #options: GroupOptions;
  readonly #workers = new Map<string, BackgroundProcess>();
  /** By key and number: the first who processed it. */
  readonly #first = new Map<string, Processed>();
  /** By worker and shard. */
  readonly #saved = new Map<string, string>();
  /** By shard: who has had it, the last one last. */
  readonly #owners = new Map<string, string[]>();
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
      onLine: (line) => this.#note(line, name),
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
    this.killed.add(name);
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

  /** Whether a shard was said to have ended, or the worker that had it last was killed, perhaps before it could say so. */
  hasEnded(shard: string): boolean {
    return this.journal.ended.has(shard) || this.killed.has(this.#owners.get(shard)?.at(-1) ?? '');
  }

  /** Who had a shard, what became of them, and up to where they had saved it. */
  historyOf(shard: string): string {
    const owners = this.#owners.get(shard) ?? [];
    const tell = (worker: string): string =>
      [
        worker,
        this.killed.has(worker) ? 'killed' : '',
        this.lost.has(`${worker} ${shard}`) ? 'lease lost' : '',
        `saved ${this.#saved.get(`${worker} ${shard}`) ?? 'nothing'}`,
      ]
        .filter((part) => part !== '')
        .join(', ');
    const end = this.journal.ended.has(shard) ? 'ended' : 'not ended';
    return `${shard} (${end}): ${owners.map(tell).join('; ') || 'taken by nobody'}`;
  }

  lastWords(): string {
    return [...this.ends, ...[...this.#workers.values()].map(({ stderr }) => stderr.slice(-500))].join('\n');
  }

  #note(line: string, worker: string): void {
    const [what, ...parts] = line.split(' ');
    if (what === 'saved') {
      const [shard, position] = parts as [string, string];
      this.#saved.set(`${worker} ${shard}`, position);
      return;
    }
    if (what === 'begun')
      this.#owners.set(parts[0] as string, [...(this.#owners.get(parts[0] as string) ?? []), worker]);
    if (what === 'lost') this.lost.add(`${worker} ${parts[0]}`);
    this.journal.note(line, worker);
    if (what !== 'record') return;
    const [, shard, position, key, number] = parts as [string, string, string, string, string];
    const id = `${key}/${number}`;
    const first = this.#first.get(id);
    if (first === undefined) this.#first.set(id, { worker, shard, position });
    else this.#noteRepeat(id, first);
  }

  /** Only what a worker that was killed, or lost its lease, had not saved may come again. */
  #noteRepeat(id: string, { worker, shard, position }: Processed): void {
    const saved = this.#saved.get(`${worker} ${shard}`);
    const isInterrupted = this.killed.has(worker) || this.lost.has(`${worker} ${shard}`);
    if (!isInterrupted) this.unexplained.push(`${id} of ${shard}: nobody killed ${worker}`);
    else if (saved !== undefined && !isBehind(position, saved))
      this.unexplained.push(`${id}: ${worker} had saved ${saved}`);
  }
}

/** Of positions in one shard. */
function isBehind(position: string, saved: string): boolean {
  const [[sequence, sub], [savedSequence, savedSub]] = [position, saved].map((text) => text.split('/')) as [
    string[],
    string[],
  ];
  if (sequence !== savedSequence) return BigInt(sequence as string) > BigInt(savedSequence as string);
  return Number(sub) > Number(savedSub);
}
