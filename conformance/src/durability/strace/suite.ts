import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { ServerProcess } from '../server-process.ts';
import { checkFaults } from './faults.ts';
import { prove, type AnsweredCall, type Proof } from './proof.ts';
import { isOfInterest, readTrace, tracedCalls } from './trace.ts';
import { needStrace } from './tool.ts';
import { runTracedLoad } from './traced-load.ts';

/** Of each traced string; commits of this load stay below. */
const stringBytesMax = 500_000;
const mutationsMax = 12;

/** Proves from the system calls of a real server that it answers when the bytes are synced, and not before. */
export async function straceSuite(checks: Checks): Promise<void> {
  if (process.platform !== 'linux') return checks.say('skipped: strace is a tool of Linux');
  await needStrace();
  const { lines, calls } = await traceLoad();
  const proof = prove(readTrace(lines), calls);
  const puts = calls.filter(({ operation }) => operation.startsWith('Put')).length;
  checks.say(
    `${lines.length} system calls, ${calls.length} answered calls (${puts} puts), ${proof.neededWrites.length} commits, ` +
      `${proof.neededSyncs.length} syncs that calls were answered on`,
  );
  checks.record('every put and control call was answered when the sync of its bytes had succeeded', sentenceOf(proof));
  const files = new Set(proof.neededWrites.map(({ path }) => path)).size;
  checks.record('the calls went through more than one journal file', files > 1 ? undefined : `there was ${files}`);
  const isMuch = puts > 500 && calls.length - puts > 100 && proof.neededSyncs.length > 100;
  checks.record(
    'the trace shows group commits of concurrent calls',
    isMuch ? undefined : 'there are too few of them to prove anything',
  );
  await checks.check('no sync failed', () => {
    const failed = readTrace(lines).syncs.filter(({ result }) => result !== 0 && result !== undefined);
    if (failed.length > 0) throw new Error(`${failed.length} syncs failed, of ${failed[0]?.path}`);
  });
  await checkTheProof(checks, lines, calls, proof);
  await checks.check('the proof fails for a server that syncs later (--durability os)', async () => {
    const early = await traceLoad(['--durability', 'os']);
    const { provenCalls, violations } = prove(readTrace(early.lines), early.calls);
    if (violations.length === 0) throw new Error(`it did not: ${provenCalls} calls are proven`);
  });
  await checkFaults(checks);
}

function sentenceOf({ violations }: Proof): string | undefined {
  return violations.length === 0 ? undefined : violations.join('; ');
}

async function traceLoad(flags: readonly string[] = []): Promise<{ lines: string[]; calls: AnsweredCall[] }> {
  const fresh = freshFolder('strace');
  try {
    const traceFile = join(fresh.path, 'trace');
    const wrapper = [
      'strace',
      '-f',
      '-y',
      '-q',
      '-o',
      traceFile,
      '-s',
      String(stringBytesMax),
      '-e',
      `trace=${tracedCalls}`,
    ];
    const server = await ServerProcess.start({ folder: join(fresh.path, 'data'), wrapper, flags });
    let calls: AnsweredCall[];
    try {
      calls = await runTracedLoad(server.endpoint, 1);
    } finally {
      await server.stop();
    }
    const lines: string[] = [];
    for await (const line of createInterface({ input: createReadStream(traceFile, 'latin1') }))
      if (isOfInterest(line)) lines.push(line);
    return { lines, calls };
  } finally {
    fresh.remove();
  }
}

/** Shows that the proof can fail: each trace that is changed so that an answer comes too early has to be noticed. */
async function checkTheProof(
  checks: Checks,
  lines: readonly string[],
  calls: readonly AnsweredCall[],
  { neededSyncs, neededWrites }: Proof,
): Promise<void> {
  const changed = async (
    name: string,
    numbers: readonly number[],
    change: (copy: string[], index: number) => void,
  ): Promise<void> => {
    await checks.check(`the proof fails ${name}, tried with ${numbers.length}`, () => {
      for (const number of numbers) {
        const copy = [...lines];
        change(copy, number - 1);
        if (prove(readTrace(copy), calls).violations.length === 0) throw new Error(`it did not, line ${number}`);
      }
    });
  };
  const syncLines = sampleOf(neededSyncs.map(({ begun }) => begun));
  const endLines = sampleOf(neededSyncs.map(({ done }) => done));
  const writeLines = sampleOf(neededWrites.map(({ begun }) => begun));
  await changed('without a sync', syncLines, (copy, index) => {
    copy[index] = '';
  });
  await changed('when a sync had failed', endLines, (copy, index) => {
    copy[index] = (copy[index] as string).replace(/= 0$/, '= -1 EIO (Input/output error)');
  });
  await changed('when a sync came back at the end', endLines, (copy, index) => {
    const line = copy[index] as string;
    const thread = line.split(' ')[0];
    const path = /\((\d+<[^>]*>)\)/.exec(line);
    copy[index] = path === null ? '' : `${thread} fdatasync(${path[1]} <unfinished ...>`;
    copy.push(`${thread} <... fdatasync resumed>) = 0`);
  });
  await changed('without a write', writeLines, (copy, index) => {
    copy[index] = '';
  });
  await changed('when a write had been cut short', writeLines, (copy, index) => {
    copy[index] = (copy[index] as string)
      .replace(/= \d+$/, '= 512')
      .replace(/, (\d+), (\d+) <unfinished/, ', 999999999, $2 <unfinished');
  });
  const answer = lines.findIndex((line) => /HTTP\/1\.1 200 .*x-amzn-RequestId: /.test(line));
  await checks.check('the proof fails when there is an answer that nobody got', () => {
    const extra = (lines[answer] as string)
      .replace(/x-amzn-RequestId: [0-9a-f]{8}/, 'x-amzn-RequestId: 00000000')
      .replaceAll(/\d{56}/g, '1');
    if (prove(readTrace([...lines, extra]), calls).violations.length === 0) throw new Error('it did not');
  });
}

function sampleOf(numbers: readonly number[]): number[] {
  const step = Math.max(1, Math.floor(numbers.length / mutationsMax));
  return numbers.filter((number, i) => i % step === 0 && Number.isFinite(number)).slice(0, mutationsMax);
}
