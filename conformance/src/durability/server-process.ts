import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../harness/checks.ts';
import { repositoryFolder } from '../harness/folders.ts';

const startMsMax = 60_000;
const stopMsMax = 60_000;
const stderrCharactersMax = 20_000;

/** The program that `npm start` hands over to. */
export const serverProgram: string = join(repositoryFolder, 'platform/dist/cli/main.js');

export interface ServerOptions {
  /** Data folder; kept when the server ends. */
  readonly folder: string;
  /** Of `millrace serve`, besides port, data folder and log level. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Program and arguments that run the server's command, for a tracer. */
  readonly wrapper?: readonly string[];
  /** Instead of the built server's own command. */
  readonly command?: readonly string[];
}

/** A server did not get ready. */
export class StartFailure extends Error {
  readonly code: number | null;

  constructor(message: string, code: number | null) {
    super(message);
    this.code = code;
  }
}

/** The built server as a process of its own, on a data folder that outlives it. */
export class ServerProcess {
  /** Known when it is ready. */
  endpoint = '';
  /** From the start of the process to the first answered call. */
  readyMs = Number.NaN;
  /** The end of what it wrote to stderr. */
  stderr = '';
  readonly #child: ChildProcess;
  readonly #isWrapped: boolean;
  readonly #startedMs = performance.now();
  readonly #exit: Promise<unknown>;

  private constructor(child: ChildProcess, isWrapped: boolean) {
    this.#child = child;
    this.#isWrapped = isWrapped;
    const end = (): void => this.#signal('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    this.#exit = once(child, 'exit');
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-stderrCharactersMax);
    });
  }

  /** Starts the process and does not wait for it. */
  static spawn({ folder, flags = [], env = {}, wrapper = [], command }: ServerOptions): ServerProcess {
    if (!existsSync(serverProgram)) throw new UnavailableError('The server is not built: run `npm run build`.');
    const own = command ?? [process.execPath, serverProgram, 'serve'];
    const words = [...wrapper, ...own, '--port', '0', '--data-dir', folder, '--log-level', 'error', ...flags];
    const [program, ...args] = words as [string, ...string[]];
    const options = {
      stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    };
    return new ServerProcess(spawn(program, args, options), wrapper.length > 0);
  }

  /** Starts the process and waits until it has answered a call. @throws StartFailure */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = ServerProcess.spawn(options);
    await server.ready();
    return server;
  }

  /** @throws StartFailure */
  async ready(): Promise<void> {
    const late = sleep(startMsMax, 'late', { ref: false });
    const endpoint = await Promise.race([this.#bannerEndpoint(), this.#exit.then(() => undefined), late]);
    if (endpoint === undefined || endpoint === 'late') {
      if (endpoint === 'late') await this.kill();
      throw new StartFailure(`the server did not start: ${this.stderr.trim().slice(-2000)}`, this.#child.exitCode);
    }
    this.endpoint = endpoint;
    await this.health();
    this.readyMs = performance.now() - this.#startedMs;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** What `/_millrace/metrics` says, by name and labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.endpoint}/_millrace/metrics`)).text();
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  }

  /** What `/_millrace/health` says. */
  async health(): Promise<{ status: string; damage?: readonly string[]; reason?: string }> {
    const request = http.get(`${this.endpoint}/_millrace/health`, { agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    if (answer.statusCode !== 200) throw new Error(`health answered ${answer.statusCode}`);
    return JSON.parse(Buffer.concat(chunks).toString());
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** By SIGKILL, its own or another's. */
  get wasKilled(): boolean {
    return this.#child.signalCode === 'SIGKILL';
  }

  /** Resolves when the process is gone, for whatever reason. */
  async gone(): Promise<void> {
    await this.#exit;
  }

  /** `kill -9`, at once; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#exit;
  }

  /** SIGUSR2, which the server itself has no use for. */
  poke(): void {
    this.#signal('SIGUSR2');
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const isLate = await Promise.race([this.#exit.then(() => false), sleep(stopMsMax, true, { ref: false })]);
    if (!isLate) return;
    await this.kill();
    throw new Error(`the server did not stop within ${stopMsMax} ms`);
  }

  #signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGUSR2'): void {
    if (this.hasEnded) return;
    const traced = this.#isWrapped ? childOf(this.#child.pid as number) : undefined;
    if (traced === undefined) this.#child.kill(name);
    else process.kill(traced, name);
  }

  async #bannerEndpoint(): Promise<string> {
    let text = '';
    return new Promise((resolve) => {
      this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text = (text + chunk).slice(-stderrCharactersMax);
        const endpoint = /^\s*endpoint\s+(http:\/\/\S+)/m.exec(text)?.[1];
        if (endpoint !== undefined) resolve(endpoint);
      });
    });
  }
}

/** The process that a tracer runs; the tracer ends with it. */
function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child === undefined || child === '' ? undefined : Number(child);
}
