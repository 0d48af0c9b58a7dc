import type { JournalFileReport, SegmentReport } from '../log/index.ts';
import { damageLines, tornLines } from './check.ts';
import { bytesText, countText, dataFolderOf, named, readFolder, timeText, type ReadFolder } from './data-folder.ts';
import { columns } from './help.ts';
import { parseCommand } from './usage.ts';

const help = (): string => `millrace inspect: show what is in a data folder

${columns([
  ['--data-dir FOLDER', 'the folder (default as for serve: ./.millrace)'],
  ['--json', 'one JSON object'],
])}
Reads only, also while a server runs on the folder. millrace check verifies every byte.
`;

/** `millrace inspect`. */
export async function inspect(args: string[]): Promise<void> {
  const parsed = parseCommand(args, { 'data-dir': { type: 'string' }, json: { type: 'boolean' } }, help, 0);
  if (parsed === undefined) return;
  const path = dataFolderOf(parsed.values);
  let folder: ReadFolder;
  try {
    folder = await readFolder(path, { isThorough: false });
  } catch (error) {
    process.stderr.write(`millrace: ${path}: ${(error as Error).message}\n`);
    process.exitCode = 1;
    return;
  }
  process.stdout.write(parsed.values['json'] === true ? `${JSON.stringify(jsonOf(folder))}\n` : textOf(folder));
}

interface StreamRow {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly incarnation: number;
  readonly shardCount: number;
  readonly openShardCount: number;
  readonly retentionHours: number;
}

function streamRows({ streams }: ReadFolder): StreamRow[] {
  return [...streams.all()].map(({ record }) => ({
    stream: record.name,
    account: record.account,
    region: record.region,
    incarnation: record.incarnation,
    shardCount: record.shards.length,
    openShardCount: record.shards.filter((each) => each.closed === undefined).length,
    retentionHours: record.retentionHours,
  }));
}

function jsonOf(folder: ReadFolder): unknown {
  const { path, isServerRunning, report, streams } = folder;
  const { checkpoint, ...rest } = report;
  return {
    path,
    formatVersion: checkpoint.version,
    isServerRunning: isServerRunning ?? null,
    checkpoint,
    ...rest,
    streams: streamRows(folder),
    damage: report.damage.map(({ lost, position, ...each }) => ({
      ...each,
      position: position ?? null,
      lost: lost.map((range) => named(range, streams)),
    })),
  };
}

function textOf(folder: ReadFolder): string {
  const { report } = folder;
  const { tornTail } = report.journal;
  const parts = [head(folder), 'Streams\n' + table(streamTable(folder)), 'Journal\n' + table(journalTable(folder))];
  parts.push('Segments\n' + table(segmentTable(folder)), 'Shards\n' + table(shardTable(folder)));
  if (report.otherFiles.length > 0) {
    const rows = report.otherFiles.map(({ name, bytes }) => [name, bytesText(bytes)]);
    parts.push('Other files\n' + table([['file', '#size'], ...rows]));
  }
  const ends = report.damage.flatMap((each) => damageLines(each, folder));
  if (tornTail !== undefined) ends.push(...tornLines(tornTail, folder));
  if (ends.length === 0) ends.push('no damage was met on the way; millrace check looks at every byte');
  return `${parts.join('\n')}\n${ends.join('\n')}\n`;
}

function head({ path, isServerRunning, report }: ReadFolder): string {
  const { checkpoint, totals, journal } = report;
  const copies = checkpoint.copies.map(({ position, isSound }) => `at ${position} ${isSound ? 'sound' : 'damaged'}`);
  const running = { true: 'a server is running on this folder', false: 'none', undefined: 'cannot be told' };
  return columns([
    ['folder', path],
    ['server', running[String(isServerRunning) as keyof typeof running]],
    ['format', String(checkpoint.version)],
    ['folder id', report.folderId],
    ['checkpoint', `commit ${checkpoint.commit}, generation ${checkpoint.generation}, ${bytesText(checkpoint.bytes)}`],
    ['copies', copies.join(' · ')],
    ['newest commit', String(journal.commit)],
    ['records', `${countText(totals.records)} in ${totals.shards} shards`],
    ['segments', `${totals.segments}, ${countText(totals.blocks)} blocks, ${bytesText(totals.segmentBytes)}`],
    ['journal', bytesText(totals.journalBytes)],
  ]);
}

function streamTable(folder: ReadFolder): string[][] {
  const head = ['number', 'account', 'region', 'name', '#shards', '#retention'];
  return [
    head,
    ...streamRows(folder).map((each) => [
      String(each.incarnation),
      each.account,
      each.region,
      each.stream,
      each.shardCount === each.openShardCount
        ? String(each.shardCount)
        : `${each.openShardCount} of ${each.shardCount}`,
      `${each.retentionHours} h`,
    ]),
  ];
}

function journalTable({ report }: ReadFolder): string[][] {
  const head = [
    'file',
    '#size',
    '#generation',
    '#frames',
    'commits',
    '#batches',
    '#commands',
    '#marks',
    '#used',
    'state',
  ];
  const row = (each: JournalFileReport): string[] => [
    each.name,
    bytesText(each.bytes),
    String(each.generation),
    countText(each.frames),
    each.frames === 0 ? '-' : `${each.firstCommit}-${each.lastCommit}`,
    countText(each.batches),
    countText(each.commands),
    countText(each.markers),
    bytesText(each.usedBytes),
    each.isNeeded ? 'needed' : each.generation >= report.checkpoint.generation ? 'in the checkpoint' : 'spare',
  ];
  return [head, ...report.journal.files.map(row)];
}

function segmentTable({ report }: ReadFolder): string[][] {
  const head = ['file', '#size', '#blocks', '#records', 'oldest', 'newest', 'index'];
  const row = (each: SegmentReport): string[] => [
    each.name,
    each.bytes === undefined ? 'missing' : bytesText(each.bytes),
    countText(each.blocks),
    countText(each.records),
    timeText(each.oldestMs),
    timeText(each.newestMs),
    each.index,
  ];
  return [head, ...report.groups.flatMap(({ segments }) => segments.map(row))];
}

function shardTable({ report, streams }: ReadFolder): string[][] {
  const rows = report.groups.flatMap(({ group, shards }) =>
    shards.map((each) => {
      const { stream, shardId } = named({ group, shard: each.shard, fromOffset: 0, endOffset: 0 }, streams);
      return [
        stream ?? `number ${group}`,
        shardId,
        countText(each.firstOffset),
        countText(each.endOffset),
        countText(each.journalRecords),
        each.isClosed ? 'closed' : 'open',
      ];
    }),
  );
  return [['stream', 'shard', '#first record', '#end', '#in the journal only', 'state'], ...rows];
}

/** Aligned columns; a head that begins with `#` is one of numbers. */
function table(rows: readonly string[][]): string {
  const [head = []] = rows;
  if (rows.length === 1) return '  none\n';
  const shown = [head.map((each) => each.replace('#', '')), ...rows.slice(1)];
  const widths = head.map((_, i) => Math.max(...shown.map((row) => (row[i] as string).length)));
  const cell = (text: string, i: number): string => {
    const width = widths[i] as number;
    return head[i]?.startsWith('#') === true ? text.padStart(width) : text.padEnd(width);
  };
  return shown.map((row) => `  ${row.map(cell).join('  ').trimEnd()}\n`).join('');
}
