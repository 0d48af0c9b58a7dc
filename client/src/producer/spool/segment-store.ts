import { randomInt } from 'node:crypto';
import { segmentHeader, segmentHeaderBytes, segmentName } from './format.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { SpoolDisk } from './ports.ts';
import type { RecoveredSegments } from './recovery.ts';
import { SegmentFile, type SegmentFileOptions } from './segment-file.ts';
import { lastFrom, Segment } from './segment.ts';

export interface SegmentStoreOptions extends SegmentFileOptions {
  readonly segmentBytesMax: number;
}

interface Active {
  readonly segment: Segment;
  readonly file: SegmentFile;
}

/**
 * The segments: the active one, which is written, and older ones, which wait for their records to be settled. One call at a time, but for
 * {@link settle}, which may come at any moment.
 */
export class SegmentStore {
  readonly #disk: SpoolDisk;
  readonly #options: SegmentStoreOptions;
  /** By index, and so by number. */
  #segments: Segment[];
  #active: Active | undefined;
  #lastIndex: number;
  #nextNumber: number;
  #bytes: number;
  /** The one settled in last. */
  #hit: Segment | undefined;
  /** Those that have pending ranges. */
  readonly #pending = new Set<Segment>();

  constructor(disk: SpoolDisk, found: RecoveredSegments, options: SegmentStoreOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#segments = [...found.segments];
    this.#lastIndex = found.lastIndex;
    this.#nextNumber = found.nextNumber;
    this.#bytes = found.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** On disk. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Whether there may be a segment to be removed, now that this was settled. */
  settle(number: number): boolean {
    const segment = this.#find(number);
    if (segment === undefined || !segment.settle(number)) return false;
    if (!segment.hasPending) this.#pending.add(segment);
    segment.pend(number);
    return segment.unsettledCount === 0 && segment !== this.#active?.segment;
  }

  /** Writes frames, in a new segment when they would make the active one too long. `records` are those in them. */
  async write(frames: FrameWriter, records?: { readonly first: number; readonly count: number }): Promise<void> {
    let active = this.#active;
    if (active === undefined || this.#isTooLong(active.segment, frames)) active = await this.roll();
    const { segment, file } = active;
    const bytes = frames.seal({ position: segment.bytes, salt: segment.salt });
    await file.write(bytes, segment.bytes);
    segment.bytes += bytes.length;
    this.#bytes += bytes.length;
    if (records === undefined) return;
    segment.extend(records.first, records.count);
    this.#nextNumber = segment.end;
  }

  /** Puts the pending ranges behind what else is to be written. What it returns goes to {@link wroteSettled} when it is. */
  takeSettled(frames: FrameWriter): ReadonlyMap<Segment, number> {
    const taken = new Map<Segment, number>();
    for (const segment of this.#pending) {
      // One that is about to be removed needs no ranges.
      if (segment.isNeedless && segment !== this.#active?.segment) segment.dropPending();
      else taken.set(segment, segment.takePending(frames));
    }
    this.#pending.clear();
    return taken;
  }

  /** Settled ranges of these segments, so many bytes of each, stand in the active one. */
  wroteSettled(taken: ReadonlyMap<Segment, number>): void {
    const active = this.#active?.segment;
    for (const [segment, bytes] of taken) if (segment !== active) active?.hold(segment, bytes);
  }

  async sync(): Promise<void> {
    await this.#active?.file.sync();
  }

  /** Ends the active segment and makes a new one. */
  async roll(): Promise<Active> {
    const isSynced = this.#options.sync !== 'never';
    if (isSynced) await this.sync();
    await this.#active?.file.close();
    this.#active = undefined;
    const name = segmentName(this.#lastIndex + 1, randomInt(2 ** 32));
    const file = new SegmentFile(await this.#disk.create(name.name), this.#options);
    const segment = new Segment(name, { bytes: segmentHeaderBytes, first: this.#nextNumber });
    this.#active = { segment, file };
    await file.write(segmentHeader(name, this.#nextNumber), 0);
    if (isSynced) await this.#disk.sync();
    this.#lastIndex = name.index;
    this.#segments.push(segment);
    this.#bytes += segmentHeaderBytes;
    return this.#active;
  }

  /** Ends the active segment when there is nothing in it that has to be kept, so that it can be removed. */
  async rollSettled(): Promise<void> {
    const segment = this.#active?.segment;
    if (segment?.unsettledCount === 0 && segment.bytes > segmentHeaderBytes) await this.roll();
  }

  /** Removes the segments that are of no use any more, but for the newest; whether there were some. `frames` is empty. */
  async removeNeedless(frames: FrameWriter): Promise<boolean> {
    const newest = this.#newest;
    const needless = new Set(this.#segments.filter((each) => each.isNeedless && each !== newest));
    if (needless.size === 0) return false;
    // There is always one whose header tells which numbers have been used.
    if (newest === undefined) await this.roll();
    await this.#carry(needless, frames);
    await this.#remove(needless);
    return true;
  }

  /** Leaves one empty segment when everything is settled. */
  async shrink(): Promise<void> {
    if (this.#segments.length === 0 || this.#segments.some(({ unsettledCount }) => unsettledCount > 0)) return;
    if (this.#newest?.bytes !== segmentHeaderBytes) await this.roll();
    await this.#remove(new Set(this.#segments.filter((each) => each !== this.#newest)));
  }

  /** Does not sync. */
  async close(): Promise<void> {
    await this.#active?.file.close();
    this.#active = undefined;
  }

  /** The active segment; before there is one, the empty one that an earlier process left. */
  get #newest(): Segment | undefined {
    if (this.#active !== undefined) return this.#active.segment;
    const last = this.#segments.at(-1);
    return last?.bytes === segmentHeaderBytes && last.first === this.#nextNumber ? last : undefined;
  }

  /** Writes into the active segment the settled ranges that stand in what is to be removed, of segments that stay. */
  async #carry(removed: ReadonlySet<Segment>, frames: FrameWriter): Promise<void> {
    const taken = new Map<Segment, number>();
    for (const { holdsFor } of removed) {
      for (const segment of holdsFor) {
        if (removed.has(segment) || taken.has(segment)) continue;
        segment.pendAll();
        taken.set(segment, segment.takePending(frames));
        this.#pending.delete(segment);
      }
    }
    if (taken.size === 0) return;
    await this.write(frames);
    frames.reset();
    // They are written in full: what stands elsewhere is not needed any more.
    this.#letGoOf(taken.keys());
    this.wroteSettled(taken);
  }

  async #remove(segments: ReadonlySet<Segment>): Promise<void> {
    if (this.#options.sync !== 'never') await this.sync();
    for (const segment of segments) {
      await this.#disk.remove(segment.name);
      this.#bytes -= segment.bytes;
    }
    this.#segments = this.#segments.filter((each) => !segments.has(each));
    this.#letGoOf(segments);
  }

  #letGoOf(segments: Iterable<Segment>): void {
    for (const segment of segments) for (const each of this.#segments) each.letGoOf(segment);
  }

  #isTooLong({ bytes }: Segment, frames: FrameWriter): boolean {
    return bytes > segmentHeaderBytes && bytes + frames.bytes > this.#options.segmentBytesMax;
  }

  /** The segment that a number is in. */
  #find(number: number): Segment | undefined {
    if (!Number.isInteger(number)) return undefined;
    const hit = this.#hit;
    if (hit !== undefined && number >= hit.first && number < hit.end) return hit;
    const found = this.#segments[lastFrom(this.#segments, number)];
    if (found === undefined || number >= found.end) return undefined;
    this.#hit = found;
    return found;
  }
}
