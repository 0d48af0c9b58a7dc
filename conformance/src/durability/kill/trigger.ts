import { readdirSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../seeded-random.ts';

export const afterLoadMsMax = 400;
const waitMsMax = 2500;

/** When the server is killed. */
export interface Trigger {
  readonly name: string;
  /** The load has large bodies only, to get to where something happens. */
  readonly isHeavy: boolean;
  /** The server ends without being killed from here. */
  readonly endsByItself?: boolean;
  /** Resolves at the moment, counted from when the load starts. */
  wait(folder: string, progress: { acknowledgedBytes: number }): Promise<void>;
}

/** Mostly a random moment; now and then one at which files are being changed. */
export function pickTrigger(random: SeededRandom): Trigger {
  const afterMs = random.int(0, afterLoadMsMax);
  const kind = random.next();
  if (kind < 0.72) return { name: `after ${afterMs} ms`, isHeavy: false, wait: () => sleep(afterMs) };
  if (kind < 0.82) return afterBytes(random.int(1, 60) * 1_000_000, random.int(0, 100));
  const what = random.pick(['checkpoint', 'checkpoint', 'journal', 'segments', 'segments'] as const);
  return atChange(what, { bytes: random.int(0, 15) * 1_000_000, afterMs: random.chance(0.5) ? 0 : random.next() * 4 });
}

function afterBytes(bytes: number, afterMs: number): Trigger {
  return {
    name: `after ${bytes / 1e6} MB and ${afterMs} ms`,
    isHeavy: true,
    async wait(_, progress) {
      await acknowledged(bytes, progress);
      await sleep(afterMs);
    },
  };
}

async function acknowledged(bytes: number, progress: { acknowledgedBytes: number }): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  while (performance.now() < endMs && progress.acknowledgedBytes < bytes) await sleep(5);
}

/** At the first change of that kind that the file system tells of. */
function atChange(
  what: 'checkpoint' | 'journal' | 'segments',
  { bytes, afterMs }: { bytes: number; afterMs: number },
): Trigger {
  return {
    name: `${afterMs.toFixed(1)} ms after a change of ${what} behind ${bytes / 1e6} MB`,
    isHeavy: true,
    async wait(folder, progress) {
      await acknowledged(bytes, progress);
      const watchers: FSWatcher[] = [];
      try {
        await Promise.race([change(what, folder, watchers), sleep(waitMsMax)]);
      } finally {
        for (const each of watchers) each.close();
      }
      if (afterMs > 0) await sleep(afterMs);
    },
  };
}

function change(what: 'checkpoint' | 'journal' | 'segments', folder: string, watchers: FSWatcher[]): Promise<void> {
  return new Promise((resolve) => {
    const on = (path: string, isMeant: (event: string, name: string) => boolean): void => {
      try {
        watchers.push(watch(path, (event, name) => isMeant(event, name ?? '') && resolve()).on('error', () => {}));
      } catch {
        // A stream's folder can be gone by now.
      }
    };
    if (what === 'checkpoint') on(folder, (_, name) => name.startsWith('checkpoint'));
    // The file that is written changes all the time; names come and go when the journal goes on in another.
    if (what === 'journal') on(join(folder, 'journal'), (event) => event === 'rename');
    if (what === 'segments') {
      const root = join(folder, 'segments');
      for (const name of readdirSync(root)) on(join(root, name), () => true);
      on(root, () => true);
    }
  });
}
