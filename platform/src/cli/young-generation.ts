import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';

const bytesMax = 16 * 1024 * 1024;

/**
 * Keeps V8's young generation at 16 MiB. By itself it grows to 128 MiB under load, and buffers that are let go of wait for its collections:
 * a third of the server's memory, for a speed that hardly differs. So small a one is collected by one thread: to call others to it
 * costs more than they take off.
 *
 * `--max-semi-space-size` says the same, but only on a command line. The factor of growth is looked at by each collection. While V8 marks
 * the old generation it collects no young one: what is made meanwhile comes on top, until the marking's end.
 */
export function boundYoungGeneration(): void {
  v8.setFlagsFromString('--no-parallel-scavenge');
  let mayGrow = true;
  const observer = new PerformanceObserver(() => {
    const mayDouble = youngGenerationBytes() <= bytesMax / 2;
    if (mayDouble === mayGrow) return;
    mayGrow = mayDouble;
    v8.setFlagsFromString(`--semi-space-growth-factor=${mayDouble ? 2 : 1}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** Memory of the young generation, used or not. */
export function youngGenerationBytes(): number {
  return v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
