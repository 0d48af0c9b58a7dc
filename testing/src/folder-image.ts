import { assert } from '../../platform/src/kernel/assert.ts';
import { decodeCheckpoint, type CheckpointState } from '../../platform/src/log/checkpoint.ts';
import { readFrame, type FrameHeader } from '../../platform/src/log/frame.ts';
import { inspectFolder } from '../../platform/src/log/inspect/folder.ts';
import type { FolderReport, LostRange } from '../../platform/src/log/inspect/report.ts';
import { calmLimits, openTestLog, put, tinyLimits } from './log-harness.ts';
import { SeededRandom } from './seeded-random.ts';
import { tick } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { namedBatch, readShard } from './test-batches.ts';
import { propose, TestMachine } from './test-machine.ts';

/** Data folders on simulated disks, what `inspectFolder` says of them, and what a real start makes of the same bytes. */
const limits = tinyLimits;

export function inspect(disk: SimDisk): Promise<FolderReport> {
  return inspectFolder({ disk, machine: new TestMachine(), isThorough: true });
}

/** The same files on another disk. */
export async function copyOf(disk: SimDisk): Promise<SimDisk> {
  const copy = new SimDisk(1);
  for (const path of disk.paths()) {
    await copy.makeFolder(path.split('/').slice(0, -1).join('/'));
    const file = await copy.open(path, { create: true });
    await file.write(disk.peek(path) as Buffer, 0);
  }
  return copy;
}

export interface Content {
  /** `group/shard/offset`, each with the name of its batch. */
  readonly records: ReadonlyMap<string, string>;
  readonly damage: readonly string[];
}

/** All that a real start on a copy can read. */
export async function contentOf(image: SimDisk): Promise<Content> {
  const { log, machine } = await openTestLog(await copyOf(image), { limits });
  const records = new Map<string, string>();
  for (const { group, shard } of machine.shards) {
    for (const { baseOffset, recordCount, name } of await readShard(log, { group, shard })) {
      for (let i = 0; i < recordCount; i++) records.set(`${group}/${shard}/${baseOffset + i}`, name);
    }
  }
  const { damage } = log.status();
  await log.close();
  return { records, damage };
}

export function keysOf(ranges: readonly LostRange[]): string[] {
  const keys = ranges.flatMap(({ group, shard, fromOffset, endOffset }) =>
    Array.from({ length: endOffset - fromOffset }, (_, i) => `${group}/${shard}/${fromOffset + i}`),
  );
  return keys.sort();
}

export function lostIn({ damage, journal }: FolderReport): string[] {
  return [...keysOf(damage.flatMap(({ lost }) => lost)), ...keysOf(journal.tornTail?.records ?? [])].sort();
}

export function checkpointOf(disk: SimDisk): CheckpointState {
  const { copies } = decodeCheckpoint(disk.peek('checkpoint') as Buffer);
  return copies.find(({ state }) => state !== undefined)?.state as CheckpointState;
}

/** Frames that a start replays. */
export function neededFrames(disk: SimDisk, path: string): FrameHeader[] {
  const { folderId, generation, commit } = checkpointOf(disk);
  const file = disk.peek(path) as Buffer;
  const frames: FrameHeader[] = [];
  for (let at = 0; at < file.length; at += 512) {
    const frame = readFrame(file, at, folderId);
    if (frame !== undefined && frame.generation >= generation && frame.commit > commit) frames.push(frame);
  }
  return frames;
}

/** Whether no start ever looks at the byte. */
export function isUnused(disk: SimDisk, path: string, position: number): boolean {
  if (path === 'checkpoint') return false;
  if (path.startsWith('journal/')) {
    return !neededFrames(disk, path).some(
      (each) => position >= each.position && position < each.position + each.length,
    );
  }
  const [, group, number, kind] = /^segments\/(\d+)\/(\d+)\.(seg|idx)$/.exec(path) ?? [];
  const segments = checkpointOf(disk).groups.find((each) => each.id === Number(group))?.segments ?? [];
  const segment = segments.find((each) => each.number === Number(number));
  if (segment === undefined) return true;
  return kind === 'seg' ? position >= segment.length : segment === segments.at(-1);
}

/** Whether the load of this seed trims one of its groups. */
export function isTrimmed(seed: number): boolean {
  return seed % 3 === 0;
}

/** A folder under a random load, left by a kill or a close. */
export async function loadedFolder(seed: number): Promise<SimDisk> {
  const random = new SeededRandom(seed);
  const disk = new SimDisk(seed);
  const { log, machine, clock } = await openTestLog(disk, { limits });
  let id = 0;
  const shards = [0, 1, 2].map((shard) => ({ group: 1, shard })).concat([0, 1].map((shard) => ({ group: 2, shard })));
  for (const place of shards) await propose(log, { id: ++id, kind: 'provision', ...place });
  for (let i = 0; i < 70; i++) {
    const entries = Array.from({ length: random.between(1, 3) }, (_, j) =>
      namedBatch(random.pick(shards), `${i}-${j}`, {
        records: random.pick([1, 1, 2, 5]),
        valueBytes: random.below(120),
      }),
    );
    await log.append(entries);
    if (random.chance(0.3)) clock.advance(random.pick([1, 250]));
    if (random.chance(0.1)) await tick();
    if (i === 30 && isTrimmed(seed))
      await propose(log, { id: ++id, kind: 'trim', group: 1, timeMs: clock.now() - 100 });
  }
  if (seed % 4 === 1) await log.close();
  assert(machine.shards.length === shards.length, 'all shards are made');
  return copyOf(disk.kill());
}

/** Provisions two shards and appends each name to both, in commits of their own; a kill leaves all in the journal. */
export async function inJournal(): Promise<SimDisk> {
  const disk = new SimDisk(1);
  const { log } = await openTestLog(disk, { limits: calmLimits });
  for (const shard of [0, 1]) await propose(log, { id: shard, kind: 'provision', group: 1, shard });
  for (const name of ['a', 'b', 'c']) {
    await Promise.all([0, 1].map((shard) => put(log, { group: 1, shard }, `${name}${shard}`)));
  }
  return copyOf(disk.kill());
}

export const journalPath = 'journal/00000001.log' as const;
