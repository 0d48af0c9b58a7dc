import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Four a second, see `settle`. */
const steadySamples = 9;

export interface Descriptors {
  readonly sockets: number;
  readonly others: number;
}

/** Resident memory, now or at its highest since {@link resetPeak}. */
export function residentBytes(pid: number, which: 'now' | 'peak' = 'now'): number {
  const name = which === 'now' ? 'VmRSS' : 'VmHWM';
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

export function descriptors(pid: number): Descriptors {
  let sockets = 0;
  let others = 0;
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${name}`).startsWith('socket:')) sockets++;
      else others++;
    } catch {
      // Closed since it was listed.
    }
  }
  return { sockets, others };
}

/** Waits until a process has come to rest: `isThere` holds, or the time is over. */
export async function settle(isThere: () => boolean, msMax: number): Promise<void> {
  const endMs = Date.now() + msMax;
  while (!isThere() && Date.now() < endMs) await sleep(250);
}

/** Whether resident memory has hardly changed since it was asked some times ago. */
export function isSteady(pid: number): () => boolean {
  const seen: number[] = [];
  return () => {
    seen.push(residentBytes(pid));
    const then = seen.at(-steadySamples);
    const now = seen.at(-1) as number;
    return then !== undefined && Math.abs(now - then) < now / 100;
  };
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Half of them, nearly all of them, all of them. */
export function latencyLine(latenciesMs: readonly number[]): string {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const [p50, p99, max] = [0.5, 0.99, 1].map((part) => percentile(sorted, part).toFixed(0));
  return `${sorted.length} calls, p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}
