import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../harness/checks.ts';
import { runCommand } from '../harness/command.ts';
import { freshFolder, repositoryFolder } from '../harness/folders.ts';
import type { Target } from '../harness/target.ts';

const startMsMax = 120_000;

/** The published package: packed, and run by `npx` in an empty folder. */
export async function packageSuite(_target: Target, checks: Checks): Promise<void> {
  const folder = freshFolder('package');
  try {
    let tarball = '';
    await checks.check('npm pack', async () => {
      const platform = join(repositoryFolder, 'platform');
      const packed = await runCommand('npm', ['pack', '--pack-destination', folder.path], {
        cwd: platform,
        env: node24,
      });
      assert.equal(packed.code, 0, packed.stderr);
      tarball = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) as string;
    });
    // A project of its own, or npm takes the repository's.
    writeFileSync(join(folder.path, 'package.json'), '{ "private": true }');
    await checks.check('npx from the tarball in an empty folder serves', () => serves(folder.path, tarball));
  } finally {
    folder.remove();
  }
}

/** The Node that runs this comes first. */
const node24 = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };

async function serves(cwd: string, tarball: string): Promise<void> {
  const child = spawn('npx', ['--yes', `./${tarball}`, '--port', '0'], {
    cwd,
    env: { ...process.env, ...node24 },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    const deadline = Date.now() + startMsMax;
    let endpoint: string | undefined;
    while (endpoint === undefined) {
      assert.ok(Date.now() < deadline && child.exitCode === null, `it did not start: ${output}`);
      await sleep(50);
      endpoint = /^\s*endpoint\s+(http:\/\/\S+)/m.exec(output)?.[1];
    }
    const health = (await (await fetch(`${endpoint}/_millrace/health`)).json()) as { status: string };
    assert.equal(health.status, 'ok');
  } finally {
    // npx, its shell and the server are one process group.
    process.kill(-(child.pid as number), 'SIGTERM');
  }
}
