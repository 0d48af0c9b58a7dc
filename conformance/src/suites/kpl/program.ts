import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from '../../harness/background-process.ts';
import { workFolder } from '../../harness/folders.ts';
import { buildWithMaven } from '../../harness/maven.ts';

export interface KplOptions {
  /** Of Kinesis and of STS; the KPL speaks nothing but TLS. */
  readonly url: URL;
  /** Undefined: no certificate is verified. */
  readonly certificateFile?: string;
  readonly stream: string;
  readonly isAggregating: boolean;
  readonly records: number;
  readonly recordsPerSecond: number;
}

/** Where the producer was told that a record is. */
export interface Put {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

const silenceMsMax = 60_000;

/** A process with the Kinesis Producer Library that puts records `KEY NUMBER`, and what it was told of them. */
export class KplProgram {
  /** By number. */
  readonly puts = new Map<number, Put>();
  readonly failures: string[] = [];
  readonly #process: BackgroundProcess;
  #isDone = false;

  private constructor(classPath: string, options: KplOptions) {
    const { url, certificateFile = '-', stream, isAggregating, records, recordsPerSecond } = options;
    const numbers = [isAggregating, records, recordsPerSecond].map(String);
    const host = url.hostname.replaceAll(/[[\]]/g, '');
    const args = [stream, host, url.port || '443', certificateFile, workFolder('kpl'), ...numbers];
    this.#process = new BackgroundProcess('java', ['-cp', classPath, 'millrace.kpl.Producer', ...args], {
      // It would ask the network for the machine's place in AWS.
      env: { AWS_EC2_METADATA_DISABLED: 'true' },
      onLine: (line) => this.#onLine(line),
    });
  }

  /** @throws UnavailableError */
  static async start(options: KplOptions): Promise<KplProgram> {
    const { classPath } = await buildWithMaven('java-kpl');
    return new KplProgram(classPath, options);
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Until it has been told of so many records, or of all of them. */
  async told(count = Number.POSITIVE_INFINITY): Promise<void> {
    let before = -1;
    let changedMs = performance.now();
    while (!this.#isDone && this.#told < count) {
      if (this.#told !== before) changedMs = performance.now();
      before = this.#told;
      if (!this.#process.isRunning) throw new Error(`it has ended after ${before} records: ${this.#lastWords}`);
      if (performance.now() - changedMs > silenceMsMax) {
        throw new Error(
          `after ${before} records it was told of no more for ${silenceMsMax / 1000} s: ${this.#lastWords}`,
        );
      }
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    await this.#process.kill();
  }

  get #told(): number {
    return this.puts.size + this.failures.length;
  }

  get #lastWords(): string {
    return this.#process.stderr.slice(-1500);
  }

  #onLine(line: string): void {
    const [what, number, ...rest] = line.split(' ') as [string, ...string[]];
    if (what === 'done') this.#isDone = true;
    else if (what === 'failed') this.failures.push(`${number}: ${rest.join(' ')}`);
    else if (what === 'put') {
      const [shardId, sequenceNumber] = rest as [string, string];
      this.puts.set(Number(number), { shardId, sequenceNumber });
    }
  }
}
