import { describe, expect, test } from 'vitest';
import { calmLimits, openTestLog, put, type OpenLog } from '../../../testing/src/log-harness.ts';
import { tick, until } from '../../../testing/src/sim-clock.ts';
import { SimDisk } from '../../../testing/src/sim-disk.ts';
import { nameOf, namedBatch, readAll, readShard, type NamedBatch } from '../../../testing/src/test-batches.ts';
import { encodeCommand, propose } from '../../../testing/src/test-machine.ts';
import { sealBlock } from './block.ts';
import { readCheckpoint, type CheckpointState } from './checkpoint.ts';
import type { LogEngine } from './engine.ts';
import {
  entryHeaderBytes,
  entryKind,
  frameHeaderBytes,
  readFrame,
  sealFrame,
  writeEntry,
  type FrameHeader,
} from './frame.ts';
import { BatchBuilder } from './record-batch.ts';

const shard = { group: 1, shard: 0 };
const journalPath = 'journal/00000001.log';
const segmentPath = 'segments/1/00000001.seg';

const noDamage = (sentence: string): void => {
  throw new Error(sentence);
};

/** Provisions, then appends each name in a commit of its own. */
async function written(names: readonly string[]): Promise<{ disk: SimDisk; opened: OpenLog }> {
  const disk = new SimDisk(1);
  const opened = await openTestLog(disk, { limits: calmLimits });
  await propose(opened.log, { id: 1, kind: 'provision', ...shard });
  for (const name of names) await put(opened.log, shard, name);
  return { disk, opened };
}

async function folderId(disk: SimDisk): Promise<number> {
  return ((await readCheckpoint(disk, noDamage)) as CheckpointState).folderId;
}

async function framesOf(disk: SimDisk): Promise<FrameHeader[]> {
  const file = disk.peek(journalPath) as Buffer;
  const id = await folderId(disk);
  const frames: FrameHeader[] = [];
  for (let at = 0; at < file.length; at += 512) {
    const frame = readFrame(file, at, id);
    if (frame !== undefined) frames.push(frame);
  }
  return frames;
}

/** Batches in reading order, over whatever holes there are. */
async function batchesOf(log: LogEngine): Promise<NamedBatch[]> {
  return (await log.read(shard, 0, readAll)).batches.map(nameOf);
}

async function namesOf(log: LogEngine): Promise<string[]> {
  return (await batchesOf(log)).map((batch) => batch.name);
}

describe('in the journal', () => {
  test('the newest commit of a log that came to rest is known to be durable: damage to it is reported', async () => {
    const { disk, opened } = await written(['a', 'b']);
    const newest = (await framesOf(disk)).at(-1) as FrameHeader;
    opened.clock.advance(200);
    await until(() => opened.log.status().commits === newest.commit + 1);
    const frames = await framesOf(disk);
    expect(frames.at(-1)).toMatchObject({ commit: newest.commit + 1, entryCount: 0, durableUpTo: newest.commit });
    // At rest it stays at rest.
    opened.clock.advance(10_000);
    for (let i = 0; i < 50; i++) await tick();
    expect(await framesOf(disk)).toHaveLength(frames.length);
    const image = disk.kill();
    image.corrupt(journalPath, newest.position + frameHeaderBytes + 30, 0x01);
    const { log } = await openTestLog(image, { limits: calmLimits });
    expect(await namesOf(log)).toEqual(['a']);
    expect(log.status().damage).toEqual([expect.stringContaining(`${journalPath}: commits ${newest.commit} to`)]);
  });

  test('a bad frame with later commits behind it is reported, and the rest is readable', async () => {
    let { disk } = await written(['a', 'b', 'c', 'd']);
    disk = disk.kill();
    const frame = (await framesOf(disk))[2] as FrameHeader;
    disk.corrupt(journalPath, frame.position + 100);
    const { log } = await openTestLog(disk, { limits: calmLimits });
    expect(log.status().damage).toEqual([expect.stringMatching(/commits 3 to 3 .* are damaged/)]);
    expect(await batchesOf(log)).toMatchObject([
      { name: 'a', baseOffset: 0 },
      { name: 'c', baseOffset: 2 },
      { name: 'd', baseOffset: 3 },
    ]);
    expect(await log.read(shard, 1, readAll)).toMatchObject({ startOffset: 2, endOffset: 4 });
    expect(disk.paths().filter((path) => path.includes('.damaged-'))).toHaveLength(1);
    expect(await put(log, shard, 'e')).toBe('stored');
    const again = await openTestLog(disk.powerCut(), { limits: calmLimits });
    expect(await namesOf(again.log)).toEqual(['a', 'c', 'd', 'e']);
    expect(again.log.status().damage).toEqual([]);
  });

  test('the rest stays readable when the start that finds the damage is cut short anywhere', async () => {
    for (let step = 1; step < 400; step += 3) {
      let { disk } = await written(['a', 'b', 'c']);
      disk = disk.kill();
      const [, , frame] = await framesOf(disk);
      disk.corrupt(journalPath, (frame as FrameHeader).position + 100);
      disk.stopAtStep = step;
      const opening = openTestLog(disk, { limits: calmLimits });
      const isOpen = await Promise.race([opening.then(() => true), disk.whenStopped().then(() => false)]);
      const { log } = await openTestLog(disk.powerCut(), { limits: calmLimits });
      expect(await namesOf(log), `cut at step ${step}`).toEqual(['a', 'c']);
      if (isOpen) return;
    }
    throw new Error('the start takes more steps than were tried');
  });

  test('a bad last frame is a torn tail: it is left out and not called damage', async () => {
    let { disk } = await written(['a', 'b', 'c']);
    disk = disk.kill();
    const frame = (await framesOf(disk)).at(-1) as FrameHeader;
    disk.corrupt(journalPath, frame.position + frame.length - 1);
    const { log } = await openTestLog(disk, { limits: calmLimits });
    expect(log.status().damage).toEqual([]);
    expect(await namesOf(log)).toEqual(['a', 'b']);
    expect(await put(log, shard, 'd')).toBe('stored');
    expect(await namesOf((await openTestLog(disk.powerCut(), { limits: calmLimits })).log)).toEqual(['a', 'b', 'd']);
  });

  test.each([
    ['of an older generation', -1, 0, 0, false],
    ['of the generation being written', 0, 0, 0, true],
    ['that says it belongs elsewhere in the file', 0, 512, 0, false],
    ['of another data folder', 0, 0, 1, false],
  ])('a whole frame %s with the next commit number', async (_, olderBy, awayBy, strangeBy, isTaken) => {
    const { disk, opened } = await written(['a']);
    await opened.log.close();
    const { generation, commit, folderId: id } = (await readCheckpoint(disk, noDamage)) as CheckpointState;
    const command = Buffer.from(encodeCommand({ id: 99, kind: 'provision', group: 7, shard: 0 }));
    const length = frameHeaderBytes + entryHeaderBytes + command.length;
    const frame = Buffer.alloc(length);
    writeEntry(frame, frameHeaderBytes, { kind: entryKind.command, group: 0, shard: 0, payload: command });
    const position = 4096;
    sealFrame(frame, {
      length,
      entryCount: 1,
      generation: generation + olderBy,
      commit: commit + 1,
      position: position + awayBy,
      durableUpTo: commit,
      folderId: id + strangeBy,
    });
    const file = await disk.open(journalPath, { create: false });
    await file.write(frame, position);
    const { machine, log } = await openTestLog(disk, { limits: calmLimits });
    expect(machine.applied.includes(99)).toBe(isTaken);
    expect(log.status().damage).toEqual([]);
  });

  test('a record that holds a frame is never taken for one, also when the frame around it is torn', async () => {
    const disk = new SimDisk(1);
    const { log } = await openTestLog(disk, { limits: calmLimits });
    await propose(log, { id: 1, kind: 'provision', ...shard });
    await put(log, shard, 'a');
    const next = 2 * 512;
    const command = Buffer.from(encodeCommand({ id: 99, kind: 'provision', group: 7, shard: 0 }));
    const length = frameHeaderBytes + entryHeaderBytes + command.length;
    // Everything right but what nobody outside can know: the random number of the folder.
    const forged = (position: number, guess: number): Buffer => {
      const frame = Buffer.alloc(512);
      writeEntry(frame, frameHeaderBytes, { kind: entryKind.command, group: 0, shard: 0, payload: command });
      sealFrame(frame, { length, entryCount: 1, generation: 17, commit: 3, position, durableUpTo: 2, folderId: guess });
      return frame;
    };
    const before = frameHeaderBytes + entryHeaderBytes + 61 + 12;
    const fill = Buffer.alloc(512 - before);
    const guesses = [0, 1, 2 ** 47].map((guess, i) => forged(next + 512 * (i + 1), guess));
    const builder = new BatchBuilder(4096);
    builder.add('k', 1, Buffer.concat([fill, ...guesses]));
    await log.append([{ ...shard, batch: builder.finish(), recordCount: 1 }]);
    const image = disk.kill();
    const bytes = image.peek(journalPath) as Buffer;
    expect(bytes.toString('latin1', next + 512, next + 516)).not.toBe('');
    image.corrupt(journalPath, next);
    const { machine, log: again } = await openTestLog(image, { limits: calmLimits });
    expect(machine.applied).toEqual([1]);
    expect(again.status().damage).toEqual([]);
  });
});

describe('in a segment', () => {
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
  const limits = calmLimits;

  async function closedDisk(): Promise<SimDisk> {
    const { disk, opened } = await written([]);
    for (const other of [1, 2]) await propose(opened.log, { id: 1 + other, kind: 'provision', group: 1, shard: other });
    for (const name of names) {
      await put(opened.log, shard, name);
      await put(opened.log, { group: 1, shard: 1 }, `other-${name}`);
    }
    await opened.log.close();
    return disk.kill();
  }

  test('any flipped bit is reported and its block passed over: never wrong data, never another block lost', async () => {
    const length = ((await closedDisk()).peek(segmentPath) as Buffer).length;
    for (let position = 0; position < length; position += 17) {
      const disk = await closedDisk();
      disk.corrupt(segmentPath, position, 1 << (position % 8));
      const { log } = await openTestLog(disk, { limits });
      const found = (await batchesOf(log)).map((each) => each.name);
      const others = (await log.read({ group: 1, shard: 1 }, 0, readAll)).batches.map(nameOf).map((each) => each.name);
      const missing = names
        .filter((name) => !found.includes(name))
        .concat(names.filter((name) => !others.includes(`other-${name}`)));
      // A block of 600 bytes holds four of these batches at most.
      expect(missing.length, `bit flipped at ${position}`).toBeLessThanOrEqual(4);
      expect(missing.length, `bit flipped at ${position}`).toBeGreaterThan(0);
      expect(found).toEqual(names.filter((name) => found.includes(name)));
      expect(log.status().damage.length).toBeGreaterThan(0);
      expect((await log.read(shard, 0, readAll)).endOffset).toBe(names.length);
      expect(await put(log, shard, 'next')).toBe('stored');
      expect((await namesOf(log)).at(-1)).toBe('next');
    }
  });

  test('a file cut short is reported at the start, and what is left of it is readable', async () => {
    const disk = await closedDisk();
    const file = await disk.open(segmentPath, { create: false });
    await file.truncate((await file.size()) - 10);
    const { log } = await openTestLog(disk, { limits });
    await put(log, shard, 'next');
    const again = await openTestLog(disk.kill(), { limits });
    expect(again.log.status().damage).toEqual([expect.stringContaining('bytes are missing')]);
    expect((await namesOf(again.log)).slice(0, 9)).toEqual(names.slice(0, 9));
    expect((await namesOf(again.log)).at(-1)).toBe('next');
  });

  test('a file that is gone is reported at the start, and the log goes on in a new one', async () => {
    const disk = await closedDisk();
    await disk.remove(segmentPath);
    const { log } = await openTestLog(disk, { limits });
    expect(log.status().damage).toEqual([`${segmentPath}: the file is missing`]);
    expect(await namesOf(log)).toEqual([]);
    expect(log.endOffset(shard)).toBe(names.length);
    expect(await put(log, shard, 'next')).toBe('stored');
    await log.close();
    const again = await openTestLog(disk.powerCut(), { limits });
    expect(await batchesOf(again.log)).toMatchObject([{ name: 'next', baseOffset: names.length }]);
  });

  test.each(['missing', 'cut short', 'damaged'])('an index that is %s is made again', async (how) => {
    const rolling = { ...limits, segmentBytesMax: 600, indexEntriesMax: 1 };
    const { disk, opened } = await written([]);
    await opened.log.close();
    let { log } = await openTestLog(disk, { limits: { ...rolling, flushBytes: 500 } });
    for (const name of names) await put(log, shard, name);
    await log.close();
    const indexes = disk.paths().filter((path) => path.endsWith('.idx'));
    expect(indexes.length).toBeGreaterThan(1);
    for (const path of indexes) {
      if (how === 'missing') await disk.remove(path);
      else if (how === 'damaged') disk.corrupt(path, 20);
      else await (await disk.open(path, { create: false })).truncate(30);
    }
    ({ log } = await openTestLog(disk, { limits: rolling }));
    expect((await readShard(log, shard)).map((batch) => batch.name)).toEqual(names);
    for (let offset = names.length - 1; offset >= 0; offset--) {
      expect((await log.read(shard, offset, { ...readAll, recordsMax: 1 })).batches.map(nameOf)).toMatchObject([
        { baseOffset: offset },
      ]);
    }
    const damage =
      how === 'missing' ? [] : indexes.map((path) => `${path}: damaged; nothing is lost, it is made from the segment`);
    expect(log.status().damage.toSorted()).toEqual(damage);
  });

  test('a record that holds a block is never taken for one, also when the header before it is damaged', async () => {
    const { disk, opened } = await written([]);
    const inner = namedBatch(shard, 'forged', { records: 1, valueBytes: 5 }).batch;
    const forged = [0, 1, 2 ** 47].map((guess) => {
      const block = Buffer.alloc(76 + inner.length);
      block.set(inner, 76);
      const ref = {
        shard: 0,
        baseOffset: 0,
        endOffset: 1,
        firstTimeMs: 1,
        lastTimeMs: 2e12,
        position: 0,
        bytes: block.length,
      };
      // In the first segment the header takes 76 bytes, and the record begins 61 and a few bytes later.
      return Array.from({ length: 40 }, (_, i) => {
        sealBlock(block, 0, { ...ref, position: 76 + 61 + i }, { group: 1, segment: 1, folderId: guess });
        return Buffer.from(block);
      });
    });
    for (const block of forged.flat()) {
      const builder = new BatchBuilder(1000);
      builder.add('k', 1, block);
      await opened.log.append([{ ...shard, batch: builder.finish(), recordCount: 1 }]);
    }
    await put(opened.log, shard, 'last');
    await opened.log.close();
    const image = disk.kill();
    image.corrupt(segmentPath, 0);
    const { log } = await openTestLog(image, { limits });
    const page = await log.read(shard, 0, readAll);
    expect(page.batches.some((batch) => batch.bytes.includes('forged/0') && batch.bytes.length === inner.length)).toBe(
      false,
    );
    expect(log.status().damage.length).toBeGreaterThan(0);
    expect(nameOf(page.batches.at(-1) as (typeof page.batches)[number]).name).toBe('last');
  });
});
