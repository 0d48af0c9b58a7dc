import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const MiB = 1024 * 1024;

/**
 * The most memory that the young generation had just after it was collected (what marking lets it take comes between collections),
 * while a process of its own makes and drops four million objects.
 */
function mostUnderLoad(isBounded: boolean): number {
  const program = `
    import v8 from 'node:v8';
    import { boundYoungGeneration, youngGenerationBytes } from ${JSON.stringify(new URL('young-generation.ts', import.meta.url).href)};
    if (${isBounded}) boundYoungGeneration();
    let kept = [];
    let usedBefore = 0;
    let most = 0;
    for (let turn = 0; turn < 400; turn++) {
      for (let i = 0; i < 10_000; i++) kept.push({ i, text: [i] });
      if (kept.length > 100_000) kept = [];
      await new Promise(setImmediate);
      const used = v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_used_size;
      if (used < usedBefore) most = Math.max(most, youngGenerationBytes());
      usedBefore = used;
    }
    console.log(most);
  `;
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }));
}

describe('the young generation', () => {
  it('stays small when it is bounded, and does not otherwise', () => {
    const bounded = mostUnderLoad(true);
    expect(bounded).toBeGreaterThan(0);
    expect(bounded).toBeLessThanOrEqual(16 * MiB);
    expect(mostUnderLoad(false)).toBeGreaterThan(16 * MiB);
  });
});
