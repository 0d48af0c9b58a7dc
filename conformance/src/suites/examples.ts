import assert from 'node:assert/strict';
import type { Checks } from '../harness/checks.ts';
import { runCommand, type CommandResult } from '../harness/command.ts';
import { repositoryFolder } from '../harness/folders.ts';
import { clientEnvironment, freshName, type Target } from '../harness/target.ts';

const names = ['clickstream', 'leaderboard', 'payments', 'dead-letter-replay'];
/** Nobody listens there. */
const nowhere = 'http://127.0.0.1:1';

/** What lies in `examples/`, each by the command that its README has, and small. */
export async function examplesSuite(target: Target, checks: Checks): Promise<void> {
  const { endpoint } = target.transport;
  await checks.check('clickstream: workers share shards, order through a split', async () => {
    const lines = await runExample(endpoint, 'clickstream', '--records', '6000', '--seconds', '3');
    assert.match(lines.at(-1) ?? '', /^6000 records put = 6000 records processed, none twice, in order /);
    assert.ok(
      lines.some((line) => line.includes('is processed; its children follow')),
      'no shard came to its end',
    );
  });
  await checks.check('leaderboard: made anew from the beginning of the stream', async () => {
    const args = ['--stream', freshName('leaderboard'), '--seconds', '2'];
    const first = /^(\d+) scores of this game and 0 of earlier ones; ahead is player-/.exec(
      (await runExample(endpoint, 'leaderboard', ...args)).at(-1) ?? '',
    );
    const second = /^(\d+) scores of this game and (\d+) of earlier ones; ahead is player-/.exec(
      (await runExample(endpoint, 'leaderboard', ...args)).at(-1) ?? '',
    );
    assert.ok(Number(first?.[1]) > 0, 'the first game has no last line, or no score');
    assert.ok(Number(second?.[1]) > 0, 'the second game has no last line, or no score');
    assert.equal(second?.[2], first?.[1]);
  });
  await checks.check('payments: exact though workers are killed', async () => {
    const args = ['--records', '4000', '--seconds', '4', '--kills', '2'];
    const lines = await runExample(endpoint, 'payments', ...args);
    assert.equal(lines.at(-1), '2 workers killed, and each of 100 balances is exact');
    assert.equal(lines.filter((line) => line.startsWith('kill -9 of worker ')).length, 2);
    assert.match(lines.at(-2) ?? '', /^paid: 4000 payments of \d+ cents together$/);
  });
  await checks.check('dead-letter-replay: what was given up is processed in the end', async () => {
    const lines = await runExample(endpoint, 'dead-letter-replay', '--records', '60');
    assert.match(lines.at(-1) ?? '', /^all 60 orders are processed, [1-9]\d* of them from dead letters$/);
  });
  await checks.check('without a server each says what to do', async () => {
    for (const name of names) {
      const { code, stderr } = await run(nowhere, name);
      assert.equal(code, 1, `${name} ended with ${code}`);
      assert.equal(stderr, `There is no server at ${nowhere}: run \`npm start\` first, in another terminal.\n`);
    }
  });
  await checks.check('--help, and settings that are wrong', async () => {
    for (const name of names) {
      assert.match((await run(nowhere, name, '--help')).stdout, /\n {2}--\w+ \(default .+\)\n/);
      assert.equal((await run(nowhere, name, '--nonsense')).code, 2);
    }
    assert.equal((await run(nowhere, 'clickstream', '--seconds', 'soon')).code, 2);
    const unknown = await run(nowhere, 'nonsense');
    assert.equal(unknown.code, 2);
    for (const name of names) assert.match(unknown.stderr, new RegExp(`^ {2}${name}$`, 'm'));
  });
}

/** The lines of one that must succeed. */
async function runExample(endpoint: string, name: string, ...args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(endpoint, name, ...args);
  assert.equal(code, 0, `it ended with ${code}: ${stdout.slice(-500)} ${stderr.slice(-1000)}`);
  return stdout.trimEnd().split('\n');
}

/** As `npm run example -- NAME` does it. */
function run(endpoint: string, name: string, ...args: readonly string[]): Promise<CommandResult> {
  return runCommand(process.execPath, ['scripts/run.mjs', 'example', name, ...args], {
    cwd: repositoryFolder,
    env: { ...clientEnvironment, KINESIS_ENDPOINT: endpoint },
  });
}
