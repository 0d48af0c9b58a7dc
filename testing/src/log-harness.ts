import type { Disk } from '../../platform/src/kernel/disk.ts';
import { silentLogger } from '../../platform/src/kernel/logger.ts';
import { openEmbeddedLog, type EmbeddedOptions } from '../../platform/src/log/embedded.ts';
import type { Durability, LogEngine, ShardLogId } from '../../platform/src/log/engine.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimClock } from './sim-clock.ts';
import { namedBatch } from './test-batches.ts';
import { TestMachine } from './test-machine.ts';

export interface OpenLog {
  readonly log: LogEngine;
  readonly machine: TestMachine;
  readonly clock: SimClock;
}

/** Limits under which every few appends flush, roll and write a checkpoint. */
export const tinyLimits: NonNullable<EmbeddedOptions['limits']> = {
  fileBytes: 16 * 1024,
  firstFileBytes: 4 * 1024,
  filesMax: 3,
  commitBytesMax: 4000,
  flushBytes: 1500,
  tailBytesMax: 10_000,
  blockBytes: 600,
  chunkBytes: 1500,
  segmentBytesMax: 3000,
  openFilesMax: 2,
  indexEntriesMax: 20,
  reserveBytes: 4096,
};

/** Limits under which nothing is flushed by itself. */
export const calmLimits: NonNullable<EmbeddedOptions['limits']> = {
  ...tinyLimits,
  fileBytes: 64 * 1024,
  firstFileBytes: 64 * 1024,
  flushBytes: 1e9,
  tailBytesMax: 1e9,
};

export async function openTestLog(
  disk: Disk,
  options: { limits?: EmbeddedOptions['limits']; durability?: Durability; nowMs?: number; clock?: SimClock } = {},
): Promise<OpenLog> {
  const machine = new TestMachine();
  const clock = options.clock ?? new SimClock(options.nowMs);
  const log = await openEmbeddedLog({
    disk,
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    machine,
    durability: options.durability ?? 'fsync',
    limits: options.limits ?? tinyLimits,
  });
  return { log, machine, clock };
}

/** Appends one batch and answers what became of it: `stored`, `unknown`, or the reason why it was rejected. */
export async function put(log: LogEngine, id: ShardLogId, name: string, valueBytes = 50): Promise<string> {
  const [outcome] = await log.append([namedBatch(id, name, { records: 1, valueBytes })]);
  return outcome?.kind === 'rejected' ? outcome.reason : (outcome?.kind ?? 'nothing');
}
