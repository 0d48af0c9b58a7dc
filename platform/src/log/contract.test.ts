import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdversarialLog } from '../../../testing/src/adversarial-log.ts';
import type { ContractFactory } from '../../../testing/src/log-contract-subject.ts';
import { describeLogContract } from '../../../testing/src/log-contract.ts';
import { tinyLimits } from '../../../testing/src/log-harness.ts';
import { SeededRandom } from '../../../testing/src/seeded-random.ts';
import { SimClock } from '../../../testing/src/sim-clock.ts';
import { SimDisk } from '../../../testing/src/sim-disk.ts';
import type { Disk } from '../kernel/disk.ts';
import { silentLogger } from '../kernel/logger.ts';
import { MemoryDisk } from '../kernel/memory-disk.ts';
import { systemDisk } from '../kernel/system-disk.ts';
import { openEmbeddedLog } from './embedded.ts';
import type { Durability } from './engine.ts';

function embedded(durability: Durability, makeDisk: () => { disk: Disk; end?: () => void }): ContractFactory {
  return async (machine) => {
    const { disk, end } = makeDisk();
    const clock = new SimClock();
    const log = await openEmbeddedLog({
      disk,
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      machine,
      durability,
      limits: { ...tinyLimits, preallocate: durability !== 'memory' },
    });
    const subject = { log, clock, ...(end === undefined ? {} : { end }) };
    return disk instanceof SimDisk && durability === 'fsync'
      ? { ...subject, hold: () => disk.hold('sync', /^journal/) }
      : subject;
  };
}

describeLogContract(
  'embedded on a real disk',
  embedded('fsync', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-contract-'));
    return { disk: systemDisk(folder), end: () => rmSync(folder, { recursive: true, force: true }) };
  }),
);

describeLogContract(
  'embedded in memory',
  embedded('memory', () => ({ disk: new MemoryDisk() })),
);

describeLogContract(
  'embedded on a simulated disk',
  embedded('fsync', () => ({ disk: new SimDisk(1) })),
);

describeLogContract(
  'embedded on a slow simulated disk',
  embedded('fsync', () => ({ disk: new SimDisk(2, { isSlow: true }) })),
);

describeLogContract(
  'embedded with durability os',
  embedded('os', () => ({ disk: new SimDisk(3, { isSlow: true }) })),
);

for (const seed of [1, 2, 3]) {
  describeLogContract(`the worst that is allowed, seed ${seed}`, (machine) => {
    const clock = new SimClock();
    const random = new SeededRandom(seed);
    const log = new AdversarialLog({ random, clock, machine, unknownRate: 0.1, rejectRate: 0.1 });
    return Promise.resolve({ log, clock, hold: () => log.hold() });
  });
}
