import { isDeepStrictEqual } from 'node:util';
import type { State } from './good-calls.ts';
import type { Victim } from './victim.ts';
import { mebibytes, type Descriptors } from './vitals.ts';

/** Each says why all is not well; undefined when it is. */

const growthMax = 1.2;

export function memoryFailure(before: number, after: number): string | undefined {
  return after <= before * growthMax ? undefined : `${mebibytes(before)} resident before, ${mebibytes(after)} after`;
}

/** Files may come and go with what is stored; a socket too many is a leak. */
export function descriptorFailure(before: Descriptors, after: Descriptors): string | undefined {
  const filesMore = 8;
  const isWell = after.sockets <= before.sockets && after.others <= before.others + filesMore;
  const tell = ({ sockets, others }: Descriptors): string => `${sockets} sockets and ${others} others`;
  return isWell ? undefined : `${tell(before)} before, ${tell(after)} after`;
}

export function latencyFailure(
  latenciesMs: readonly number[],
  failures: readonly string[],
  msMax: number,
): string | undefined {
  if (failures.length > 0) return `${failures.length} failed: ${failures[0]}`;
  const late = latenciesMs.filter((ms) => ms > msMax);
  if (latenciesMs.length === 0) return 'no call was made';
  return late.length === 0
    ? undefined
    : `${late.length} of ${latenciesMs.length} took longer than ${msMax} ms, up to ${Math.max(...late).toFixed(0)} ms`;
}

/** The server has nothing to complain of: whatever comes is the stranger's mistake. */
export function stderrFailure(text: string): string | undefined {
  return text === '' ? undefined : `${text.length} characters: ${text.slice(0, 1000)}`;
}

export function stateFailure(before: State, after: State): string | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  const changed = (Object.keys(before) as (keyof State)[]).find((key) => !isDeepStrictEqual(before[key], after[key]));
  return `${changed}: ${JSON.stringify(after[changed as keyof State]).slice(0, 500)}`;
}

export function aliveFailure(victim: Victim): string | undefined {
  return victim.isAlive ? undefined : `the process has ended; its last words: ${victim.stderr.slice(-1000)}`;
}
