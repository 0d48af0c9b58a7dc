import { setTimeout as sleep } from 'node:timers/promises';
import { machineCpuSeconds } from './proc.ts';

const watchMs = 1_000;
const quietShareMax = 0.1;

/** Waits until the whole machine has used less than a tenth of one core for a second. @returns whether it came to that */
export async function waitForQuiet(secondsMax: number): Promise<boolean> {
  const endMs = performance.now() + secondsMax * 1000;
  do {
    const before = machineCpuSeconds();
    await sleep(watchMs);
    if (((machineCpuSeconds() - before) * 1000) / watchMs < quietShareMax) return true;
  } while (performance.now() < endMs);
  return false;
}
