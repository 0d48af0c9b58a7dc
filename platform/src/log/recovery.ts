import type { Disk } from '../kernel/disk.ts';
import type { Logger } from '../kernel/logger.ts';
import type { CheckpointState } from './checkpoint.ts';
import {
  entryKind,
  frameAlignment,
  frameEntries,
  frameHeaderBytes,
  readFrame,
  alignFrame,
  type FrameHeader,
} from './frame.ts';
import { journalFolder } from './journal.ts';
import type { LogState } from './log-state.ts';
import { readBatchHeader } from './record-batch.ts';
import { readUint64 } from './uint64.ts';

interface FoundFrame {
  readonly file: Buffer;
  readonly name: string;
  readonly header: FrameHeader;
}

export interface Replay {
  /** Commits that were replayed. */
  readonly commits: number;
  /** Whether there are journal files at all. */
  readonly hasFiles: boolean;
  /** Names of the files in which damage was found. */
  readonly damagedFiles: readonly string[];
  /** Newest generation seen in any file. */
  readonly generation: number;
}

/**
 * Replays the journal behind a checkpoint into `state`.
 *
 * Commits are taken in their order without a gap. A commit that is missing although a later one says that it was synced is damage:
 * it is reported and the later ones are kept. One that was never known to be synced is a torn tail:
 * it ends the log, whatever lies behind it.
 *
 * @param afterCommit   called after each commit, so that memory stays bounded during a long replay
 */
export async function replayJournal(
  disk: Disk,
  checkpoint: CheckpointState,
  state: LogState,
  hooks: { logger: Logger; onDamage: (sentence: string) => void; afterCommit: () => Promise<void> },
): Promise<Replay> {
  const frames: FoundFrame[] = [];
  let generation = checkpoint.generation;
  const names = (await disk.list(journalFolder)).filter((each) => each.endsWith('.log'));
  for (const name of names) {
    for (const frame of await findFrames(disk, name, checkpoint)) {
      generation = Math.max(generation, frame.header.generation);
      if (frame.header.commit > checkpoint.commit) frames.push(frame);
    }
  }
  frames.sort((a, b) => a.header.commit - b.header.commit || b.header.generation - a.header.generation);
  const durableUpTo = frames.reduce((most, frame) => Math.max(most, frame.header.durableUpTo), checkpoint.commit);
  state.commit = checkpoint.commit;
  const damaged = new Set<string>();
  for (const frame of frames) {
    const { commit } = frame.header;
    if (commit <= state.commit) continue;
    if (commit > state.commit + 1) {
      if (commit - 1 > durableUpTo) {
        hooks.logger.warn(
          { commit },
          'the log ends at a commit that was never acknowledged; what lies behind it is left out',
        );
        break;
      }
      damaged.add(frame.name);
      hooks.onDamage(
        `${journalFolder}/${frame.name}: commits ${state.commit + 1} to ${commit - 1} before ${frame.header.position} are damaged`,
      );
    }
    replayFrame(frame, state);
    state.commit = commit;
    await hooks.afterCommit();
  }
  if (state.commit < durableUpTo) {
    hooks.onDamage(`${journalFolder}: commits ${state.commit + 1} to ${durableUpTo} were synced and are missing`);
  }
  const commits = state.commit - checkpoint.commit;
  return { commits, hasFiles: names.length > 0, damagedFiles: [...damaged], generation };
}

/** All whole frames of a file that belong to the checkpoint's generation or a later one. */
async function findFrames(disk: Disk, name: string, checkpoint: CheckpointState): Promise<FoundFrame[]> {
  if (await isOlder(disk, name, checkpoint)) return [];
  const file = (await disk.readFile(`${journalFolder}/${name}`)) as Buffer;
  const frames: FoundFrame[] = [];
  for (let position = 0; position + frameHeaderBytes <= file.length;) {
    const header = readFrame(file, position, checkpoint.folderId);
    if (header !== undefined && header.generation >= checkpoint.generation) {
      frames.push({ file, name, header });
      position += alignFrame(header.length);
    } else {
      // Torn, damaged, or of an earlier use of the file: frames behind it tell which.
      position += frameAlignment;
    }
  }
  return frames;
}

/** Whether a file was not written to since the checkpoint: its first frame is whole and of an earlier generation. */
async function isOlder(disk: Disk, name: string, checkpoint: CheckpointState): Promise<boolean> {
  const file = await disk.open(`${journalFolder}/${name}`, { create: false });
  try {
    const head = Buffer.alloc(frameHeaderBytes);
    if ((await file.read(head, 0)) < head.length) return true;
    const length = head.readUInt32BE(8);
    if (readUint64(head, 16) >= checkpoint.generation || length > (await file.size())) return false;
    const frame = Buffer.alloc(Math.max(length, frameHeaderBytes));
    await file.read(frame, 0);
    return readFrame(frame, 0, checkpoint.folderId) !== undefined;
  } finally {
    await file.close();
  }
}

function replayFrame(frame: FoundFrame, state: LogState): void {
  for (const entry of frameEntries(frame.file, frame.header)) {
    if (entry.kind === entryKind.command) {
      state.apply(entry.payload);
      continue;
    }
    const batch = readBatchHeader(entry.payload, 0);
    if (batch === undefined) throw new Error('a sound frame holds a batch that is none');
    const shard = state.shard(entry);
    // A copy, so that the tail does not hold on to the whole journal file.
    const outcome = state.publish(entry, { ...batch, bytes: Buffer.from(entry.payload) });
    if (shard === undefined || outcome !== undefined) continue;
    shard.assigned = shard.end;
    shard.lastTimeMs = Math.max(shard.lastTimeMs, batch.timeMs);
  }
}
