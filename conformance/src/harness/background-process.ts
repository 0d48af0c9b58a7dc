import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { clientEnvironment } from './target.ts';

const errorCharactersMax = 20_000;

export interface BackgroundOptions {
  /** Besides this process's own and what clients look for. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of standard output. */
  readonly onLine?: (line: string) => void;
}

/** A program that runs beside a suite until it is ended; ended also with this process. */
export class BackgroundProcess {
  readonly #child: ChildProcess;
  /** Resolves when it is gone and its output read. */
  readonly ended: Promise<void>;
  #stderr = '';

  constructor(program: string, args: readonly string[], { env = {}, onLine }: BackgroundOptions = {}) {
    this.#child = spawn(program, args, {
      env: { ...process.env, ...clientEnvironment, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    if (stdout !== null && onLine !== undefined) createInterface({ input: stdout }).on('line', onLine);
    else stdout?.resume();
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-errorCharactersMax);
    });
    // Closed, and not only gone: all that it has said has been read.
    this.ended = Promise.race([once(this.#child, 'close'), once(this.#child, 'error')]).then(
      () => undefined,
      () => undefined,
    );
    const kill = (): boolean => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    void this.ended.then(() => process.off('exit', kill));
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The newest of what it wrote to standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  /** SIGTERM: it is to come to its end. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** SIGKILL; resolves when it is gone and its output read. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
