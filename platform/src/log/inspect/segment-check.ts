import type { Disk } from '../../kernel/disk.ts';
import { blockHeaderBytes, type BlockRef } from '../block.ts';
import { segmentFolder, type SegmentState } from '../segments.ts';
import { batchFaults } from './batches.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { IndexComparison, readIndex, type StoredIndex } from './index-check.ts';
import { addLost } from './journal-replay.ts';
import { withFile } from './journal-scan.ts';
import type { GroupModel } from './replay-model.ts';
import type { Damage, DamageList, SegmentReport } from './report.ts';
import { walkSegment, type SegmentPart } from './segment-walk.ts';

export interface SegmentTools {
  readonly disk: Disk;
  readonly folderId: number;
  readonly damage: DamageList;
  readonly reader: ChunkReader;
  readonly isThorough: boolean;
  readonly onBytes: (count: number) => void;
}

/** A damaged place of which it is not known what it held. */
interface UnknownPlace {
  readonly damage: Damage;
  /** Its order among all that was met in the group. */
  readonly order: number;
  readonly isExpired: boolean;
}

/**
 * Walks the segments of a group. The offsets of each shard must follow on one another up to where the checkpoint says that it ends:
 * so it is known exactly which are lost, whatever was damaged.
 */
export class GroupCheck {
  readonly #tools: SegmentTools;
  readonly #model: GroupModel;
  /** Next offset of each shard; without an entry it is not known, because what came before has been trimmed. */
  readonly #next = new Map<number, number>();
  /** When each shard was met last. */
  readonly #metAt = new Map<number, number>();
  readonly #unknown: UnknownPlace[] = [];
  #order = 0;
  #isDamaged = false;

  constructor(model: GroupModel, tools: SegmentTools) {
    this.#model = model;
    this.#tools = tools;
  }

  async run(): Promise<SegmentReport[]> {
    const { segments, shards, id } = this.#model.state;
    const reports: SegmentReport[] = [];
    // Segments are numbered from 1 and removed from the oldest on.
    if ((segments[0]?.number ?? this.#model.state.nextNumber) === 1)
      for (const [shard] of shards) this.#next.set(shard, 0);
    for (const [i, segment] of segments.entries()) {
      const report = await this.#segment(segment, i === segments.length - 1);
      if (report !== undefined) reports.push(report);
    }
    for (const [shard, end] of shards) {
      const next = this.#next.get(shard);
      if (next !== undefined && next < end) this.#missing(shard, next, end, `${segmentFolder}/${id}`);
      else if (next === undefined) for (const { damage } of this.#unknown) damage.mayHoldMore = true;
    }
    return reports;
  }

  async #segment(segment: SegmentState, isActive: boolean): Promise<SegmentReport | undefined> {
    const { disk, damage, onBytes, reader } = this.#tools;
    const base = `${segmentFolder}/${this.#model.state.id}/${String(segment.number).padStart(8, '0')}`;
    const isExpired = segment.length > 0 && segment.lastTimeMs < this.#model.trimMs;
    let report = newReport(`${base}.seg`, segment.length, undefined);
    const isThere = await withFile(disk, report.name, async (file) => {
      report = newReport(report.name, segment.length, await file.size());
      const stored = isActive ? undefined : await this.#index(`${base}.idx`, report);
      reader.use(file);
      await this.#walk(report, segment, stored);
    });
    onBytes(segment.length);
    if (isThere || segment.length === 0) return report;
    if (isExpired) {
      // Trimmed since the checkpoint: its shards begin later now.
      this.#next.clear();
      return undefined;
    }
    this.#isDamaged = true;
    const sentence = 'the file is missing';
    this.#addUnknown(damage.add({ kind: 'segment', file: report.name, position: undefined, sentence }), isExpired);
    return report;
  }

  async #index(path: string, report: SegmentReport): Promise<StoredIndex> {
    const stored = await readIndex(this.#tools.disk, path, this.#tools.damage);
    report.index = stored.state;
    return stored;
  }

  async #walk(report: SegmentReport, segment: SegmentState, stored: StoredIndex | undefined): Promise<void> {
    const { folderId, reader, isThorough, damage } = this.#tools;
    const place = { group: this.#model.state.id, segment: segment.number, folderId };
    const bounds = { length: segment.length, bytesThere: report.bytes ?? 0 };
    const comparison = stored === undefined ? undefined : new IndexComparison(stored, damage);
    const options = { known: stored?.blocks, isThorough };
    for await (const part of walkSegment(reader, bounds, place, options)) {
      this.#order++;
      if (part.kind === 'unknown') this.#unknownPart(report, segment, part);
      else {
        comparison?.block(part.ref);
        this.#block(report, part);
      }
    }
    if (this.#isDamaged) return;
    comparison?.end(this.#next);
    // Where a shard begins that has no block in the oldest segment.
    for (const [shard, end] of stored?.index?.ends ?? []) if (!this.#next.has(shard)) this.#next.set(shard, end);
  }

  #unknownPart(
    report: SegmentReport,
    { lastTimeMs }: SegmentState,
    { position, end }: Extract<SegmentPart, { kind: 'unknown' }>,
  ): void {
    this.#isDamaged = true;
    const isCut = position >= (report.bytes ?? 0);
    const sentence = isCut
      ? `the file is cut short: ${end - position} of ${report.usedBytes} bytes are missing`
      : `no block can be made out in ${end - position} bytes`;
    const damage = this.#tools.damage.add({ kind: isCut ? 'segment' : 'block', file: report.name, position, sentence });
    this.#addUnknown(damage, lastTimeMs < this.#model.trimMs);
  }

  #addUnknown(damage: Damage, isExpired: boolean): void {
    this.#unknown.push({ damage, order: this.#order, isExpired });
    const areAllKnown = this.#model.state.shards.every(([shard]) => this.#next.has(shard));
    if (!areAllKnown && !isExpired) damage.mayHoldMore = true;
  }

  #block(report: SegmentReport, part: Exclude<SegmentPart, { kind: 'unknown' }>): void {
    const { ref } = part;
    const { shard, baseOffset, endOffset } = ref;
    const place = { file: report.name, position: ref.position };
    const range = { group: this.#model.state.id, shard, fromOffset: baseOffset, endOffset };
    const next = this.#next.get(shard) ?? baseOffset;
    if (baseOffset > next) this.#missing(shard, next, baseOffset, report.name);
    if (baseOffset < next) {
      const sentence = `the block begins at record ${baseOffset} of shard ${shard}, which goes on at ${next}`;
      this.#tools.damage.add({ kind: 'offsets', ...place, sentence });
    }
    this.#next.set(shard, endOffset);
    this.#metAt.set(shard, this.#order);
    if (part.kind === 'damaged') {
      this.#isDamaged = true;
      const isExpired = ref.lastTimeMs < this.#model.trimMs;
      const sentence = `the block of shard ${shard} is damaged${isExpired ? '; its records are past their retention' : ''}`;
      this.#tools.damage.add({ kind: 'block', ...place, sentence, lost: isExpired ? [] : [range] });
      return;
    }
    count(report, ref);
    const log = this.#model.shards.get(shard);
    if (log !== undefined) log.firstOffset = Math.min(log.firstOffset ?? baseOffset, baseOffset);
    if (part.bytes !== undefined) this.#batches(report.name, ref, part.bytes);
  }

  #batches(file: string, ref: BlockRef, bytes: Buffer): void {
    const run = { at: blockHeaderBytes, fromOffset: ref.baseOffset, endOffset: ref.endOffset };
    for (const { at, fromOffset, endOffset, reason } of batchFaults(bytes, run)) {
      const lost = [{ group: this.#model.state.id, shard: ref.shard, fromOffset, endOffset }];
      const position = ref.position + at;
      if (reason === 'damaged') {
        const sentence = 'a batch is damaged, although the block around it is whole';
        this.#tools.damage.add({ kind: 'batch', file, position, sentence, lost });
      } else {
        const sentence = 'records are in no batch here: they were lost before this block was written';
        this.#tools.damage.add({ kind: 'offsets', file, position, sentence, lost });
      }
    }
  }

  /** Offsets that no block holds: in an unknown place met since the shard's last block, if there is one. */
  #missing(shard: number, fromOffset: number, endOffset: number, file: string): void {
    const since = this.#metAt.get(shard) ?? 0;
    const places = this.#unknown.filter(({ order }) => order >= since);
    if (places.length > 0 && places.every(({ isExpired }) => isExpired)) return;
    const sentence = `records of shard ${shard} are in no block; no damaged place is known that held them`;
    const damage =
      places.find(({ isExpired }) => !isExpired)?.damage ??
      this.#tools.damage.add({ kind: 'offsets', file, position: undefined, sentence });
    addLost(damage, { group: this.#model.state.id, shard, fromOffset, endOffset });
  }
}

function count(report: SegmentReport, ref: BlockRef): void {
  report.blocks++;
  report.records += ref.endOffset - ref.baseOffset;
  report.oldestMs = Math.min(report.oldestMs ?? Infinity, ref.firstTimeMs);
  report.newestMs = Math.max(report.newestMs ?? 0, ref.lastTimeMs);
}

function newReport(name: string, usedBytes: number, bytes: number | undefined): SegmentReport {
  return {
    name,
    bytes,
    usedBytes,
    blocks: 0,
    records: 0,
    oldestMs: undefined,
    newestMs: undefined,
    index: 'not yet',
  };
}
