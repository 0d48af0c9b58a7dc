import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const MiB = 1024 * 1024;

/** Memory of the young generation after half a second of making and dropping objects, in a process of its own. */
function afterLoad(isBounded: boolean): number {
  const program = `
    import { boundYoungGeneration, youngGenerationBytes } from ${JSON.stringify(new URL('young-generation.ts', import.meta.url).href)};
    if (${isBounded}) boundYoungGeneration();
    let kept = [];
    for (const end = Date.now() + 500; Date.now() < end; ) {
      for (let i = 0; i < 10_000; i++) kept.push({ i, text: [i] });
      if (kept.length > 100_000) kept = [];
      await new Promise(setImmediate);
    }
    console.log(youngGenerationBytes());
  `;
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }));
}

describe('the young generation', () => {
  it('stays small when it is bounded, and does not otherwise', () => {
    expect(afterLoad(true)).toBeLessThanOrEqual(16 * MiB);
    expect(afterLoad(false)).toBeGreaterThan(16 * MiB);
  });
});
