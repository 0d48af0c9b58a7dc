import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const mainPath: string = join(import.meta.dirname, '../dist/cli/main.js');

/** A temporary folder that is removed at the end of the scope. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command to its end. */
export async function millrace(args: readonly string[], input = ''): Promise<Finished> {
  const child = spawn(process.execPath, [mainPath, ...args], { env: cleanEnvironment() });
  const output = collect(child);
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  return { code, ...output() };
}

/** A built server running as a process of its own. */
export class ServerProcess {
  readonly endpoint: string;
  readonly banner: string;
  readonly child: ChildProcess;
  readonly #output: () => { stdout: string; stderr: string };

  private constructor(child: ChildProcess, banner: string, output: () => { stdout: string; stderr: string }) {
    this.child = child;
    this.banner = banner;
    this.#output = output;
    this.endpoint = /https?:\/\/\S+/.exec(banner)?.[0] as string;
  }

  /** Resolves when the banner stands, which is when calls are served. */
  static async start(args: readonly string[]): Promise<ServerProcess> {
    const child = spawn(process.execPath, [mainPath, 'serve', '--port', '0', ...args], { env: cleanEnvironment() });
    const output = collect(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', () => {
        if (output().stdout.includes('Ctrl-C')) resolve();
      });
      child.on('close', () => reject(new Error(`the server ended: ${output().stderr}`)));
    });
    return new ServerProcess(child, output().stdout, output);
  }

  get stdout(): string {
    return this.#output().stdout;
  }

  /** Sends a signal and waits for the end; the exit code, or null when the signal ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = new Promise<number | null>((resolve) => {
      this.child.on('exit', resolve);
    });
    this.child.kill(signal);
    return ended;
  }
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += chunk));
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  return () => ({ stdout, stderr });
}

/** Without variables that would change a setting. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(MILLRACE_|AWS_|NODE_|VITEST)/.test(name));
  return Object.fromEntries(kept);
}
