import { join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import type { Target } from '../../harness/target.ts';
import { measureFailover } from './measure.ts';

/** Workers of ours on one machine, with a lease file. */
export async function failoverSuite(target: Target, checks: Checks): Promise<void> {
  const folder = freshFolder('failover');
  try {
    for (const retrieval of ['polling', 'fan-out'] as const) {
      await measureFailover(target, checks, {
        name: `SQLite, ${retrieval}`,
        table: join(folder.path, `${retrieval}.sqlite`),
        settings: { retrieval },
        kills: 2,
        killMsMax: 3000,
        stops: 3,
        stopMsMax: 500,
        settleMs: 1200,
      });
    }
  } finally {
    folder.remove();
  }
}
