import { describe, expect, test } from 'vitest';
import {
  checkpointOf,
  contentOf,
  copyOf,
  inJournal,
  inspect,
  isUnused,
  journalPath,
  keysOf,
  loadedFolder,
  lostIn,
  neededFrames,
} from '../../../../testing/src/folder-image.ts';
import { calmLimits, openTestLog, put, tinyLimits } from '../../../../testing/src/log-harness.ts';
import { tick } from '../../../../testing/src/sim-clock.ts';
import { SimDisk } from '../../../../testing/src/sim-disk.ts';
import { nameOf, readAll } from '../../../../testing/src/test-batches.ts';
import { propose, TestMachine } from '../../../../testing/src/test-machine.ts';
import type { Disk } from '../../kernel/disk.ts';
import { readBlockHeader, sealBlock, type BlockRef } from '../block.ts';
import { sealFrame, type FrameHeader } from '../frame.ts';
import { decodeIndex, encodeIndex, SegmentIndex } from '../segment-index.ts';
import { writeUint64 } from '../uint64.ts';
import { readBatchHeader, type BatchHeader } from '../record-batch.ts';
import { inspectFolder } from './folder.ts';
import type { FolderReport } from './report.ts';
import { inspectRunning } from './running.ts';

/** What a reader of a folder says is held against what a real start makes of the same bytes. */
describe('a sound folder', () => {
  test.each([1, 2, 3, 4])('is said to be sound, and its numbers are those of a real start (load %i)', async (seed) => {
    const image = await loadedFolder(seed);
    const report = await inspect(image);
    expect(report.damage).toEqual([]);
    const { log, machine } = await openTestLog(await copyOf(image), { limits: tinyLimits });
    for (const { group, shard } of machine.shards) {
      const found = report.groups.find((each) => each.group === group)?.shards.find((each) => each.shard === shard);
      expect(found?.endOffset).toBe(log.endOffset({ group, shard }));
    }
    const { segments } = report.totals;
    expect(segments).toBe(checkpointOf(image).groups.flatMap((each) => each.segments).length);
    expect(report.groups.flatMap((each) => each.segments).some(({ index }) => index === 'sound')).toBe(true);
    expect(report.journal.files.map(({ name }) => name)).toEqual(
      image.paths().filter((each) => each.startsWith('journal/')),
    );
  });

  test('is read without a write, and headers alone give the same numbers', async () => {
    const image = await loadedFolder(2);
    const before = image.paths().map((path) => (image.peek(path) as Buffer).toString('base64'));
    for (const operation of ['write', 'truncate', 'remove', 'rename', 'sync', 'syncFolder', 'makeFolder'] as const) {
      image.fail({ operation, path: /./, isLasting: true });
    }
    const thorough = await inspect(image);
    const progress: number[] = [];
    const quick = await inspectFolder({
      disk: image,
      machine: new TestMachine(),
      isThorough: false,
      onProgress: (done, total) => progress.push(done / total),
    });
    expect(quick).toEqual(thorough);
    expect(progress.at(-1)).toBe(1);
    expect(image.paths().map((path) => (image.peek(path) as Buffer).toString('base64'))).toEqual(before);
  });

  test('says which commits, entries and marks a journal file holds', async () => {
    const disk = new SimDisk(1);
    const { log, clock } = await openTestLog(disk, { limits: calmLimits });
    await propose(log, { id: 1, kind: 'provision', group: 1, shard: 0 });
    for (const name of ['a', 'b']) await put(log, { group: 1, shard: 0 }, name);
    clock.advance(1000);
    for (let i = 0; i < 10; i++) await tick();
    const { journal, totals } = await inspect(disk);
    expect(journal.files).toMatchObject([
      { frames: 4, firstCommit: 1, lastCommit: 4, batches: 2, commands: 1, markers: 1, records: 2, usedBytes: 2048 },
    ]);
    expect(totals).toMatchObject({ records: 2, shards: 1, segments: 0, lostRecords: 0 });
  });

  test('is not looked at when it is none', async () => {
    await expect(inspect(new SimDisk(1))).rejects.toThrow('this is no Millrace data folder');
    const image = await loadedFolder(1);
    const half = (image.peek('checkpoint') as Buffer).length / 2;
    for (const copy of [0, half]) image.corrupt('checkpoint', copy + 11, 1);
    await expect(inspect(image)).rejects.toMatchObject({ code: 'MR_DATA_FOLDER' });
    for (const copy of [0, half]) image.corrupt('checkpoint', copy + 11, 1);
    for (const copy of [0, half]) image.corrupt('checkpoint', copy + 40, 1);
    await expect(inspect(image)).rejects.toMatchObject({ code: 'MR_FOLDER_DAMAGED' });
    await image.remove('checkpoint');
    await expect(inspect(image)).rejects.toMatchObject({ code: 'MR_FOLDER_DAMAGED' });
  });
});

const places = ['first byte', 'header', 'middle', 'end'] as const;

function placeIn(start: number, length: number, headerBytes: number, where: (typeof places)[number]): number {
  return start + { 'first byte': 0, header: headerBytes / 2, middle: Math.floor(length / 2), end: length - 1 }[where];
}

describe('one flipped byte', () => {
  test.each(places)('in the middle of the journal (%s): names the frame and exactly its records', async (where) => {
    const image = await inJournal();
    const frame = neededFrames(image, journalPath)[3] as FrameHeader;
    image.corrupt(journalPath, placeIn(frame.position, frame.length, 56, where));
    const { damage, journal } = await inspect(image);
    expect(damage).toMatchObject([{ kind: 'journal', file: journalPath, position: frame.position }]);
    expect(keysOf(damage[0]?.lost ?? [])).toEqual(['1/0/1', '1/1/1']);
    expect(journal.tornTail).toBe(undefined);
    const { records } = await contentOf(image);
    expect([...records.keys()].sort()).toEqual(['1/0/0', '1/0/2', '1/1/0', '1/1/2']);
  });

  test.each(places)('in the last frame (%s): a torn tail, no damage', async (where) => {
    const image = await inJournal();
    const frame = neededFrames(image, journalPath).at(-1) as FrameHeader;
    image.corrupt(journalPath, placeIn(frame.position, frame.length, 56, where));
    const { damage, journal } = await inspect(image);
    expect(damage).toEqual([]);
    expect(journal.tornTail).toMatchObject({ file: journalPath, position: frame.position, commit: frame.commit });
    expect(journal.commit).toBe(frame.commit - 1);
    expect((await contentOf(image)).damage).toEqual([]);
  });

  test('in a frame that no sync has covered: the log ends there, and the commits behind are counted', async () => {
    const disk = new SimDisk(1);
    const { log } = await openTestLog(disk, { limits: calmLimits, durability: 'os' });
    await propose(log, { id: 1, kind: 'provision', group: 1, shard: 0 });
    for (const name of ['a', 'b', 'c', 'd']) await put(log, { group: 1, shard: 0 }, name);
    const image = await copyOf(disk.kill());
    const frame = neededFrames(image, journalPath)[2] as FrameHeader;
    image.corrupt(journalPath, frame.position + 70);
    const { damage, journal } = await inspect(image);
    expect(damage).toEqual([]);
    expect(journal.tornTail).toMatchObject({
      file: journalPath,
      position: frame.position,
      commit: 3,
      commitsBehind: 2,
    });
    expect(journal.commit).toBe(2);
    expect([...(await contentOf(image)).records.keys()]).toEqual(['1/0/0']);
  });

  test('in a frame that the checkpoint has overtaken: named, and nothing is lost', async () => {
    const disk = new SimDisk(1);
    const { log } = await openTestLog(disk, { limits: calmLimits });
    await propose(log, { id: 1, kind: 'provision', group: 1, shard: 0 });
    for (const name of ['a', 'b', 'c']) await put(log, { group: 1, shard: 0 }, name);
    await log.close();
    expect(neededFrames(disk, journalPath)).toEqual([]);
    disk.corrupt(journalPath, 2 * 512 + 70);
    const { damage } = await inspect(disk);
    expect(damage).toMatchObject([
      { kind: 'journal', file: journalPath, position: 1024, lost: [], mayHoldMore: false },
    ]);
    expect(await contentOf(disk)).toMatchObject({ damage: [], records: { size: 3 } });
  });

  test('in the frame of the command that made a shard: the command and all records of the shard are lost', async () => {
    const image = await inJournal();
    const frame = neededFrames(image, journalPath)[1] as FrameHeader;
    image.corrupt(journalPath, frame.position + 56 + 16 + 4);
    const { damage } = await inspect(image);
    expect(damage).toMatchObject([{ file: journalPath, position: frame.position, lostCommands: 1 }]);
    expect(keysOf(damage[0]?.lost ?? [])).toEqual(['1/1/0', '1/1/1', '1/1/2']);
    expect([...(await contentOf(image)).records.keys()].sort()).toEqual(['1/0/0', '1/0/1', '1/0/2']);
  });

  test.each(['first byte', 'header', 'middle', 'end', 'magic of the second', 'end of the second'])(
    'in the checkpoint (%s): names the copy, and nothing is lost',
    async (where) => {
      const image = await loadedFolder(1);
      const half = (image.peek('checkpoint') as Buffer).length / 2;
      const at = { 'first byte': 0, header: 9, middle: half / 2, end: half - 1 }[where];
      const position = at ?? (where.startsWith('magic') ? half : 2 * half - 1);
      image.corrupt('checkpoint', Math.floor(position));
      const { damage, checkpoint } = await inspect(image);
      const copy = position < half ? 0 : half;
      expect(damage).toMatchObject([{ kind: 'checkpoint', file: 'checkpoint', position: copy, lost: [] }]);
      expect(checkpoint.copies.filter(({ isSound }) => !isSound)).toEqual([{ position: copy, isSound: false }]);
    },
  );

  test.each(places)('in a block (%s): names the block and exactly its records', async (where) => {
    const image = await loadedFolder(2);
    const before = await contentOf(image);
    const state = checkpointOf(image);
    for (const { id, segments } of state.groups) {
      for (const { number, length } of segments) {
        const path = `segments/${id}/${String(number).padStart(8, '0')}.seg`;
        const file = image.peek(path) as Buffer;
        const place = { group: id, segment: number, folderId: state.folderId };
        for (let at = 0; at < length;) {
          const ref = readBlockHeader(file.subarray(at), at, place);
          if (ref === undefined) throw new Error('no block');
          const position = placeIn(at, ref.bytes, 76, where);
          image.corrupt(path, position);
          const { damage } = await inspect(image);
          const range = { group: id, shard: ref.shard, fromOffset: ref.baseOffset, endOffset: ref.endOffset };
          expect(damage).toMatchObject([
            { kind: 'block', file: path, position: at, lost: [range], mayHoldMore: false },
          ]);
          if (at % 3 === 0) {
            const after = await contentOf(image);
            expect([...before.records.keys()].filter((key) => !after.records.has(key)).sort()).toEqual(keysOf([range]));
          }
          image.corrupt(path, position);
          at += ref.bytes;
        }
      }
    }
  });

  test.each([0, 9, 20, 'end'] as const)('in an index (%s): names it, and nothing is lost', async (where) => {
    const image = await loadedFolder(2);
    const path = image.paths().find((each) => each.endsWith('.idx')) as string;
    expect(isUnused(image, path, 0)).toBe(false);
    image.corrupt(path, where === 'end' ? (image.peek(path) as Buffer).length - 1 : where);
    const { damage } = await inspect(image);
    expect(damage).toMatchObject([{ kind: 'index', file: path, lost: [], mayHoldMore: false }]);
  });
});

describe('what was written wrong', () => {
  test('a batch whose checksum is wrong in a block that is whole', async () => {
    const image = await loadedFolder(2);
    const { folderId, groups } = checkpointOf(image);
    const { id, segments } = groups[0] as (typeof groups)[number];
    const place = { group: id, segment: segments[0]?.number as number, folderId };
    const path = `segments/${id}/${String(place.segment).padStart(8, '0')}.seg`;
    const bytes = image.peek(path) as Buffer;
    const ref = readBlockHeader(bytes, 0, place) as BlockRef;
    const batch = readBatchHeader(bytes, 76) as BatchHeader;
    bytes[76 + batch.bytes - 2] = (bytes[76 + batch.bytes - 2] as number) ^ 1;
    sealBlock(bytes, 0, ref, place);
    await (await image.open(path, { create: false })).write(bytes, 0);
    const fromOffset = batch.baseOffset;
    const lost = [{ group: id, shard: ref.shard, fromOffset, endOffset: fromOffset + batch.recordCount }];
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'batch', file: path, position: 76, lost }]);
  });

  test('a batch whose checksum is wrong in a frame that is whole', async () => {
    const image = await inJournal();
    const frame = neededFrames(image, journalPath)[3] as FrameHeader;
    const bytes = (image.peek(journalPath) as Buffer).subarray(frame.position, frame.position + frame.length);
    bytes[bytes.length - 2] = (bytes[bytes.length - 2] as number) ^ 1;
    sealFrame(bytes, frame);
    await (await image.open(journalPath, { create: false })).write(bytes, frame.position);
    const lost = [{ group: 1, shard: 1, fromOffset: 1, endOffset: 2 }];
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'batch', position: frame.position, lost }]);
  });
});

describe('what does not agree', () => {
  test('an index with a right checksum that says otherwise of a block', async () => {
    const image = await loadedFolder(2);
    const path = image.paths().find((each) => each.endsWith('.idx')) as string;
    const stored = decodeIndex(image.peek(path) as Buffer) as SegmentIndex;
    const [first, ...rest] = stored.blocks();
    const wrong = new SegmentIndex(new Map());
    for (const ref of [{ ...(first as BlockRef), lastTimeMs: 1 }, ...rest]) wrong.add(ref);
    for (const [shard, end] of stored.ends) wrong.ends.set(shard, end);
    await (await image.open(path, { create: false })).write(encodeIndex(wrong), 0);
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'index', file: path, lost: [] }]);
  });

  test('a frame whose batch does not begin where its shard ends', async () => {
    const image = await inJournal();
    const frame = neededFrames(image, journalPath).at(-1) as FrameHeader;
    const bytes = (image.peek(journalPath) as Buffer).subarray(frame.position, frame.position + frame.length);
    writeUint64(bytes, 56 + 16, 5);
    sealFrame(bytes, frame);
    await (await image.open(journalPath, { create: false })).write(bytes, frame.position);
    const lost = [{ group: 1, shard: 0, fromOffset: 2, endOffset: 5 }];
    const place = { file: journalPath, position: frame.position };
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'offsets', ...place, lost }]);
  });

  test('a block that begins before the end of the one before it', async () => {
    const image = await loadedFolder(2);
    const path = 'segments/1/00000002.seg';
    const place = { group: 1, segment: 2, folderId: checkpointOf(image).folderId };
    const bytes = image.peek(path) as Buffer;
    const ref = readBlockHeader(bytes, 0, place) as BlockRef;
    sealBlock(bytes, 0, { ...ref, baseOffset: 0 }, place);
    await (await image.open(path, { create: false })).write(bytes, 0);
    const { damage } = await inspect(image);
    expect(damage).toContainEqual(expect.objectContaining({ kind: 'offsets', file: path, position: 0, lost: [] }));
  });
});

describe('files', () => {
  test('that a trim has removed since the checkpoint are not missed', async () => {
    const image = await loadedFolder(4);
    await (await openTestLog(image, { limits: tinyLimits })).log.close();
    const times = checkpointOf(image).groups.flatMap(({ segments }) => segments.map(({ lastTimeMs }) => lastTimeMs));
    const { log } = await openTestLog(image, { limits: tinyLimits });
    await propose(log, { id: 999, kind: 'trim', group: 1, timeMs: Math.max(...times) + 1 });
    for (let i = 0; i < 200; i++) await tick();
    const left = image.kill();
    expect(checkpointOf(left).groups.find(({ id }) => id === 1)?.segments.length).toBeGreaterThan(1);
    expect(left.paths().filter((path) => path.startsWith('segments/1/'))).toEqual([]);
    const { damage, groups } = await inspect(left);
    expect(damage).toEqual([]);
    expect(groups.find(({ group }) => group === 1)?.segments).toEqual([]);
    expect(groups.find(({ group }) => group === 2)?.segments).not.toEqual([]);
  });

  test('are read piece by piece: whole are only the checkpoint and indexes', async () => {
    const image = await loadedFolder(2);
    const whole: string[] = [];
    const disk: Disk = Object.assign(Object.create(image) as SimDisk, {
      list: (path: string) => image.list(path),
      open: (path: string) => image.open(path, { create: false }),
      readFile: (path: string) => {
        whole.push(path);
        return image.readFile(path);
      },
    });
    await inspectFolder({ disk, machine: new TestMachine(), isThorough: true });
    expect(whole.length).toBeGreaterThan(2);
    expect(whole.filter((path) => path !== 'checkpoint' && !path.endsWith('.idx'))).toEqual([]);
  });

  test('a segment that is gone, or cut short, is named with exactly what it held', async () => {
    for (const how of ['gone', 'cut']) {
      const image = await loadedFolder(2);
      const before = await contentOf(image);
      const path = image.paths().find((each) => each.endsWith('.seg')) as string;
      const bytes = (image.peek(path) as Buffer).length;
      if (how === 'gone') await image.remove(path);
      else await (await image.open(path, { create: false })).truncate(Math.floor(bytes / 2));
      const report = await inspect(image);
      expect(report.damage.every(({ file }) => file === path)).toBe(true);
      const after = await contentOf(image);
      const lost = [...before.records.keys()].filter((key) => !after.records.has(key)).sort();
      expect(lost.length).toBeGreaterThan(0);
      expect(lostIn(report)).toEqual(lost);
    }
  });

  test('an index that is gone, or that of another segment, is named', async () => {
    const image = await loadedFolder(2);
    const [first, second] = image.paths().filter((each) => /segments\/1.*idx$/.test(each));
    const other = image.peek(second as string) as Buffer;
    await image.remove(first as string);
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'index', file: first, lost: [] }]);
    await (await image.open(first as string, { create: true })).write(other, 0);
    expect((await inspect(image)).damage).toMatchObject([{ kind: 'index', file: first, lost: [] }]);
  });
});

test('while a server writes, only damage that stays counts', async () => {
  const image = await inJournal();
  const frame = neededFrames(image, journalPath)[3] as FrameHeader;
  const reports: FolderReport[] = [];
  const flippedOnce = async (): Promise<FolderReport> => {
    if (reports.length < 2) image.corrupt(journalPath, frame.position);
    const report = await inspect(image);
    reports.push(report);
    return report;
  };
  expect((await inspectRunning(flippedOnce)).damage).toEqual([]);
  expect(reports.map(({ damage }) => damage.length)).toEqual([1, 0]);
  const other = neededFrames(image, journalPath)[2] as FrameHeader;
  let runs = 0;
  const moving = async (): Promise<FolderReport> => {
    const { position } = runs++ === 0 ? frame : other;
    image.corrupt(journalPath, position);
    const report = await inspect(image);
    image.corrupt(journalPath, position);
    expect(report.damage).toHaveLength(1);
    return report;
  };
  expect(await inspectRunning(moving)).toMatchObject({ damage: [], totals: { lostRecords: 0 } });
  image.corrupt(journalPath, frame.position);
  const lasting = await inspectRunning(() => inspect(image));
  expect(lasting.damage).toHaveLength(1);
  expect(lasting.totals.lostRecords).toBe(2);
});

test('a folder under load is never said to be damaged', async () => {
  const disk = new SimDisk(5, { isSlow: true });
  const { log } = await openTestLog(disk, { limits: tinyLimits });
  await propose(log, { id: 1, kind: 'provision', group: 1, shard: 0 });
  let isDone = false;
  const load = (async () => {
    for (let i = 0; !isDone; i++) await put(log, { group: 1, shard: 0 }, `n${i}`, 100);
  })();
  let runs = 0;
  for (; runs < 25; runs++) expect((await inspectRunning(() => inspect(disk))).damage).toEqual([]);
  isDone = true;
  await load;
  expect((await log.read({ group: 1, shard: 0 }, 0, readAll)).batches.map(nameOf).length).toBeGreaterThan(20);
});
