import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from '../load/api.ts';
import { Connection, type Address } from '../load/connection.ts';
import { workFolder } from '../work-folder.ts';
import type { Target } from './target.ts';

const readyMsMax = 60_000;
const retryMs = 2;
const host = '127.0.0.1';

/** One server, from its start to its end. */
export class ServerProcess {
  readonly address: Address;
  readonly pid: number;
  /** From the start of the process to its first answer. */
  readonly readyMs: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: Address, readyMs: number) {
    this.#child = child;
    this.address = address;
    this.readyMs = readyMs;
    this.pid = child.pid as number;
  }

  /**
   * Resolves when the server answers: ListStreams with 200, or for a limit a connection.
   *
   * @param folder its data; kept as it is
   * @throws Error when it ends or does not answer in time
   */
  static async start(target: Target, folder: string): Promise<ServerProcess> {
    const port = await freePort();
    const { args, cwd, environment } = target.command({ port, sparePort: await freePort(), folder });
    mkdirSync(join(workFolder, 'logs'), { recursive: true });
    const log = openSync(join(workFolder, 'logs', `${target.name}.log`), 'a');
    const startedMs = performance.now();
    const env = { ...process.env, ...environment };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', log, log], ...(cwd && { cwd }) });
    closeSync(log);
    endWithThisProcess(child);
    const address = { host, port };
    while (!(await isReady(target, address))) {
      if (hasEnded(child)) throw new Error(`${target.name} ended at its start, see bench/.work/logs`);
      if (performance.now() - startedMs > readyMsMax) {
        child.kill('SIGKILL');
        throw new Error(`${target.name} did not answer in time`);
      }
      await sleep(retryMs);
    }
    return new ServerProcess(child, address, performance.now() - startedMs);
  }

  /** As a crash would: SIGKILL to this process only, by its id. */
  async kill(): Promise<void> {
    if (hasEnded(this.#child)) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** However the bench ends, no server stays behind. */
function endWithThisProcess(child: ChildProcess): void {
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function isReady(target: Target, address: Address): Promise<boolean> {
  try {
    if (target.kind === 'limit') (await Connection.open(address)).close();
    else await new Api(address).listStreams();
    return true;
  } catch {
    return false; // It does not listen or does not answer yet.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
