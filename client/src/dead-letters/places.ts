import { type FileHandle, open } from 'node:fs/promises';
import { type Deadline, inTime, pause } from '../deadline.ts';
import type { KinesisCalls } from '../producer/calls.ts';
import type { DeadLetter } from './letter.ts';

/** Adds a line for each, synced before it counts as written. */
export async function appendLetters(path: string, letters: readonly DeadLetter[]): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const lines = letters.map((letter) => `${JSON.stringify(letter)}\n`).join('');
    const bytes = Buffer.from((await endsInMidLine(file)) ? `\n${lines}` : lines);
    // In one write: between several, others who append might write theirs.
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten < bytes.length) throw new Error(`${path} took a part of the dead letters only`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A crash, or a full disk, may have left a part of a line. */
async function endsInMidLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}

const callRecordsMax = 500;
const callBytesMax = 4 * 1024 * 1024;
const attemptsMax = 5;
const backoffMsFirst = 200;

interface Entry {
  /** Which letter. */
  readonly index: number;
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
}

/**
 * Puts a record for each, with the key that it had; those that could not be put, by their index, with the reason.
 *
 * @param deadline   of each call; its signal ends all
 */
export async function putLetters(
  calls: Pick<KinesisCalls, 'putRecords'>,
  letters: readonly DeadLetter[],
  deadline: Deadline,
): Promise<ReadonlyMap<number, unknown>> {
  const { timing, signal } = deadline;
  let failed = new Map<number, unknown>(letters.map((_, index) => [index, signal.reason]));
  let entries = letters.map((letter, index): Entry => {
    const { partitionKey, explicitHashKey } = letter;
    return { index, data: Buffer.from(JSON.stringify(letter)), partitionKey, explicitHashKey };
  });
  for (let attempt = 1; entries.length > 0 && attempt <= attemptsMax; attempt++) {
    if (attempt > 1) await pause(timing, backoffMsFirst * 2 ** (attempt - 2) * (0.5 + timing.random()), signal);
    if (signal.aborted) break;
    failed = new Map();
    // After the first attempt each goes alone: one that is too long must not keep the others.
    for (const call of attempt === 1 ? inCalls(entries) : entries.map((entry) => [entry])) {
      for (const [index, reason] of await putCall(calls, call, deadline)) failed.set(index, reason);
    }
    entries = entries.filter(({ index }) => failed.has(index));
  }
  return failed;
}

async function putCall(
  calls: Pick<KinesisCalls, 'putRecords'>,
  call: readonly Entry[],
  deadline: Deadline,
): Promise<Array<[number, unknown]>> {
  try {
    const results = await inTime(deadline, (signal) => calls.putRecords(call, signal));
    return call.flatMap(({ index }, at) => {
      const result = results[at];
      if (result?.isPut === true) return [];
      return [[index, new Error(result === undefined ? 'there was no result' : `${result.code}: ${result.message}`)]];
    });
  } catch (reason) {
    return call.map(({ index }) => [index, reason]);
  }
}

function inCalls(entries: readonly Entry[]): Entry[][] {
  const calls: Entry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const last = calls.at(-1);
    if (last === undefined || last.length >= callRecordsMax || bytes + entry.data.length > callBytesMax) {
      calls.push([entry]);
      bytes = 0;
    } else last.push(entry);
    bytes += entry.data.length + 256;
  }
  return calls;
}
