import { describe, expect, test } from 'vitest';
import { calmLimits, openTestLog, put, tinyLimits, type OpenLog } from '../../../testing/src/log-harness.ts';
import { SimClock, tick, until } from '../../../testing/src/sim-clock.ts';
import { SimDisk, type DiskFault } from '../../../testing/src/sim-disk.ts';
import { readShard } from '../../../testing/src/test-batches.ts';
import { propose } from '../../../testing/src/test-machine.ts';
import type { LogEngine } from './engine.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { crc32c } from './crc32c.ts';
import { DataFolderError, LogReadOnlyError } from './errors.ts';

const shard = { group: 1, shard: 0 };

async function openWithShard(disk: SimDisk, limits = tinyLimits): Promise<OpenLog> {
  const opened = await openTestLog(disk, { limits });
  await propose(opened.log, { id: 1, kind: 'provision', ...shard });
  return opened;
}

async function namesIn(log: LogEngine, id = shard): Promise<string[]> {
  return (await readShard(log, id)).map((batch) => batch.name);
}

describe('after a write or sync that failed', () => {
  const faults: Array<[string, DiskFault]> = [
    ['journal write', { operation: 'write', path: /^journal/ }],
    ['journal sync', { operation: 'sync', path: /^journal/ }],
    ['segment write', { operation: 'write', path: /[.]seg$/ }],
    ['segment sync', { operation: 'sync', path: /[.]seg$/ }],
    ['segment sync for want of room', { operation: 'sync', path: /[.]seg$/, code: 'ENOSPC' }],
    ['segment open', { operation: 'open', path: /[.]seg$/, nth: 2 }],
    ['segment folder sync', { operation: 'syncFolder', path: /^segments/ }],
    ['checkpoint write', { operation: 'write', path: /^checkpoint/ }],
    ['checkpoint sync', { operation: 'sync', path: /^checkpoint/ }],
    ['checkpoint rename', { operation: 'rename', path: /^checkpoint/ }],
    ['index write', { operation: 'write', path: /[.]idx$/ }],
  ];

  test.each(faults)('%s: nothing is acknowledged any more, reads go on, and a restart has all', async (_, fault) => {
    const disk = new SimDisk(1);
    const { log, clock } = await openWithShard(disk);
    const stored: string[] = [];
    const unknown: string[] = [];
    for (let i = 0; i < 20; i++) if ((await put(log, shard, `before-${i}`)) === 'stored') stored.push(`before-${i}`);
    disk.fail(fault);
    for (let i = 0; i < 400 && log.status().state === 'ok'; i++) {
      const became = await put(log, shard, `then-${i}`);
      if (became === 'stored') stored.push(`then-${i}`);
      if (became === 'unknown') unknown.push(`then-${i}`);
      await tick();
    }
    expect(log.status()).toMatchObject({ state: 'read-only', reason: expect.stringContaining('failed') as string });
    disk.heal();
    for (let i = 0; i < 3; i++) {
      clock.advance(1000);
      await tick();
      expect(await put(log, shard, `after-${i}`)).toBe('read-only');
    }
    await expect(propose(log, { id: 2, kind: 'drop', group: 1 })).rejects.toThrow(LogReadOnlyError);
    expect(await namesIn(log)).toEqual(stored);
    await log.close();
    const again = await openTestLog(disk.powerCut());
    const found = await namesIn(again.log);
    expect(found.slice(0, stored.length)).toEqual(stored);
    expect(unknown.slice(0, found.length - stored.length)).toEqual(found.slice(stored.length));
    expect(again.log.status()).toMatchObject({ state: 'ok', damage: [] });
    expect(await put(again.log, shard, 'again')).toBe('stored');
  });

  test('what was appended while the failing commit was under way is refused or unknown, never stored', async () => {
    const disk = new SimDisk(1);
    const { log } = await openWithShard(disk, calmLimits);
    const open = disk.hold('sync', /^journal/);
    const first = put(log, shard, 'first');
    await tick();
    await tick();
    const second = put(log, shard, 'second');
    disk.fail({ operation: 'sync', path: /^journal/ });
    open();
    expect(await first).toBe('unknown');
    expect(await second).toBe('read-only');
    expect(log.endOffset(shard)).toBe(0);
    expect(await namesIn(await restarted(disk))).not.toContain('second');
  });

  test('a failure in the background between two commits closes the log without harm to other files', async () => {
    const disk = new SimDisk(1, { isSlow: true });
    const { log } = await openWithShard(disk);
    disk.fail({ operation: 'write', path: /[.]seg$/ });
    const puts = Array.from({ length: 60 }, (_, i) => put(log, shard, `${i}`, 200));
    await until(() => log.status().state === 'read-only');
    await log.close();
    const became = await Promise.all(puts);
    expect(became).toContain('read-only');
    const stored = became.flatMap((each, i) => (each === 'stored' ? [`${i}`] : []));
    expect((await namesIn(await restarted(disk))).slice(0, stored.length)).toEqual(stored);
  });
});

describe('after a read that failed', () => {
  test('of a segment: that read fails and no other, nothing is taken for damage, appends go on', async () => {
    const disk = new SimDisk(1);
    const { log } = await openWithShard(disk);
    const stored = Array.from({ length: 40 }, (_, i) => `${i}`);
    for (const name of stored) await put(log, shard, name, 200);
    await until(() => disk.paths().some((path) => path.endsWith('.idx')));
    disk.fail({ operation: 'read', path: /[.]seg$/ });
    await expect(namesIn(log)).rejects.toMatchObject({ code: 'EIO' });
    expect(await put(log, shard, 'after')).toBe('stored');
    expect(await namesIn(log)).toEqual([...stored, 'after']);
    expect(log.status()).toMatchObject({ state: 'ok', damage: [] });
  });

  test.each(['checkpoint', 'journal', 'segments'])(
    'of the %s at a start: it is no start, and the next one has all',
    async (path) => {
      const disk = new SimDisk(1);
      const first = await openWithShard(disk);
      const stored = Array.from({ length: 40 }, (_, i) => `${i}`);
      for (const name of stored) await put(first.log, shard, name, 200);
      const left = disk.kill();
      left.fail({ operation: 'read', path: new RegExp(`^${path}`) });
      const outcome = await openTestLog(left).then(
        () => 'started',
        (error: unknown) => (error as { code?: string }).code,
      );
      expect(outcome).toBe('EIO');
      const { log } = await openTestLog(left.kill());
      expect(await namesIn(log)).toEqual(stored);
      expect(log.status()).toMatchObject({ state: 'ok', damage: [] });
    },
  );
});

async function restarted(disk: SimDisk): Promise<LogEngine> {
  return (await openTestLog(disk.powerCut())).log;
}

describe('on a full disk', () => {
  const other = { group: 2, shard: 0 };

  /** Fills the disk; answers the names stored in {@link shard}. */
  async function fill(opened: OpenLog): Promise<string[]> {
    await propose(opened.log, { id: 2, kind: 'provision', ...other });
    const stored: string[] = [];
    for (let i = 0; ; i++) {
      const id = i % 2 === 0 ? shard : other;
      const became = await put(opened.log, id, `${i}`, 300);
      if (became === 'disk-full') break;
      expect(became).toBe('stored');
      if (id === shard) stored.push(`${i}`);
      expect(i).toBeLessThan(2000);
    }
    return stored;
  }

  /** Lets retries come due until the log takes records again. */
  async function untilOk({ log, clock }: OpenLog): Promise<void> {
    for (let i = 0; i < 50 && log.status().state !== 'ok'; i++) {
      clock.advance(500);
      for (let turn = 0; turn < 20; turn++) await tick();
    }
    expect(log.status().state).toBe('ok');
  }

  for (const capacityKiB of [70, 71.3, 76.1, 85.7, 99.9]) {
    test(`of ${capacityKiB} KiB: appends are refused, reads go on, a drop gives room, appends resume by themselves`, async () => {
      const disk = new SimDisk(1, { capacityBytes: capacityKiB * 1024 });
      const opened = await openWithShard(disk);
      const stored = await fill(opened);
      expect(opened.log.status()).toMatchObject({
        state: 'disk-full',
        reason: expect.stringContaining('full') as string,
      });
      expect(await namesIn(opened.log)).toEqual(stored);
      await propose(opened.log, { id: 3, kind: 'drop', group: other.group });
      await untilOk(opened);
      expect(await put(opened.log, shard, 'resumed')).toBe('stored');
      stored.push('resumed');
      // Dense: readShard would stop at a hole.
      expect(await namesIn(opened.log)).toEqual(stored);
      expect(opened.log.endOffset(shard)).toBe(stored.length);
      expect(await namesIn(await restarted(disk))).toEqual(stored);
    });

    test(`of ${capacityKiB} KiB: nothing is lost over restarts, and a trim gives room`, async () => {
      let disk = new SimDisk(2, { capacityBytes: capacityKiB * 1024 });
      let opened = await openWithShard(disk);
      const stored = await fill(opened);
      for (let i = 0; i < 3; i++) {
        disk = i === 1 ? disk.kill() : disk.powerCut();
        opened = await openTestLog(disk, { nowMs: opened.clock.now() + 1000 });
        expect(await namesIn(opened.log)).toEqual(stored);
      }
      await propose(opened.log, { id: 3, kind: 'trim', group: other.group, timeMs: opened.clock.now() });
      await untilOk(opened);
      expect(await namesIn(opened.log)).toEqual(stored);
      expect(await put(opened.log, shard, 'resumed')).toBe('stored');
      expect(await namesIn(await restarted(disk))).toEqual([...stored, 'resumed']);
    });
  }

  test('that somebody else filled to the last byte a start loses nothing, and the log goes on when there is room', async () => {
    let disk = new SimDisk(3);
    const first = await openWithShard(disk, calmLimits);
    const stored: string[] = [];
    for (let i = 0; i < 40; i++) {
      stored.push(`${i}`);
      await put(first.log, shard, `${i}`, 200);
    }
    disk = disk.kill();
    disk.capacityBytes = disk.usedBytes;
    for (let i = 0; i < 3; i++) {
      const { log } = await openTestLog(disk);
      expect(log.status().state).toBe('disk-full');
      expect(await namesIn(log)).toEqual(stored);
      expect(await put(log, shard, 'more')).toBe('disk-full');
      disk = i === 1 ? disk.kill() : disk.powerCut();
      disk.capacityBytes = Math.max(disk.capacityBytes, disk.usedBytes);
    }
    const opened = await openTestLog(disk);
    disk.capacityBytes = Infinity;
    await untilOk(opened);
    expect(await put(opened.log, shard, 'more')).toBe('stored');
    expect(await namesIn(await restarted(disk))).toEqual([...stored, 'more']);
  });

  test('a checkpoint that comes while the journal is being opened frees its files', async () => {
    const limits = { ...calmLimits, firstFileBytes: 8192, fileBytes: 8192, filesMax: 2, tailBytesMax: 1e9 };
    let disk = new SimDisk(5);
    const first = await openWithShard(disk, limits);
    for (let i = 0; i < 12; i++) await put(first.log, shard, `${i}`, 300);
    disk = disk.kill();
    disk.capacityBytes = disk.usedBytes;
    const before = disk.peek('checkpoint') as Buffer;
    const release = disk.hold('sync', /^journal\//);
    const clock = new SimClock(first.clock.now());
    const opening = openTestLog(disk, { limits, clock });
    for (let i = 0; i < 500; i++) await tick();
    disk.capacityBytes = Infinity;
    clock.advance(500);
    await until(() => !(disk.peek('checkpoint') as Buffer).equals(before));
    for (let i = 0; i < 500; i++) await tick();
    release();
    const { log } = await opening;
    // More than the files take that may exist at once.
    for (let i = 12; i < 80; i++) expect(await put(log, shard, `${i}`, 300)).toBe('stored');
    expect(await namesIn(log)).toEqual(Array.from({ length: 80 }, (_, i) => `${i}`));
  });

  test('the offsets of refused appends are given again', async () => {
    const disk = new SimDisk(4);
    const { log, clock } = await openWithShard(disk, {
      ...calmLimits,
      firstFileBytes: 2048,
      fileBytes: 4096,
      filesMax: 2,
    });
    disk.capacityBytes = disk.usedBytes;
    const puts = Array.from({ length: 30 }, (_, i) => put(log, shard, `${i}`, 300));
    const became = await Promise.all(puts);
    expect(became).toContain('disk-full');
    disk.capacityBytes = Infinity;
    await untilOk({ log, clock, machine: undefined as never });
    expect(await put(log, shard, 'last')).toBe('stored');
    const stored = became.flatMap((each, i) => (each === 'stored' ? [`${i}`] : []));
    expect(await namesIn(log)).toEqual([...stored, 'last']);
    expect(log.endOffset(shard)).toBe(stored.length + 1);
  });
});

describe('a data folder that cannot be opened', () => {
  async function closedDisk(): Promise<SimDisk> {
    const disk = new SimDisk(1);
    const { log } = await openWithShard(disk);
    await put(log, shard, 'a');
    await log.close();
    return disk.kill();
  }

  const copiesOf = (disk: SimDisk): number[] => [0, (disk.peek('checkpoint') as Buffer).length / 2];

  test('of a newer format names both formats and says what to do', async () => {
    const disk = await closedDisk();
    for (const position of copiesOf(disk)) disk.corrupt('checkpoint', position + 11, 0x01);
    const opening = openTestLog(disk);
    await expect(opening).rejects.toThrow(DataFolderError);
    await expect(opening).rejects.toThrow(
      'the data folder has format 3, this version of Millrace reads up to 2; start the newer version that wrote it',
    );
  });

  test.each([
    ['with a wrong magic', 0, 'is not a Millrace checkpoint'],
    ['with a flipped bit', 40, 'is damaged (its checksum is wrong)'],
  ])('for a checkpoint %s in both copies is refused', async (_, position, message) => {
    const disk = await closedDisk();
    for (const copy of copiesOf(disk)) disk.corrupt('checkpoint', copy + position, 0x01);
    await expect(openTestLog(disk)).rejects.toThrow(message);
  });

  test('for a flipped bit anywhere in the checkpoint opens all the same, says so, and is whole at the next start', async () => {
    let disk = await closedDisk();
    for (let position = 0; position < (disk.peek('checkpoint') as Buffer).length; position += 3) {
      const half = (disk.peek('checkpoint') as Buffer).length / 2;
      disk.corrupt('checkpoint', position, 1 << (position % 8));
      const first = await openTestLog(disk);
      const place = position < half ? 0 : half;
      expect(first.log.status().damage).toEqual([
        `checkpoint: the copy at ${place} is damaged; the other one is whole`,
      ]);
      expect(await namesIn(first.log)).toEqual(['a']);
      disk = disk.kill();
      const second = await openTestLog(disk);
      expect(second.log.status().damage).toEqual([]);
      await second.log.close();
      disk = disk.kill();
    }
  });

  test('of format 1, with one copy of the checkpoint, opens and has format 2 from then on', async () => {
    const disk = await closedDisk();
    const two = disk.peek('checkpoint') as Buffer;
    const one = Buffer.from(two.subarray(0, two.length / 2));
    one.writeUInt32BE(1, 8);
    one.writeUInt32BE(crc32c(one.subarray(8)), 4);
    const file = await disk.open('checkpoint', { create: false });
    await file.truncate(one.length);
    await file.write(one, 0);
    const { log } = await openTestLog(disk);
    expect(await namesIn(log)).toEqual(['a']);
    expect(log.status().damage).toEqual([]);
    await log.close();
    expect(decodeCheckpoint(disk.peek('checkpoint') as Buffer)).toMatchObject({ version: 2, copies: [{}, {}] });
  });

  test('for want of its checkpoint is refused, and nothing in it is removed', async () => {
    const disk = await closedDisk();
    await disk.remove('checkpoint');
    const before = disk.paths();
    await expect(openTestLog(disk)).rejects.toThrow(DataFolderError);
    expect(disk.paths()).toEqual(before);
  });
});
