import { diskErrorCode, type Disk, type DiskFile } from '../../kernel/disk.ts';
import type { CheckpointState } from '../checkpoint.ts';
import { crc32c } from '../crc32c.ts';
import {
  alignFrame,
  entryHeaderBytes,
  entryKind,
  frameAlignment,
  frameHeaderBytes,
  type FrameEntry,
  type FrameHeader,
} from '../frame.ts';
import { journalFolder } from '../journal.ts';
import { readBatchHeader } from '../record-batch.ts';
import { readUint64 } from '../uint64.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { JournalFileReport } from './report.ts';

const magic = 0x4d524a46;

export interface FoundFrame {
  readonly name: string;
  readonly header: FrameHeader;
}

export interface JournalScan {
  readonly files: readonly JournalFileReport[];
  /** Whole frames of the checkpoint's generation and later, as they lie in the files. */
  readonly frames: readonly FoundFrame[];
}

/** What lies in the journal files: whole frames only. */
export async function scanJournal(
  disk: Disk,
  checkpoint: CheckpointState,
  tools: { readonly reader: ChunkReader; readonly onBytes: (count: number) => void },
): Promise<JournalScan> {
  const files: JournalFileReport[] = [];
  const frames: FoundFrame[] = [];
  for (const name of await disk.list(journalFolder)) {
    if (!name.endsWith('.log')) continue;
    const path = `${journalFolder}/${name}`;
    await withFile(disk, path, async (file) => {
      tools.reader.use(file);
      const report = emptyReport(path, await file.size());
      await scanFile(report, checkpoint, { ...tools, onFrame: (frame) => frames.push(frame) });
      files.push(report);
    });
  }
  return { files, frames };
}

/** Opens a file for a while; nothing happens when it is gone, as it may be when a server runs. False then. */
export async function withFile(disk: Disk, path: string, use: (file: DiskFile) => Promise<void>): Promise<boolean> {
  let file: DiskFile;
  try {
    file = await disk.open(path, { create: false });
  } catch (error) {
    if (diskErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    await use(file);
  } finally {
    await file.close();
  }
  return true;
}

/** What the first bytes of a frame say, whether true or not. */
export function frameHeaderAt(bytes: Buffer): FrameHeader & { readonly hasMagic: boolean } {
  return {
    hasMagic: bytes.readUInt32BE(0) === magic,
    length: bytes.readUInt32BE(8),
    entryCount: bytes.readUInt32BE(12),
    generation: readUint64(bytes, 16),
    commit: readUint64(bytes, 24),
    position: readUint64(bytes, 32),
    durableUpTo: readUint64(bytes, 40),
    folderId: readUint64(bytes, 48),
  };
}

/** The whole frame at `position` of the file that `reader` is at; the view is good until its next call. */
export async function soundFrameAt(
  reader: ChunkReader,
  place: { readonly position: number; readonly fileBytes: number; readonly folderId: number },
): Promise<{ header: FrameHeader; bytes: Buffer } | undefined> {
  const head = await reader.read(place.position, frameHeaderBytes);
  if (head.length < frameHeaderBytes) return undefined;
  const { hasMagic, ...header } = frameHeaderAt(head);
  if (!hasMagic || header.position !== place.position || header.folderId !== place.folderId) return undefined;
  if (header.length < frameHeaderBytes || place.position + header.length > place.fileBytes) return undefined;
  const bytes = await reader.read(place.position, header.length);
  const isSound = bytes.length === header.length && crc32c(bytes.subarray(8)) === bytes.readUInt32BE(4);
  return isSound ? { header, bytes } : undefined;
}

/** The entries of a frame, as far as they fit into its bytes. */
export function* entriesOf(frame: Buffer, count: number): Generator<FrameEntry> {
  let at = frameHeaderBytes;
  for (let i = 0; i < count && at + entryHeaderBytes <= frame.length; i++) {
    const start = at + entryHeaderBytes;
    const end = start + frame.readUInt32BE(at + 4);
    if (end > frame.length) return;
    yield {
      kind: frame.readUInt32BE(at),
      group: frame.readUInt32BE(at + 8),
      shard: frame.readUInt32BE(at + 12),
      payload: frame.subarray(start, end),
    };
    at = end;
  }
}

async function scanFile(
  report: JournalFileReport,
  checkpoint: CheckpointState,
  tools: {
    readonly reader: ChunkReader;
    readonly onBytes: (count: number) => void;
    readonly onFrame: (f: FoundFrame) => void;
  },
): Promise<void> {
  const { folderId } = checkpoint;
  for (let position = 0; position + frameHeaderBytes <= report.bytes;) {
    const found = await soundFrameAt(tools.reader, { position, fileBytes: report.bytes, folderId });
    const step = found === undefined ? frameAlignment : alignFrame(found.header.length);
    if (found !== undefined) {
      const { header } = found;
      count(report, header, found.bytes);
      if (header.generation >= checkpoint.generation) {
        tools.onFrame({ name: report.name, header });
        if (header.commit > checkpoint.commit) report.isNeeded = true;
      }
    }
    position += step;
    tools.onBytes(step);
  }
}

/** Of a recycled file only the frames of its newest use count; older ones lie behind them. */
function count(report: JournalFileReport, header: FrameHeader, bytes: Buffer): void {
  if (header.generation < report.generation) return;
  if (header.generation > report.generation) {
    Object.assign(report, emptyReport(report.name, report.bytes), { isNeeded: report.isNeeded });
    report.generation = header.generation;
    report.firstCommit = header.commit;
  }
  report.frames++;
  report.lastCommit = header.commit;
  report.usedBytes = Math.min(report.bytes, header.position + alignFrame(header.length));
  if (header.entryCount === 0) report.markers++;
  for (const entry of entriesOf(bytes, header.entryCount)) {
    if (entry.kind === entryKind.command) report.commands++;
    else {
      report.batches++;
      report.records += readBatchHeader(entry.payload, 0)?.recordCount ?? 0;
    }
  }
}

function emptyReport(name: string, bytes: number): JournalFileReport {
  return {
    name,
    bytes,
    generation: 0,
    isNeeded: false,
    frames: 0,
    firstCommit: 0,
    lastCommit: 0,
    batches: 0,
    commands: 0,
    markers: 0,
    records: 0,
    usedBytes: 0,
  };
}
