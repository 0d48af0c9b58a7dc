import type { Disk } from '../../kernel/disk.ts';
import { MillraceError } from '../../kernel/errors.ts';
import { decodeCheckpoint, type CheckpointFile, type CheckpointState } from '../checkpoint.ts';
import type { StateMachine } from '../engine.ts';
import { DataFolderError } from '../errors.ts';
import { journalFolder } from '../journal.ts';
import { segmentFolder } from '../segments.ts';
import { ChunkReader } from './chunk-reader.ts';
import { checkJournal, type JournalOutcome } from './journal-check.ts';
import { JournalReplay } from './journal-replay.ts';
import { scanJournal, withFile, type JournalScan } from './journal-scan.ts';
import { ReplayModel } from './replay-model.ts';
import { DamageList, type CheckpointReport, type FolderReport, type GroupReport } from './report.ts';
import { GroupCheck } from './segment-check.ts';

export interface InspectOptions {
  /** Only read from. */
  readonly disk: Disk;
  /** A fresh state machine; stands where the journal leaves it when the report is there. */
  readonly machine: StateMachine;
  /** Whether every byte of the segments is verified; otherwise their headers are read. */
  readonly isThorough: boolean;
  /** Called now and then with the bytes that are done and all there are. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** The checkpoint is gone or damaged in every copy: no server can open the folder, and nothing else in it can be judged. */
export class FolderDamagedError extends MillraceError {
  constructor(message: string) {
    super('MR_FOLDER_DAMAGED', message);
  }
}

const checkpointPath = 'checkpoint';
const MiB = 1024 * 1024;

/**
 * Reads a data folder as a start would, writes nothing, and says what is in it and what is damaged. Memory is bounded by the largest
 * frame or block. When a server writes meanwhile, what is found may be of different moments.
 *
 * @throws FolderDamagedError
 * @throws DataFolderError   no Millrace data folder, or one of a newer version
 */
export async function inspectFolder(options: InspectOptions): Promise<FolderReport> {
  const { disk, machine, isThorough } = options;
  const damage = new DamageList();
  const { state, report: checkpoint } = await readCheckpoint(disk, damage);
  machine.restore(state.snapshot);
  const onBytes = await progress(options, state);
  const reader = new ChunkReader(MiB);
  const scan = await scanJournal(disk, state, { reader, onBytes });
  const model = new ReplayModel(state);
  const replay = new JournalReplay(state, model, machine, damage);
  const outcome = await checkJournal(disk, scan, { replay, damage, reader });
  const groups: GroupReport[] = [];
  // For headers alone a small window: blocks are large.
  const blocks = new ChunkReader(isThorough ? MiB : 4096);
  for (const group of model.groups.values()) {
    const tools = { disk, folderId: state.folderId, damage, reader: blocks, isThorough, onBytes };
    const segments = await new GroupCheck(group, tools).run();
    const shards = [...group.shards].map(([shard, { firstOffset, end, isClosed, journalRecords }]) => ({
      shard,
      firstOffset: firstOffset ?? end,
      endOffset: end,
      isClosed,
      journalRecords,
    }));
    groups.push({ group: group.state.id, trimMs: group.trimMs, shards, segments });
  }
  const folderId = state.folderId.toString(16).padStart(12, '0');
  const otherFiles = await listOthers(disk);
  return { folderId, checkpoint, ...summary({ scan, outcome, groups, damage }), groups, otherFiles };
}

async function readCheckpoint(
  disk: Disk,
  damage: DamageList,
): Promise<{ state: CheckpointState; report: CheckpointReport }> {
  const bytes = await disk.readFile(checkpointPath);
  if (bytes === undefined) throw await withoutCheckpoint(disk);
  const { version, copies }: CheckpointFile = decodeCheckpoint(bytes);
  const state = copies.find((copy) => copy.state !== undefined)?.state;
  if (state === undefined) {
    throw new FolderDamagedError('"checkpoint" is damaged in every copy: restore it from a backup');
  }
  for (const { position, state: own } of copies) {
    if (own !== undefined) continue;
    const sentence = 'a copy of the checkpoint is damaged; the other one is whole';
    damage.add({ kind: 'checkpoint', file: checkpointPath, position, sentence });
  }
  const report = {
    version,
    bytes: bytes.length,
    copies: copies.map(({ position, state: own }) => ({ position, isSound: own !== undefined })),
    commit: state.commit,
    generation: state.generation,
  };
  return { state, report };
}

/** Why there is nothing to read. */
async function withoutCheckpoint(disk: Disk): Promise<MillraceError> {
  for (const folder of [journalFolder, segmentFolder]) {
    if ((await disk.list(folder)).length > 0) {
      return new FolderDamagedError(`there are files in "${folder}" and no "checkpoint": restore it from a backup`);
    }
  }
  return new DataFolderError('this is no Millrace data folder: it has no "checkpoint"');
}

async function progress(options: InspectOptions, state: CheckpointState): Promise<(count: number) => void> {
  const { disk, onProgress } = options;
  if (onProgress === undefined) return () => undefined;
  let total = state.groups.flatMap(({ segments }) => segments).reduce((sum, { length }) => sum + length, 0);
  for (const name of await disk.list(journalFolder)) {
    await withFile(disk, `${journalFolder}/${name}`, async (file) => {
      if (name.endsWith('.log')) total += await file.size();
    });
  }
  let done = 0;
  return (count) => {
    done += count;
    onProgress(Math.min(done, total), total);
  };
}

function summary(found: {
  scan: JournalScan;
  outcome: JournalOutcome;
  groups: readonly GroupReport[];
  damage: DamageList;
}): Pick<FolderReport, 'journal' | 'damage' | 'damageLeftOut' | 'totals'> {
  const { scan, outcome, groups, damage } = found;
  const shards = groups.flatMap((group) => group.shards);
  const segments = groups.flatMap((group) => group.segments);
  const sum = (counts: readonly number[]): number => counts.reduce((total, each) => total + each, 0);
  return {
    journal: { files: scan.files, ...outcome },
    damage: damage.list,
    damageLeftOut: damage.leftOut,
    totals: {
      shards: shards.length,
      segments: segments.length,
      blocks: sum(segments.map(({ blocks }) => blocks)),
      records: sum(segments.map(({ records }) => records)) + sum(shards.map(({ journalRecords }) => journalRecords)),
      segmentBytes: sum(segments.map(({ bytes }) => bytes ?? 0)),
      journalBytes: sum(scan.files.map(({ bytes }) => bytes)),
      lostRecords: sum(damage.list.flatMap(({ lost }) => lost).map((each) => each.endOffset - each.fromOffset)),
    },
  };
}

async function listOthers(disk: Disk): Promise<Array<{ name: string; bytes: number }>> {
  const others: Array<{ name: string; bytes: number }> = [];
  const names = (await disk.list('.')).filter((name) => ![checkpointPath, journalFolder, segmentFolder].includes(name));
  const journal = (await disk.list(journalFolder)).filter((name) => !name.endsWith('.log'));
  for (const name of [...names, ...journal.map((each) => `${journalFolder}/${each}`)]) {
    // A folder is no file of ours.
    await withFile(disk, name, async (file) => {
      others.push({ name, bytes: await file.size() });
    }).catch(() => false);
  }
  return others;
}
