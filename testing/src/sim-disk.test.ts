import { expect, test } from 'vitest';
import type { DiskFile } from '../../platform/src/kernel/disk.ts';
import { SimDisk } from './sim-disk.ts';

/** What files may hold after a power cut, over many seeds. */
async function outcomes(prepare: (disk: SimDisk) => Promise<void>, path: string): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = new SimDisk(seed);
    await prepare(disk);
    found.add(disk.powerCut().peek(path)?.toString('latin1'));
  }
  return found;
}

async function durableFile(disk: SimDisk, path: string, bytes: string): Promise<DiskFile> {
  const file = await disk.open(path, { create: true });
  await file.write(Buffer.from(bytes), 0);
  await file.sync();
  await disk.syncFolder('.');
  return file;
}

test('what was synced, with its name, is there after every power cut', async () => {
  const found = await outcomes(async (disk) => void (await durableFile(disk, 'a', 'old')), 'a');
  expect([...found]).toEqual(['old']);
});

test('an unsynced write is kept, lost, or torn', async () => {
  const found = await outcomes(async (disk) => {
    const file = await durableFile(disk, 'a', 'o'.repeat(1024));
    await file.write(Buffer.alloc(1024, 'n'), 0);
  }, 'a');
  for (const [first, second] of ['oo', 'nn', 'no', 'on']) {
    expect(found).toContain((first as string).repeat(512) + (second as string).repeat(512));
  }
});

test('a later write may be there without an earlier one', async () => {
  const found = await outcomes(async (disk) => {
    const file = await durableFile(disk, 'a', 'oooooo');
    await file.write(Buffer.from('1'), 0);
    await file.write(Buffer.from('2'), 5);
  }, 'a');
  expect(found).toContain('oooo' + 'o2');
  expect(found).toContain('1' + 'ooooo');
});

test('a name that was made, renamed or removed without a sync of its folder may be there or not', async () => {
  const made = await outcomes(async (disk) => {
    const file = await disk.open('a', { create: true });
    await file.write(Buffer.from('x'), 0);
    await file.sync();
  }, 'a');
  expect(made).toEqual(new Set(['x', undefined]));
  const removed = await outcomes(async (disk) => {
    await durableFile(disk, 'a', 'x');
    await disk.remove('a');
  }, 'a');
  expect(removed).toEqual(new Set(['x', undefined]));
  const renamed = await outcomes(async (disk) => {
    await durableFile(disk, 'a', 'old');
    await durableFile(disk, 'b', 'new');
    await disk.rename('b', 'a');
  }, 'a');
  expect(renamed).toEqual(new Set(['old', 'new']));
});

test('a file that was synced goes with its folder when that was not', async () => {
  const found = await outcomes(async (disk) => {
    await disk.makeFolder('x');
    const file = await disk.open('x/a', { create: true });
    await file.write(Buffer.from('x'), 0);
    await file.sync();
    await disk.syncFolder('x');
  }, 'x/a');
  expect(found).toEqual(new Set(['x', undefined]));
});

test('the death of the process alone loses nothing, and makes nothing durable', async () => {
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 50; seed++) {
    const disk = new SimDisk(seed);
    const file = await durableFile(disk, 'a', 'old');
    await file.write(Buffer.from('new'), 0);
    const killed = disk.kill();
    expect(killed.peek('a')?.toString()).toBe('new');
    found.add(killed.powerCut().peek('a')?.toString());
  }
  expect(found.has('old') && found.has('new')).toBe(true);
});

test('a sync that failed makes nothing durable, nor does the next one', async () => {
  const found = await outcomes(async (disk) => {
    const file = await durableFile(disk, 'a', 'old');
    await file.write(Buffer.from('new'), 0);
    disk.fail({ operation: 'sync', path: /^a$/ });
    await expect(file.sync()).rejects.toThrow('EIO');
    await file.sync();
  }, 'a');
  expect(found.has('old') && found.has('new')).toBe(true);
});

test('a full disk takes what fits, refuses the rest, and has room again after a removal', async () => {
  const disk = new SimDisk(1, { capacityBytes: 10 });
  const a = await disk.open('a', { create: true });
  const b = await disk.open('b', { create: true });
  await a.write(Buffer.alloc(8, 'a'), 0);
  await expect(b.write(Buffer.alloc(4, 'b'), 0)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(disk.peek('b')?.toString()).toBe('bb');
  await a.write(Buffer.alloc(8, 'A'), 0);
  await disk.remove('a');
  await b.write(Buffer.alloc(4, 'b'), 0);
  expect(disk.usedBytes).toBe(4);
});

test('a disk that stopped answers nothing any more', async () => {
  const disk = new SimDisk(1);
  const file = await durableFile(disk, 'a', 'x');
  disk.stopAtStep = disk.steps + 1;
  let isAnswered = false;
  void file.write(Buffer.from('y'), 0).then(() => (isAnswered = true));
  await disk.whenStopped();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isAnswered).toBe(false);
  expect(disk.powerCut().peek('a')?.toString()).toBe('x');
});

test('a file that was closed is not written to', async () => {
  const disk = new SimDisk(1);
  const file = await durableFile(disk, 'a', 'x');
  await file.close();
  await expect(file.write(Buffer.from('y'), 0)).rejects.toMatchObject({ code: 'EBADF' });
});
