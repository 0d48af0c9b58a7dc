import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../errors.ts';
import { SpoolClosedError, SpoolFullError } from './errors.ts';
import { frameHeaderBytes, segmentHeaderBytes } from './format.ts';
import { Spool, type SpooledRecord, type SpoolSync } from './spool.ts';
import { appendMany, drain, numbersLeft, openOn, range, recordOf, recoveredFrom } from './testing/harness.ts';
import { TestDisk } from './testing/test-disk.ts';

describe('appends', () => {
  it('are numbered in the order of the calls, from 0, and written and synced in one go', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    expect(await appendMany(spool, 0, 1000)).toEqual(range(0, 1000));
    expect(Object.fromEntries(disk.counts)).toEqual({ list: 1, create: 1, sync: 1, 'file write': 2, 'file sync': 1 });
  });

  it('that come while a write is under way go into the next, and are not done before it', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    await spool.append(recordOf('header'));
    const { promise, resolve } = Promise.withResolvers<void>();
    disk.writeGate = promise;
    const first = spool.append(recordOf('first'));
    await drain();
    let isDone = false;
    const others = Promise.all(range(0, 50).map(async (i) => spool.append(recordOf(i)))).then(() => (isDone = true));
    await drain();
    expect(isDone).toBe(false);
    disk.writeGate = undefined;
    resolve();
    await Promise.all([first, others]);
    expect(disk.counts.get('file write')).toBe(4);
    expect(disk.counts.get('file sync')).toBe(3);
  });

  it('copy the data at once', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    const data = Buffer.from('before');
    const done = spool.append({ partitionKey: 'p', data });
    data.fill('x');
    await done;
    const found = await recoveredFrom(await openOn(disk.kill()));
    expect(Buffer.from(found.get(0)?.data ?? []).toString()).toBe('before');
  });

  it('of what is no record leave nothing behind', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    const done = spool.append(recordOf('good'));
    const bad = { partitionKey: 'p', explicitHashKey: 7, data: Buffer.alloc(3) } as unknown as SpooledRecord;
    expect(() => spool.append(bad)).toThrow(TypeError);
    expect(await Promise.all([done, spool.append(recordOf('also'))])).toEqual([0, 1]);
    expect(
      [...(await recoveredFrom(await openOn(disk.kill()))).values()].map(({ partitionKey }) => partitionKey),
    ).toEqual(['key-good', 'key-also']);
  });

  it.each<[SpoolSync, number, number, number]>([
    ['always', 1, 1, 1],
    ['interval', 0, 1, 1],
    ['never', 0, 0, 0],
  ])('with sync %s: synced before they are done, after the interval, folder', async (sync, before, after, folder) => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync });
    await appendMany(spool, 0, 10);
    expect(disk.counts.get('file sync') ?? 0).toBe(before);
    disk.passTime();
    await drain();
    expect(disk.counts.get('file sync') ?? 0).toBe(after);
    disk.passTime();
    await drain();
    expect(disk.counts.get('file sync') ?? 0).toBe(after);
    expect(disk.counts.get('sync') ?? 0).toBe(folder);
    await appendMany(spool, 10, 1);
    await spool.close();
    expect(disk.counts.get('file sync')).toBe(after + 1);
    expect(disk.hasTimers).toBe(false);
  });

  it('that come during a sync of the interval are synced by the next', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync: 'interval' });
    await appendMany(spool, 0, 5);
    const { promise, resolve } = Promise.withResolvers<void>();
    disk.syncGate = promise;
    disk.passTime();
    await appendMany(spool, 5, 5);
    disk.syncGate = undefined;
    resolve();
    await drain();
    disk.passTime();
    await drain();
    const spoolAfter = await openOn(disk.cutPower(() => 0));
    expect([...(await recoveredFrom(spoolAfter)).keys()]).toEqual(range(0, 10));
  });

  it('roll to a new segment, and a long record has one of its own', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { segmentBytesMax: 1000 });
    for (const i of range(0, 30)) await appendMany(spool, i, 1, i === 20 ? 5000 : 50);
    const lengths = disk.names().map((name) => disk.files.get(name)?.bytes.length ?? 0);
    expect(lengths.filter((length) => length > 1000)).toHaveLength(1);
    expect(lengths.length).toBeGreaterThan(3);
    await appendMany(spool, 30, 100);
    for (const { bytes } of disk.files.values()) expect(bytes.length > 5000 || bytes.length <= 1000).toBe(true);
    expect(await numbersLeft(disk)).toEqual(range(0, 130));
  });
});

describe('after a restart', () => {
  it.each([true, false])('closed before: %s; what is not settled is given back in order', async (isClosed) => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { segmentBytesMax: 400 });
    for (const i of range(0, 20)) await appendMany(spool, 3 * i, 3);
    for (const number of range(0, 60)) if (number % 7 !== 3) spool.settle(number);
    if (isClosed) await spool.close();
    else disk.passTime();
    await drain();
    const next = disk.kill();
    const again = await openOn(next);
    const found = await recoveredFrom(again);
    expect([...found.keys()]).toEqual(range(0, 60).filter((number) => number % 7 === 3));
    expect(found.get(17)).toEqual({ explicitHashKey: undefined, ...recordOf(17) });
    expect(await again.append(recordOf('new'))).toBe(60);
    // What is settled while it is being read is not given any more.
    const numbers: number[] = [];
    for await (const { number } of again.recovered()) {
      numbers.push(number);
      again.settle(number);
      again.settle(number + 7);
    }
    expect(numbers).toEqual([3, 17, 31, 45, 59]);
    expect(await recoveredFrom(again)).toEqual(new Map());
    await drain();
    expect(next.names()).toHaveLength(1);
  });

  it('an empty folder gives nothing, and nothing is written to it', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    expect(await recoveredFrom(spool)).toEqual(new Map());
    await spool.close();
    expect(disk.names()).toEqual([]);
  });

  it('a close with everything settled has left one empty segment; numbers go on', async () => {
    let disk = new TestDisk();
    for (const start of [0, 100, 200]) {
      const spool = await openOn(disk, { segmentBytesMax: 500 });
      expect(await recoveredFrom(spool)).toEqual(new Map());
      expect(await appendMany(spool, 0, 100)).toEqual(range(start, start + 100));
      for (const number of range(start, start + 100).reverse()) spool.settle(number);
      await spool.close();
      expect(disk.bytes).toBe(segmentHeaderBytes);
      const names = disk.names();
      await (await openOn(disk)).close();
      expect(disk.names()).toEqual(names);
      disk = disk.cutPower(() => 0);
    }
  });

  it('cannot be read after the close', async () => {
    const disk = new TestDisk();
    await appendMany(await openOn(disk), 0, 3);
    const again = await openOn(disk.kill());
    await again.close();
    await expect(recoveredFrom(again)).rejects.toThrow(SpoolClosedError);
  });
});

describe('settling', () => {
  it('removes segments of which nothing is needed, in any order, but not the active one', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { segmentBytesMax: 300 });
    for (const i of range(0, 12)) await appendMany(spool, i, 1, 150);
    const names = disk.names();
    expect(names).toHaveLength(12);
    for (const number of [11, 5, 5, 7, -1, 0.5, 12, Number.NaN]) spool.settle(number);
    await drain();
    expect(disk.names()).toEqual(names.filter((_, i) => i !== 5 && i !== 7));
    await appendMany(spool, 12, 1, 150);
    await drain();
    expect(disk.names().slice(0, 9)).toEqual(names.filter((_, i) => ![5, 7, 11].includes(i)));
  });

  it('is written with the next batch, or after some time', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    await appendMany(spool, 0, 6);
    spool.settle(1);
    expect(disk.hasTimers).toBe(true);
    await spool.append(recordOf(6));
    expect(disk.hasTimers).toBe(false);
    spool.settle(4);
    spool.settle(3);
    const { bytes } = disk;
    disk.passTime();
    await drain();
    expect(disk.bytes).toBe(bytes + frameHeaderBytes + 4);
    spool.settle(5);
    expect(await numbersLeft(disk)).toEqual([0, 2, 5, 6]);
  });

  it.each([false, true])(
    'is not forgotten with the segment in which it is written (power cut: %s)',
    async (isPowerCut) => {
      let disk = new TestDisk();
      const spool = await openOn(disk, { segmentBytesMax: 600 });
      await appendMany(spool, 0, 10);
      let next = 10;
      for (const _ of range(0, 40)) {
        for (const number of range(Math.max(1, next - 20), next)) spool.settle(number);
        next = 1 + ((await appendMany(spool, next, 10)).at(-1) as number);
      }
      for (const number of range(1, next)) spool.settle(number);
      disk.passTime();
      await drain();
      // The first, and the active one.
      expect(disk.names()).toHaveLength(2);
      // That the last ones are settled is not synced.
      const safe = next - 30;
      if (isPowerCut) disk = disk.cutPower(() => 0);
      expect((await numbersLeft(disk)).filter((number) => !isPowerCut || number < safe)).toEqual([0]);
    },
  );

  it('is written anew with a segment only where that frees more than it takes', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { segmentBytesMax: 400 });
    const small = { partitionKey: '', data: Buffer.alloc(0) };
    // Segments full of small records of which every other one stays: what says so is longer than a segment.
    let next = 0;
    for (const _ of range(0, 400)) next = (await spool.append(small)) + 1;
    for (let number = 0; number < next; number += 2) spool.settle(number);
    const left = range(0, next).filter((number) => number % 2 === 1);
    // One in the segment of all those ranges is not forgotten either, when it is settled later.
    const beside = await spool.append(recordOf('beside'));
    spool.settle(await spool.append(recordOf('next')));
    spool.settle(beside);
    disk.passTime();
    await drain();
    expect(await numbersLeft(disk)).toEqual(left);
    for (const _ of range(0, 100)) {
      spool.settle(await spool.append(recordOf('x', 100)));
      disk.passTime();
      await drain(3);
    }
    // Four records to a segment, or so.
    expect(disk.counts.get('create')).toBeLessThan(100 + 60);
    expect(await numbersLeft(disk)).toEqual(left);
    for (const number of left) spool.settle(number);
    disk.passTime();
    await drain();
    expect(disk.names()).toHaveLength(1);
    expect(await numbersLeft(disk)).toEqual([]);
  });
});

describe('a limit of bytes', () => {
  const record = recordOf('x', 100);
  const recordBytes = 1 + 5 + 1 + 1 + 100;
  const oneBatch = (count: number): number => segmentHeaderBytes + frameHeaderBytes + count * recordBytes;

  it.each([
    [-1, 9],
    [0, 10],
    [1, 10],
  ])('%i bytes around ten records lets in %i', async (more, count) => {
    const disk = new TestDisk();
    const bytesMax = oneBatch(10) + more;
    const spool = await openOn(disk, { bytesMax });
    const done = await Promise.allSettled(range(0, 11).map(() => spool.append(record)));
    expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(count);
    expect(disk.bytes).toBe(oneBatch(count));
    await expect(spool.append(record)).rejects.toMatchObject({ code: 'MR_SPOOL_FULL', isRetryable: true });
  });

  it.each([
    [0, 'MR_SPOOL_FULL'],
    [1, 'MR_INVALID_ARGUMENT'],
  ])('%i bytes more than it holds is %s when it is full', async (more, code) => {
    const spool = await openOn(new TestDisk(), { bytesMax: oneBatch(1) + segmentHeaderBytes });
    const number = await spool.append(record);
    const longer = { ...record, data: Buffer.alloc(record.data.length + more) };
    await expect(spool.append(longer)).rejects.toMatchObject({ code });
    spool.settle(number);
    await drain();
    const again = spool.append(longer);
    await (more === 0 ? again : expect(again).rejects.toMatchObject({ code }));
  });

  it('is kept whatever comes, and there is room again once all is settled', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { bytesMax: 3000, segmentBytesMax: 700 });
    let accepted = 0;
    for (const round of range(0, 30)) {
      const done = await Promise.allSettled(range(0, 1 + (round % 6)).map(() => spool.append(record)));
      expect(disk.bytes).toBeLessThanOrEqual(3000);
      accepted += done.filter(({ status }) => status === 'fulfilled').length;
    }
    expect(accepted).toBeGreaterThan(15);
    for (const number of range(0, accepted)) spool.settle(number);
    await drain();
    expect(await spool.append(record)).toBe(accepted);
    expect(disk.names().length).toBeLessThan(3);
  });

  it('is not reached for ever by one segment of which nothing is needed', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { bytesMax: oneBatch(10) });
    for (const number of await Promise.all(range(0, 10).map(() => spool.append(record)))) spool.settle(number);
    await expect(spool.append(record)).rejects.toThrow(SpoolFullError);
    await drain();
    expect(await spool.append(record)).toBe(10);
  });
});

describe('closing', () => {
  it('writes what waits, and refuses what comes later', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk);
    const done = appendMany(spool, 0, 5);
    const closed = spool.close();
    await expect(spool.append(recordOf(5))).rejects.toMatchObject({ code: 'MR_SPOOL_CLOSED', isRetryable: false });
    spool.settle(0);
    await Promise.all([closed, spool.close()]);
    expect(await done).toEqual(range(0, 5));
    expect(disk.isLocked).toBe(false);
    expect(await numbersLeft(disk)).toEqual(range(0, 5));
  });
});

it.each([
  { folder: '' },
  { sync: 'sometimes' as SpoolSync },
  { bytesMax: 0 },
  { bytesMax: Number.NaN },
  { segmentBytesMax: 1.5 },
  { segmentBytesMax: 2 ** 30 + 1 },
])('%j is refused', async (options) => {
  await expect(Spool.open({ folder: '/spool', ...options }, new TestDisk().ports)).rejects.toThrow(
    InvalidArgumentError,
  );
});
