import { setTimeout as sleep } from 'node:timers/promises';
import { Account } from './account.ts';
import { type OurApplication, OurWorker } from './our-worker.ts';

/** A shard that says nothing for so long is nobody's: one that is polled is heard of every second. */
const silenceMsMax = 1600;
const balanceMsMax = 60_000;
const takeoverMsMax = 60_000;

/** How long after the end of a worker another one processed a record of the shards that it had. */
export interface Takeover {
  /** Of any of them. */
  readonly firstMs: number;
  /** Of each of them. */
  readonly lastMs: number;
}

/** Some workers of ours that share the shards of a stream, and are ended and followed by others. */
export class Fleet {
  readonly account = new Account();
  readonly killed = new Set<string>();
  readonly #application: OurApplication;
  readonly #shards: number;
  readonly #workers: OurWorker[] = [];
  /** What they have written to standard error. */
  readonly #words: string[] = [];
  #started = 0;

  constructor(application: OurApplication, shards: number) {
    this.#application = application;
    this.#shards = shards;
  }

  start(workers: number): void {
    for (let i = 0; i < workers; i++) {
      this.#workers.push(new OurWorker(this.#application, `worker-${++this.#started}`, this.account));
    }
  }

  /** Until each worker processes its share, and has done so for a while. */
  async balanced(settleMs: number): Promise<void> {
    const endMs = performance.now() + balanceMsMax;
    let sinceMs = performance.now();
    while (performance.now() - sinceMs < settleMs) {
      if (!this.#isBalanced()) sinceMs = performance.now();
      if (performance.now() > endMs) throw new Error(`the workers do not share the shards: ${this.lastWords()}`);
      await sleep(20);
    }
  }

  /** Ends one of them, and waits until others have come to each of its shards. */
  async end(how: 'SIGKILL' | 'SIGTERM'): Promise<Takeover> {
    const worker = this.#workers.shift() as OurWorker;
    const shards = this.#shardsOf(worker);
    if (how === 'SIGKILL') this.killed.add(worker.name);
    const sinceNanos = process.hrtime.bigint();
    if (how === 'SIGKILL') void worker.process.kill();
    else worker.process.terminate();
    const endMs = performance.now() + takeoverMsMax;
    for (;;) {
      const firsts = shards.map((shard) => this.account.firstOfOther(shard, worker.name, sinceNanos)?.nanos);
      if (firsts.every((each) => each !== undefined)) {
        const times = firsts.map((nanos) => Number(nanos - sinceNanos) / 1e6);
        await worker.process.ended;
        this.#words.push(worker.process.stderr);
        if (how === 'SIGTERM' && !worker.isStopped) throw new Error(`it did not end well: ${worker.process.stderr}`);
        return { firstMs: Math.min(...times), lastMs: Math.max(...times) };
      }
      if (performance.now() > endMs) throw new Error(`nobody processes ${shards.join(', ')}: ${this.lastWords()}`);
      await sleep(10);
    }
  }

  async processed(records: number, msMax: number): Promise<void> {
    const endMs = performance.now() + msMax;
    while (this.account.journal.distinct < records && performance.now() < endMs) await sleep(20);
  }

  lastWords(): string {
    return [...this.#words, ...this.#workers.map(({ process: { stderr } }) => stderr)].join('\n').slice(-3000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map(({ process: worker }) => worker.kill()));
  }

  #isBalanced(): boolean {
    const owned = this.#workers.map((worker) => this.#shardsOf(worker).length);
    const sum = owned.reduce((a, b) => a + b, 0);
    return sum === this.#shards && Math.max(...owned) - Math.min(...owned) <= 1;
  }

  /** Those that it processes now. */
  #shardsOf({ name }: OurWorker): string[] {
    const since = process.hrtime.bigint() - BigInt(silenceMsMax * 1e6);
    return this.account.shards.filter((shard) => {
      const latest = this.account.latest(shard);
      return latest !== undefined && latest.worker === name && latest.nanos > since;
    });
  }
}
