import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskErrorCode, type Disk, type DiskFile } from '../../platform/src/kernel/disk.ts';
import { MemoryDisk } from '../../platform/src/kernel/memory-disk.ts';
import { systemDisk } from '../../platform/src/kernel/system-disk.ts';
import { SimDisk } from './sim-disk.ts';

type Step =
  | { readonly kind: 'write'; readonly path: string; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'read'; readonly path: string; readonly position: number; readonly count: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly length: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'open' | 'remove' | 'readFile' | 'size' | 'sync'; readonly path: string }
  | { readonly kind: 'removeFolder' | 'list' | 'syncFolder'; readonly folder: string };

const path = fc.constantFrom('a', 'b', 'x/a', 'x/b', 'x/y/a');
const position = fc.oneof(fc.nat(100), fc.integer({ min: 65_500, max: 65_600 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      path,
      position,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 90 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), path, position, count: fc.nat(200) }) },
  fc.record({ kind: fc.constant('truncate' as const), path, length: position }),
  fc.record({ kind: fc.constant('rename' as const), from: path, to: path }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('open' as const, 'remove' as const, 'readFile' as const, 'size' as const, 'sync' as const),
      path,
    }),
  },
  fc.record({
    kind: fc.constantFrom('removeFolder' as const, 'list' as const, 'syncFolder' as const),
    folder: fc.constantFrom('x', 'x/y'),
  }),
);

/** Runs the steps; answers what each gave, an error by its code. */
async function runSteps(disk: Disk, steps: readonly Step[]): Promise<unknown[]> {
  const open = new Map<string, DiskFile>();
  const fileAt = async (at: string): Promise<DiskFile> => {
    const known = open.get(at) ?? (await disk.open(at, { create: true }));
    open.set(at, known);
    return known;
  };
  const runStep = async (each: Step): Promise<unknown> => {
    switch (each.kind) {
      case 'write':
        return (await fileAt(each.path)).write(each.bytes, each.position);
      case 'read': {
        const into = new Uint8Array(each.count);
        const count = await (await fileAt(each.path)).read(into, each.position);
        return [count, Buffer.from(into.subarray(0, count)).toString('hex')];
      }
      case 'truncate':
        return (await fileAt(each.path)).truncate(each.length);
      case 'rename':
        await disk.rename(each.from, each.to);
        return open.clear();
      case 'open':
        await (await disk.open(each.path, { create: false })).close();
        return undefined;
      case 'remove':
        await disk.remove(each.path);
        return open.clear();
      case 'readFile':
        return (await disk.readFile(each.path))?.toString('hex');
      case 'size':
        return (await fileAt(each.path)).size();
      case 'sync':
        return (await fileAt(each.path)).sync();
      case 'removeFolder':
        await disk.removeFolder(each.folder);
        open.clear();
        await disk.makeFolder('x/y');
        return undefined;
      case 'list':
        // An empty folder is one on a real disk only.
        return (await disk.list(each.folder)).filter((name) => name !== 'y');
      case 'syncFolder':
        return disk.syncFolder(each.folder);
    }
  };
  await disk.makeFolder('x/y');
  const results: unknown[] = [];
  for (const each of steps)
    results.push(await runStep(each).catch((error: unknown) => diskErrorCode(error) ?? String(error)));
  for (const file of open.values()) await file.close();
  return results;
}

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-disks-'));
});
afterAll(() => rmSync(root, { recursive: true }));

test('the disks in memory and the simulated one do what a real one does', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const real = systemDisk(root);
      const folder = `${++runs}`;
      await real.makeFolder(folder);
      const expected = await runSteps(systemDisk(join(root, folder)), steps);
      expect(await runSteps(new MemoryDisk(), steps)).toEqual(expected);
      expect(await runSteps(new SimDisk(1), steps)).toEqual(expected);
      expect(await runSteps(new SimDisk(1, { isSlow: true }), steps)).toEqual(expected);
      await real.removeFolder(folder);
    }),
    { seed: 1, numRuns: 60 },
  );
});
