import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import type { Checks } from '../harness/checks.ts';
import { freshFolder, repositoryFolder } from '../harness/folders.ts';
import { freshName, type Target } from '../harness/target.ts';

const program = join(repositoryFolder, 'platform/dist/cli/main.js');
const keys = 1000;

/** `millrace put` and `tail`: ten lines for each record of the other suites, so a million at full size. */
export async function commandSuite(target: Target, checks: Checks): Promise<void> {
  const count = target.records * 10;
  const { endpoint } = target.transport;
  const stream = freshName('command');
  const folder = freshFolder('command');
  const input = join(folder.path, 'lines');
  try {
    await writeLines(input, count);
    await checks.check('streams create', async () => {
      assert.match(await run(['streams', 'create', stream, '--shards', '4', '--endpoint', endpoint]), /^created /);
    });
    await checks.check(`put of ${count} lines`, async () => {
      const told = await run(['put', stream, '--key-field', 'user', '--endpoint', endpoint], { input });
      assert.match(told, new RegExp(`^${count.toLocaleString('en')} records in `));
      checks.say(told.trim());
    });
    await checks.check(`tail of ${count} lines: all, once, in order by key`, async () => {
      const seen = new LineChecker(count);
      const args = ['tail', stream, '--from', 'trim-horizon', '--no-follow', '--endpoint', endpoint];
      await run(args, { onLine: (line) => seen.add(line) });
      seen.finish();
    });
    await checks.check('tail follows: a line put later is printed', () => follows(endpoint, stream));
  } finally {
    folder.remove();
  }
}

async function writeLines(path: string, count: number): Promise<void> {
  const file = createWriteStream(path);
  for (let i = 0; i < count;) {
    let text = '';
    for (const end = Math.min(i + 1000, count); i < end; i++) text += `{"user":"u${i % keys}","n":${i}}\n`;
    if (!file.write(text)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
}

/** Each number once, rising for each key. */
class LineChecker {
  readonly #seen: Uint8Array;
  readonly #last: number[] = Array.from({ length: keys }, () => -1);
  #count = 0;

  constructor(count: number) {
    this.#seen = new Uint8Array(count);
  }

  add(line: string): void {
    const { n } = JSON.parse(line) as { n: number };
    assert.equal(this.#seen[n], 0, `line ${n} came twice`);
    this.#seen[n] = 1;
    this.#count++;
    assert.ok(n > (this.#last[n % keys] as number), `line ${n} came after ${this.#last[n % keys]}, of the same key`);
    this.#last[n % keys] = n;
  }

  finish(): void {
    assert.equal(this.#count, this.#seen.length);
  }
}

interface RunOptions {
  /** File for standard input. */
  readonly input?: string;
  readonly onLine?: (line: string) => void;
}

/** Standard output and error of a run that must succeed; lines that go to `onLine` are left out. */
async function run(args: readonly string[], { input, onLine }: RunOptions = {}): Promise<string> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  if (input === undefined) child.stdin.end();
  else createReadStream(input).pipe(child.stdin);
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  if (onLine === undefined) child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  else for await (const line of createInterface({ input: child.stdout })) onLine(line);
  if (child.exitCode === null) await once(child, 'close');
  assert.equal(child.exitCode, 0, text);
  return text;
}

async function follows(endpoint: string, stream: string): Promise<void> {
  const args = [program, 'tail', stream, '--from', new Date().toISOString(), '--endpoint', endpoint];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const line = once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(20_000) });
    const put = spawn(process.execPath, [program, 'put', stream, '--endpoint', endpoint], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    put.stdin.end('later\n');
    assert.deepEqual(await line, ['later']);
  } finally {
    child.kill('SIGTERM');
  }
}
