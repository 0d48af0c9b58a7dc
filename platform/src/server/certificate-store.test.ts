import { expect, test } from 'vitest';
import { SimDisk } from '../../../testing/src/sim-disk.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Disk, DiskFile } from '../kernel/disk.ts';
import { MemoryDisk } from '../kernel/memory-disk.ts';
import { CertificateStore, renewBeforeMs } from './certificate-store.ts';
import type { ServerConfig } from './config.ts';

const generated = { tlsCert: undefined, tlsKey: undefined } as ServerConfig;

async function notAfterOn(disk: Disk): Promise<number> {
  return (JSON.parse(String(await disk.readFile('tls.json'))) as { notAfter: number }).notAfter;
}

test('two who ask at once get one certificate, which the next process gets, too', async () => {
  const disk = new MemoryDisk();
  const store = new CertificateStore(generated, disk, systemClock);
  const [one, other] = await Promise.all([store.current(), store.current()]);
  expect(one).toBe(other);
  expect((await new CertificateStore(generated, disk, systemClock).current()).cert).toBe(one.cert);
});

test('one that ends soon is replaced by a renewal, and not before for those who ask', async () => {
  const disk = new MemoryDisk();
  let now = Date.now();
  const clock = { ...systemClock, now: () => now };
  const store = new CertificateStore(generated, disk, clock);
  await store.renew();
  expect(await disk.readFile('tls.json')).toBeUndefined();
  const { cert } = await store.current();
  const notAfter = await notAfterOn(disk);
  now = notAfter - renewBeforeMs - 1;
  await store.renew();
  expect((await store.current()).cert).toBe(cert);
  now = notAfter - renewBeforeMs;
  expect((await store.current()).cert).toBe(cert);
  await store.renew();
  const renewed = await store.current();
  expect(renewed.cert).not.toBe(cert);
  expect(await notAfterOn(disk)).toBeGreaterThan(notAfter);
});

class CountingDisk extends SimDisk {
  openCount = 0;

  override async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    this.openCount++;
    const close = file.close.bind(file);
    file.close = () => {
      this.openCount--;
      return close();
    };
    return file;
  }
}

test('while the disk is full there is none to be had, a renewal leaves the one there is, and no file stays open', async () => {
  const disk = new CountingDisk(1);
  let now = Date.now();
  const store = new CertificateStore(generated, disk, { ...systemClock, now: () => now });
  const fill = (): void => disk.fail({ operation: 'write', path: /^tls/, code: 'ENOSPC', isLasting: true });
  fill();
  await expect(store.current()).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(disk.openCount).toBe(0);
  disk.heal();
  const { cert } = await store.current();
  fill();
  now = await notAfterOn(disk);
  await expect(store.renew()).rejects.toMatchObject({ code: 'ENOSPC' });
  expect((await store.current()).cert).toBe(cert);
  expect(disk.openCount).toBe(0);
});
