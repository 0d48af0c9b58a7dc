import { Spool, type SpooledRecord, type SpoolOptions } from '../spool.ts';
import type { TestDisk } from './test-disk.ts';

export type TestOptions = Omit<SpoolOptions, 'folder'>;

export function openOn(disk: TestDisk, options: TestOptions = {}): Promise<Spool> {
  return Spool.open({ folder: '/spool', ...options }, disk.ports);
}

/** A record that can be told from others, of a data length. */
export function recordOf(name: string | number, bytes: number = 20): SpooledRecord {
  return { partitionKey: `key-${name}`, data: Buffer.alloc(bytes, `${name},`) };
}

/** Some appends in one turn; their numbers. */
export function appendMany(spool: Spool, from: number, count: number, bytes?: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => spool.append(recordOf(from + i, bytes))));
}

/** What is given back: the numbers, and the partition keys. */
export async function recoveredFrom(spool: Spool): Promise<Map<number, SpooledRecord>> {
  const found = new Map<number, SpooledRecord>();
  for await (const { number, record } of spool.recovered()) found.set(number, record);
  return found;
}

/** The numbers that the next process would be given, did this one end now. */
export async function numbersLeft(disk: TestDisk): Promise<number[]> {
  const spool = await openOn(disk.copy());
  return [...(await recoveredFrom(spool)).keys()];
}

/** Some turns of the event loop: what was begun is done. */
export async function drain(turns: number = 10): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The numbers from one to below another. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
