import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const bytesMax = 64 * 1024 * 1024;

/** Most memory of the young generation while objects are made and dropped, in a process of its own; it ends when that is above the bound. */
function peakBytes(isBounded: boolean, msMax: number): number {
  const program = `
    import { boundYoungGeneration, youngGenerationBytes } from ${JSON.stringify(new URL('young-generation.ts', import.meta.url).href)};
    if (${isBounded}) boundYoungGeneration();
    let kept = [];
    let peak = 0;
    for (const end = Date.now() + ${msMax}; Date.now() < end && peak <= ${bytesMax}; ) {
      for (let i = 0; i < 10_000; i++) kept.push({ i, text: [i] });
      if (kept.length > 300_000) kept = [];
      await new Promise(setImmediate);
      peak = Math.max(peak, youngGenerationBytes());
    }
    console.log(peak);
  `;
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }));
}

describe('the young generation', () => {
  it('stays within its bound, and would not otherwise', () => {
    expect(peakBytes(true, 1000)).toBeLessThanOrEqual(bytesMax);
    expect(peakBytes(false, 20_000)).toBeGreaterThan(bytesMax);
  }, 30_000);
});
