import { expect, test } from 'vitest';
import { contentOf, inspect, isTrimmed, isUnused, loadedFolder, lostIn } from '../../../../testing/src/folder-image.ts';
import { SeededRandom } from '../../../../testing/src/seeded-random.ts';

test('200 flipped bits: each is found, with exactly what a real start loses by it, or lies where no start looks', async () => {
  const counts = { found: 0, lost: 0, unused: 0, unsure: 0, torn: 0 };
  for (let seed = 1; seed <= 10; seed++) {
    const image = await loadedFolder(seed);
    const random = new SeededRandom(seed);
    const before = await contentOf(image);
    expect(before.damage).toEqual([]);
    for (let i = 0; i < 20; i++) {
      const paths = image.paths().filter((path) => (image.peek(path) as Buffer).length > 0);
      // Half of them where something lies: most of a journal file is not in use.
      let path = random.pick(paths);
      let position = random.below((image.peek(path) as Buffer).length);
      for (let tries = 0; i % 2 === 0 && tries < 100 && isUnused(image, path, position); tries++) {
        path = random.pick(paths);
        position = random.below((image.peek(path) as Buffer).length);
      }
      const wasUnused = isUnused(image, path, position);
      const bit = 1 << random.below(8);
      image.corrupt(path, position, bit);
      const label = `seed ${seed}, flip ${i}: ${path} at ${position}, bit ${bit}`;
      const report = await inspect(image);
      const after = await contentOf(image);
      for (const [key, name] of after.records) expect(before.records.get(key), label).toBe(name);
      const lost = [...before.records.keys()].filter((key) => !after.records.has(key)).sort();
      const { tornTail } = report.journal;
      const isFound = report.damage.length > 0 || tornTail !== undefined;
      if (!wasUnused) expect(isFound, label).toBe(true);
      if (isFound) {
        counts.found++;
        const named = [...report.damage, ...(tornTail === undefined ? [] : [tornTail])];
        for (const each of named) {
          expect(each.file, label).toBe(path);
          expect(each.position ?? 0, label).toBeLessThanOrEqual(position);
        }
      } else {
        counts.unused++;
        expect(after.damage, label).toEqual([]);
      }
      // A block may hold records that a trim has passed beside others that it has not; no start returns those.
      const said = lostIn(report).filter((key) => !isTrimmed(seed) || before.records.has(key));
      if (report.damage.some(({ mayHoldMore }) => mayHoldMore)) {
        counts.unsure++;
        expect(lost, label).toEqual(expect.arrayContaining(said));
      } else expect(said, label).toEqual(lost);
      if (lost.length > 0) counts.lost++;
      if (tornTail !== undefined) counts.torn++;
      image.corrupt(path, position, bit);
    }
  }
  expect(counts.found + counts.unused).toBe(200);
  expect(counts.found).toBeGreaterThanOrEqual(100);
  expect(counts.lost).toBeGreaterThan(40);
  expect(counts.unused).toBeGreaterThan(20);
  expect(counts.unsure).toBeLessThan(10);
});
