import { describe, expect, it } from 'vitest';
import { SpoolFailedError } from './errors.ts';
import { appendMany, drain, numbersLeft, openOn, range, recordOf, recoveredFrom } from './testing/harness.ts';
import { TestDisk } from './testing/test-disk.ts';

const failed = { name: 'SpoolFailedError', code: 'MR_SPOOL_FAILED', isRetryable: false };

describe('a disk that fails', () => {
  it.each([
    ['at a write', 'always', 'file write'],
    ['at a sync', 'always', 'file sync'],
    ['at making a segment', 'always', 'create'],
    ['at syncing the folder', 'interval', 'sync'],
    ['at removing a segment', 'never', 'remove'],
    ['at ending a segment', 'interval', 'file sync'],
  ] as const)('%s: nothing is accepted any more', async (_name, sync, operation) => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync, segmentBytesMax: 500 });
    await appendMany(spool, 0, 5);
    spool.settle(0);
    disk.fails = (each) => each === operation;
    const waiting = range(0, 5).map((i) => spool.append(recordOf(i, 450)));
    if (operation === 'remove') for (const number of range(1, 5)) spool.settle(number);
    const first = Promise.allSettled(waiting);
    await drain();
    const later = await Promise.allSettled(range(0, 5).map((i) => spool.append(recordOf(i, 100))));
    for (const each of operation === 'remove' ? later : [...(await first), ...later]) {
      expect(each).toMatchObject({ status: 'rejected', reason: { ...failed, cause: { code: 'EIO' } } });
    }
    disk.fails = () => false;
    const { counts } = disk;
    const syncs = counts.get('file sync');
    spool.settle(1);
    expect(disk.isLocked).toBe(true);
    await expect(spool.close()).rejects.toThrow(SpoolFailedError);
    await expect(spool.close()).rejects.toThrow(SpoolFailedError);
    expect(counts.get('file sync')).toBe(syncs);
    expect(disk.isLocked).toBe(false);
    expect(await numbersLeft(disk)).toEqual(expect.arrayContaining(operation === 'remove' ? [] : [1, 2, 3, 4]));
  });

  it('at a sync between appends refuses the next one, and is not asked again', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync: 'interval' });
    await appendMany(spool, 0, 5);
    disk.fails = (each) => each === 'file sync';
    disk.passTime();
    await drain();
    disk.fails = () => false;
    await expect(spool.append(recordOf('late'))).rejects.toMatchObject(failed);
    await expect(spool.close()).rejects.toThrow(SpoolFailedError);
    expect(disk.counts.get('file sync')).toBe(1);
  });

  it('at a sync that runs beside the end of a segment is not asked again', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync: 'interval', segmentBytesMax: 500 });
    await appendMany(spool, 0, 5);
    const { promise, resolve } = Promise.withResolvers<void>();
    disk.syncGate = promise;
    disk.passTime();
    const rolls = spool.append(recordOf('large', 450));
    await drain();
    disk.fails = (each) => each === 'file sync';
    resolve();
    await expect(rolls).rejects.toMatchObject(failed);
    await drain();
    await expect(spool.close()).rejects.toThrow(SpoolFailedError);
    expect(disk.counts.get('file sync')).toBe(1);
    expect(disk.counts.get('create')).toBe(1);
  });

  it('at the close says so, and lets go of the folder', async () => {
    const disk = new TestDisk();
    const spool = await openOn(disk, { sync: 'never' });
    await appendMany(spool, 0, 5);
    disk.fails = (each) => each === 'file sync' || each === 'file close';
    await expect(spool.close()).rejects.toMatchObject({ ...failed, cause: { message: 'EIO: file sync' } });
    expect(disk.isLocked).toBe(false);
  });

  it.each(['list', 'read', 'cut'] as const)('at the open (%s) opens nothing and changes nothing', async (operation) => {
    const disk = new TestDisk();
    await appendMany(await openOn(disk), 0, 5);
    const next = disk.kill();
    const [name] = next.names();
    next.put(name as string, next.files.get(name as string)?.bytes.subarray(0, -1) ?? Buffer.alloc(0));
    next.fails = (each) => each === operation;
    await expect(openOn(next)).rejects.toMatchObject(failed);
    expect(next.isLocked).toBe(false);
  });

  it('at reading what is left tells it, and may be asked again', async () => {
    const disk = new TestDisk();
    await appendMany(await openOn(disk), 0, 5);
    const next = disk.kill();
    const spool = await openOn(next);
    next.fails = (each) => each === 'read';
    await expect(recoveredFrom(spool)).rejects.toThrow(SpoolFailedError);
    next.fails = () => false;
    expect((await recoveredFrom(spool)).size).toBe(5);
    expect(await spool.append(recordOf(5))).toBe(5);
  });
});
