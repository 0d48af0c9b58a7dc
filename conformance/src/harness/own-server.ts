import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from './checks.ts';
import { freshFolder, repositoryFolder, type FreshFolder } from './folders.ts';

const startMsMax = 20_000;
const stopMsMax = 15_000;

/** The built server as a process of its own, with a fresh data folder. */
export interface OwnServer {
  readonly endpoint: string;
  /** Ends the process by its pid and removes its data. */
  close(): Promise<void>;
}

/** @param flags   of `millrace serve`, besides port and data folder */
export async function startOwnServer(flags: readonly string[] = []): Promise<OwnServer> {
  const program = join(repositoryFolder, 'platform/dist/cli/main.js');
  if (!existsSync(program))
    throw new UnavailableError('The server is not built: run `npm run build`, or give --endpoint.');
  const folder = freshFolder('data');
  const args = [
    program,
    'serve',
    '--port',
    '0',
    '--data-dir',
    join(folder.path, 'data'),
    '--log-level',
    'error',
    ...flags,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  // A process that is told to stop in the middle leaves no server behind; first, so that its folder is removed after it.
  const kill = (): boolean => child.kill('SIGKILL');
  process.prependOnceListener('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  try {
    const endpoint = await Promise.race([
      bannerEndpoint(child),
      endOf(child),
      sleep(startMsMax, undefined, { ref: false }),
    ]);
    if (typeof endpoint !== 'string') throw new UnavailableError('The server did not start; its own words are above.');
    return { endpoint, close: () => stop(child, folder) };
  } catch (error) {
    await stop(child, folder);
    throw error;
  }
}

async function bannerEndpoint(child: ChildProcess): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const endpoint = /^\s*endpoint\s+(http:\/\/\S+)/m.exec(text)?.[1];
      if (endpoint !== undefined) resolve(endpoint);
    });
  });
}

async function endOf(child: ChildProcess): Promise<void> {
  await once(child, 'exit');
}

async function stop(child: ChildProcess, folder: FreshFolder): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const isLate = await Promise.race([exit.then(() => false), sleep(stopMsMax, true, { ref: false })]);
    if (isLate) {
      child.kill('SIGKILL');
      await exit;
    }
  }
  folder.remove();
}
