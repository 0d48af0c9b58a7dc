import { systemClock } from '../kernel/clock.ts';
import { FolderDamagedError, type Damage, type TornTail } from '../log/index.ts';
import { bytesText, countText, dataFolderOf, named, rangeText, readFolder, type ReadFolder } from './data-folder.ts';
import { columns } from './help.ts';
import { parseCommand, UsageError } from './usage.ts';

const help = (): string => `millrace check: verify every checksum of a data folder, and say what is lost

${columns([
  ['--data-dir FOLDER', 'the folder (default as for serve: ./.millrace)'],
  ['--json', 'one JSON object'],
])}
Reads only. While a server runs on the folder, damage counts that two runs in a row find.
Ends with 0 when the folder is sound, 1 when there is damage, 2 when it cannot be checked.
`;

/** `millrace check`. */
export async function check(args: string[]): Promise<void> {
  const parsed = parseCommand(args, { 'data-dir': { type: 'string' }, json: { type: 'boolean' } }, help, 0);
  if (parsed === undefined) return;
  const path = dataFolderOf(parsed.values);
  const isJson = parsed.values['json'] === true;
  const progress = new Progress();
  try {
    const folder = await readFolder(path, {
      isThorough: true,
      onProgress: (done, total) => progress.show(done, total),
    });
    progress.clear();
    process.stdout.write(isJson ? `${JSON.stringify(jsonOf(folder))}\n` : textOf(folder));
    process.exitCode = folder.report.damage.length > 0 ? 1 : 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    progress.clear();
    const isDamage = error instanceof FolderDamagedError;
    const { message } = error as Error;
    if (isJson) {
      const verdict = isDamage ? 'damaged' : 'not-checked';
      process.stdout.write(`${JSON.stringify({ path, verdict, reason: message })}\n`);
    } else process.stderr.write(`millrace: ${path}: ${message}\n`);
    process.exitCode = isDamage ? 1 : 2;
  }
}

function jsonOf({ path, isServerRunning, report, streams }: ReadFolder): unknown {
  return {
    path,
    verdict: report.damage.length > 0 ? 'damaged' : 'sound',
    isServerRunning: isServerRunning ?? null,
    folderId: report.folderId,
    damage: report.damage.map(({ lost, position, ...rest }) => ({
      ...rest,
      position: position ?? null,
      lost: lost.map((each) => named(each, streams)),
    })),
    damageLeftOut: report.damageLeftOut,
    tornTail:
      report.journal.tornTail === undefined
        ? null
        : { ...report.journal.tornTail, records: report.journal.tornTail.records.map((each) => named(each, streams)) },
    totals: report.totals,
  };
}

function textOf(folder: ReadFolder): string {
  const { report, path, isServerRunning } = folder;
  const { totals, damage, damageLeftOut, journal } = report;
  const lines = [`${path}${isServerRunning === true ? ' (a server is running on it)' : ''}`];
  const journals = `${journal.files.length} journal files (${bytesText(totals.journalBytes)})`;
  const segments = `${totals.segments} segments (${bytesText(totals.segmentBytes)})`;
  lines.push(`checked ${segments}, ${journals}, ${countText(totals.records)} records in ${totals.shards} shards`, '');
  for (const each of damage) lines.push(...damageLines(each, folder), '');
  if (damageLeftOut > 0) lines.push(`and ${countText(damageLeftOut)} more damaged places`, '');
  if (journal.tornTail !== undefined) lines.push(...tornLines(journal.tornTail, folder), '');
  lines.push(verdict(folder));
  return `${lines.join('\n')}\n`;
}

function verdict({ report: { damage, damageLeftOut, totals } }: ReadFolder): string {
  if (damage.length === 0) return 'sound: nothing is damaged';
  const places = `${countText(damage.length + damageLeftOut)} damaged place${damage.length === 1 ? '' : 's'}`;
  const commands = damage.reduce((sum, each) => sum + each.lostCommands, 0);
  const isUnsure = damageLeftOut > 0 || damage.some((each) => each.mayHoldMore);
  if (totals.lostRecords === 0 && commands === 0 && !isUnsure) return `damaged: ${places}; nothing is lost`;
  const lost = [`${countText(totals.lostRecords)} records`];
  if (commands > 0) lost.push(`${countText(commands)} control commands`);
  return `damaged: ${places}; lost: ${lost.join(' and ')}${isUnsure ? ', perhaps more' : ''}`;
}

/** What is said of one damaged place; of use to `inspect`, too. */
export function damageLines(
  { file, position, sentence, lost, lostCommands, mayHoldMore }: Damage,
  { streams }: ReadFolder,
): string[] {
  const lines = [`damage: ${file}${position === undefined ? '' : ` at byte ${position}`}: ${sentence}`];
  for (const each of lost) lines.push(`  lost: ${rangeText(named(each, streams))}`);
  if (lostCommands > 0) lines.push(`  lost: ${lostCommands} control command${lostCommands === 1 ? '' : 's'}`);
  if (mayHoldMore) lines.push('  perhaps more is lost: not everything that was there can be made out');
  else if (lost.length === 0 && lostCommands === 0) lines.push('  nothing is lost');
  return lines;
}

export function tornLines(
  { file, position, commit, records, commitsBehind }: TornTail,
  { streams, isServerRunning }: ReadFolder,
): string[] {
  if (isServerRunning === true) return [`being written: ${file} at byte ${position}, commit ${commit}`];
  const lines = [
    `torn tail: ${file} at byte ${position}: commit ${commit} is not whole, and nothing shows that it was ever synced;`,
    '  the next start leaves it out. A crash in the middle of a write leaves this; it is no damage.',
  ];
  for (const each of records) lines.push(`  it held: ${rangeText(named(each, streams))}`);
  if (commitsBehind > 0) lines.push(`  ${commitsBehind} later commits, left out too`);
  return lines;
}

/** A line on the terminal, rewritten in place, when it takes longer than a second. */
class Progress {
  readonly #startedMs = systemClock.monotonic();
  #shownMs = 0;
  #isShown = false;

  show(done: number, total: number): void {
    if (!process.stderr.isTTY) return;
    const nowMs = systemClock.monotonic();
    if (nowMs - this.#startedMs < 1000 || nowMs - this.#shownMs < 200) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    process.stderr.write(`\rchecked ${bytesText(done)} of ${bytesText(total)}   `);
  }

  clear(): void {
    if (this.#isShown) process.stderr.write(`\r${' '.repeat(50)}\r`);
  }
}
