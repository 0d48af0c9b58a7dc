import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../harness/checks.ts';
import { freshFolder, repositoryFolder, type FreshFolder } from '../harness/folders.ts';

const startMsMax = 20_000;
const stopMsMax = 20_000;

/** A server process that is abused, looked at from outside. */
export class Victim {
  /** `127.0.0.1:PORT`; known when it has started. */
  host = '';
  port = 0;
  /** All of what it wrote to stderr. */
  stderr = '';
  readonly #child: ChildProcess;
  readonly #folder: FreshFolder | undefined;

  private constructor(child: ChildProcess, folder: FreshFolder | undefined) {
    this.#child = child;
    this.#folder = folder;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // A process that is told to stop in the middle leaves no server behind.
    const kill = (): boolean => child.kill('SIGKILL');
    process.prependOnceListener('exit', kill);
    child.once('exit', () => process.off('exit', kill));
  }

  /** The built server, with a fresh data folder. @param nodeFlags   of Node itself */
  static async start(nodeFlags: readonly string[] = []): Promise<Victim> {
    const program = join(repositoryFolder, 'platform/dist/cli/main.js');
    if (!existsSync(program)) throw new UnavailableError('The server is not built: run `npm run build`.');
    const folder = freshFolder('abuse');
    const flags = ['--port', '0', '--data-dir', join(folder.path, 'data'), '--log-level', 'info'];
    return Victim.run([...nodeFlags, program, 'serve', ...flags], folder);
  }

  /** Any program that says where it listens as the server does. */
  static async run(args: readonly string[], folder?: FreshFolder): Promise<Victim> {
    const victim = new Victim(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }), folder);
    const port = await Promise.race([
      victim.#portOfBanner(),
      victim.#exit(),
      sleep(startMsMax, undefined, { ref: false }),
    ]);
    if (typeof port !== 'number') {
      await victim.close();
      throw new UnavailableError(`The server did not start: ${victim.stderr.slice(-2000)}`);
    }
    victim.port = port;
    victim.host = `127.0.0.1:${port}`;
    return victim;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the process by its pid and removes its data. */
  async close(): Promise<void> {
    if (this.isAlive) {
      const exit = this.#exit();
      this.#child.kill('SIGTERM');
      const isLate = await Promise.race([exit.then(() => false), sleep(stopMsMax, true, { ref: false })]);
      if (isLate) {
        this.#child.kill('SIGKILL');
        await exit;
      }
    }
    this.#folder?.remove();
  }

  async #exit(): Promise<undefined> {
    if (this.isAlive) await once(this.#child, 'exit');
  }

  async #portOfBanner(): Promise<number> {
    let text = '';
    return new Promise((resolve) => {
      this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const port = /^\s*endpoint\s+http:\/\/[^\s:]+:(\d+)/m.exec(text)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    });
  }
}
