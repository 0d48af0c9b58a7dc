import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './statistics.ts';

/** Facts without which a figure means nothing. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly node: string;
  readonly filesystem: string;
  /** Median of a 4 KB append and its fdatasync. */
  readonly syncMs: number;
  /** Over the last minute before the start: above 0.3 somebody else was at work. */
  readonly loadAverage: number;
}

/** @param folder where the servers keep their data */
export function machineFacts(folder: string): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: `${platform()} ${release()}`,
    node: process.version,
    filesystem: filesystemOf(folder),
    loadAverage: loadavg()[0] ?? 0,
    syncMs: measureSync(join(folder, 'sync-probe')),
  };
}

function filesystemOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '));
    const over = mounts.filter(([, point = '']) => folder === point || folder.startsWith(point.replace(/\/*$/, '/')));
    const closest = over.toSorted((a, b) => (b[1]?.length ?? 0) - (a[1]?.length ?? 0))[0];
    return closest?.[2] ?? 'unknown';
  } catch {
    return 'unknown'; // Not Linux.
  }
}

function measureSync(path: string): number {
  const file = openSync(path, 'w');
  const bytes = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const startedMs = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    times.push(performance.now() - startedMs);
  }
  closeSync(file);
  rmSync(path);
  return median(times);
}
