import type { FolderReport } from './report.ts';

const triesMax = 5;

/**
 * Inspects a folder that a server writes to meanwhile. What is found is then of different moments and can look like damage,
 * so only damage that two runs find in the same place counts: what is damaged stays so.
 *
 * @param inspect   one run, with a fresh state machine
 */
export async function inspectRunning(inspect: () => Promise<FolderReport>): Promise<FolderReport> {
  const first = await withRetries(inspect);
  if (first.damage.length === 0) return first;
  const second = await withRetries(inspect);
  const known = new Set(first.damage.map((each) => JSON.stringify(each)));
  const damage = second.damage.filter((each) => known.has(JSON.stringify(each)));
  const lostRecords = damage
    .flatMap(({ lost }) => lost)
    .reduce((sum, { fromOffset, endOffset }) => sum + endOffset - fromOffset, 0);
  return { ...second, damage, totals: { ...second.totals, lostRecords } };
}

/** A file that is listed may be gone when it is opened. */
async function withRetries(inspect: () => Promise<FolderReport>): Promise<FolderReport> {
  for (let i = 1; ; i++) {
    try {
      return await inspect();
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT' || i === triesMax) throw error;
    }
  }
}
