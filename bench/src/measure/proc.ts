import { readdirSync, readFileSync } from 'node:fs';

// What Linux tells about processes. Elsewhere all figures are 0.

const ticksPerSecond = 100;

/** Resident memory of a process and its descendants. */
export function rssMB(pid: number): number {
  let kilobytes = 0;
  for (const each of family(pid)) kilobytes += Number(/VmRSS:\s+(\d+)/.exec(procFile(`${each}/status`))?.[1] ?? 0);
  return kilobytes / 1024;
}

/** CPU time of a process and its descendants. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const each of family(pid)) {
    const stat = procFile(`${each}/stat`);
    // The command in brackets may hold blanks; utime and stime are the 12th and 13th field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / ticksPerSecond;
}

/** CPU time that the whole machine has used, on all cores; what a hypervisor took away counts, too. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = procFile('stat')
    .slice('cpu '.length, 200)
    .trim()
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

function family(pid: number): number[] {
  const pids = [pid];
  for (const each of pids) {
    for (const thread of procFolder(`${each}/task`)) {
      const children = procFile(`${each}/task/${thread}/children`).trim();
      if (children !== '') pids.push(...children.split(' ').map(Number));
    }
  }
  return pids;
}

function procFile(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return ''; // The process has ended, or this is not Linux.
  }
}

function procFolder(path: string): string[] {
  try {
    return readdirSync(`/proc/${path}`);
  } catch {
    return []; // As above.
  }
}
