import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CommandOptions {
  readonly cwd?: string;
  /** Besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of standard output as it comes, which is then not kept. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. A program that cannot be started has code 127. */
export async function runCommand(
  program: string,
  args: readonly string[],
  { cwd, env = {}, onLine }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (onLine === undefined) child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  else createInterface({ input: child.stdout }).on('line', onLine);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 127, stdout, stderr: `${stderr}${error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
  });
}
