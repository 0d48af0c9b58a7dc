import { assert } from '../kernel/assert.ts';
import type { Disk } from '../kernel/disk.ts';
import { isBlockSound, readBlockHeader, type BlockPlace, type BlockRef } from './block.ts';
import type { FileCache } from './file-cache.ts';
import { decodeIndex, encodeIndex, scanSegment, SegmentIndex } from './segment-index.ts';

export const segmentFolder = 'segments';

/** What the segments of all groups share. */
export interface SegmentContext {
  readonly disk: Disk;
  readonly files: FileCache;
  readonly indexes: IndexCache;
  /** A segment is finished when it has reached this length. */
  readonly segmentBytesMax: number;
  /** Random number of the data folder, in every block. */
  readonly folderId: number;
  /** Told once for each damaged place that is found. */
  readonly onDamage: (sentence: string) => void;
}

/** One segment file: `segments/<group>/<number>.seg`. */
export interface Segment {
  readonly number: number;
  length: number;
  /** Arrival time of the newest record in it. */
  lastTimeMs: number;
  index: Promise<SegmentIndex> | undefined;
}

export interface SegmentState {
  readonly number: number;
  readonly length: number;
  readonly lastTimeMs: number;
}

/** Bounds the memory of the indexes of finished segments; the oldest loaded goes first. */
export class IndexCache {
  readonly #blocksMax: number;
  readonly #loaded = new Map<Segment, number>();
  #blocks = 0;

  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  add(segment: Segment, blocks: number): void {
    this.remove(segment);
    this.#loaded.set(segment, blocks);
    this.#blocks += blocks;
    for (const oldest of this.#loaded.keys()) {
      if (this.#blocks <= this.#blocksMax || oldest === segment) return;
      this.remove(oldest);
      oldest.index = undefined;
    }
  }

  remove(segment: Segment): void {
    this.#blocks -= this.#loaded.get(segment) ?? 0;
    this.#loaded.delete(segment);
  }
}

/**
 * The segment files of one group, all its shards in them. One writer at a time (the flush); reads at any time.
 * The last segment is the active one; those before are finished and never change.
 */
export class GroupSegments {
  readonly group: number;
  readonly #context: SegmentContext;
  /** Replaced, never changed in place: readers hold on to it while they wait. */
  #segments: readonly Segment[];
  /** Segments that the checkpoint knows and the disk does not have. */
  #missing: readonly Segment[] = [];
  /** Segments with bytes that no sync has made durable. */
  readonly #unsynced = new Set<Segment>();
  #isFolderUnsynced = false;
  /** Not known after a start: a drop behind the checkpoint has removed the folder. */
  #isFolderMade = false;
  #nextNumber: number;

  constructor(
    context: SegmentContext,
    group: number,
    state: { segments: readonly SegmentState[]; nextNumber: number },
  ) {
    this.#context = context;
    this.group = group;
    this.#segments = state.segments.map((each) => ({ ...each, index: undefined }));
    this.#nextNumber = state.nextNumber;
  }

  state(): { segments: SegmentState[]; nextNumber: number } {
    return {
      segments: this.#segments.map(({ number, length, lastTimeMs }) => ({ number, length, lastTimeMs })),
      nextNumber: this.#nextNumber,
    };
  }

  /** Arrival time of the newest record in the oldest segment. */
  get oldestMs(): number | undefined {
    const oldest = this.#segments[0];
    return oldest === undefined || oldest.length === 0 ? undefined : oldest.lastTimeMs;
  }

  /** Where in the active segment the next blocks go, and which it is. */
  async place(): Promise<BlockPlace & { readonly position: number }> {
    const active = await this.#active();
    return { ...this.#placeOf(active), position: active.length };
  }

  /** Writes sealed blocks at {@link GroupSegments.place}. Readable when resolved, not durable before {@link GroupSegments.sync}. */
  async append(bytes: Buffer, refs: readonly BlockRef[]): Promise<void> {
    const active = this.#segments.at(-1);
    assert(active !== undefined, 'place() has made a segment');
    const index = await this.#index(active);
    await this.#context.files.with(this.#path(active), { create: true }, async (file) => {
      this.#unsynced.add(active);
      await file.write(bytes, active.length);
    });
    for (const ref of refs) {
      index.add(ref);
      active.lastTimeMs = Math.max(active.lastTimeMs, ref.lastTimeMs);
    }
    active.length += bytes.length;
  }

  /** Makes everything appended durable, the names of new files too. */
  async sync(): Promise<void> {
    for (const segment of this.#unsynced) {
      await this.#context.files.with(this.#path(segment), { create: false }, async (file) => {
        try {
          await file.sync();
        } catch (error) {
          // Whatever the disk gave as its reason, also a lack of room: what was written may be gone, so it is not tried again.
          throw new Error(`${this.#path(segment)} could not be synced: ${String(error)}`, { cause: error });
        }
      });
      this.#unsynced.delete(segment);
    }
    if (!this.#isFolderUnsynced) return;
    await this.#context.disk.syncFolder(this.#folder());
    await this.#context.disk.syncFolder(segmentFolder);
    this.#isFolderUnsynced = false;
  }

  /**
   * Cuts the active segment to its length and removes later ones: what a crash left beyond the checkpoint.
   * Segments that are gone are left out: mostly the group was trimmed or dropped behind the checkpoint, which replay is to tell.
   */
  async truncate(): Promise<void> {
    const { disk, files } = this.#context;
    const names = await disk.list(this.#folder());
    const isThere = new Set(names);
    this.#missing = this.#segments.filter((each) => each.length > 0 && !isThere.has(fileName(each.number)));
    this.#segments = this.#segments.filter((each) => !this.#missing.includes(each));
    const active = this.#segments.at(-1);
    const known = new Set(this.#segments.map((each) => fileName(each.number)));
    for (const each of this.#segments) if (each !== active) known.add(indexName(each.number));
    // The index of the active segment too: it was finished once, behind the checkpoint, and may be filled otherwise now.
    for (const name of names) if (!known.has(name)) await disk.remove(`${this.#folder()}/${name}`);
    if (active === undefined || !isThere.has(fileName(active.number))) return;
    await files.with(this.#path(active), { create: false }, async (file) => {
      if ((await file.size()) > active.length) await file.truncate(active.length);
    });
  }

  /** Reports segments that should be there and are not, or are too short; those whose records all arrived before `trimMs` need not be. */
  async checkComplete(trimMs: number): Promise<void> {
    for (const segment of this.#missing) {
      if (segment.lastTimeMs >= trimMs) this.#context.onDamage(`${this.#path(segment)}: the file is missing`);
    }
    const names = new Set(await this.#context.disk.list(this.#folder()));
    for (const segment of this.#segments) {
      const path = this.#path(segment);
      const size = names.has(fileName(segment.number))
        ? await this.#context.files.with(path, { create: false }, (file) => file.size())
        : 0;
      if (size < segment.length) {
        this.#context.onDamage(`${path}: ${segment.length - size} of ${segment.length} bytes are missing`);
      }
    }
  }

  /** The first block of the shard that ends behind `offset`. */
  async atOffset(shard: number, offset: number): Promise<{ segment: Segment; ref: BlockRef } | undefined> {
    const segments = this.#segments;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const index = await this.#index(segments[middle] as Segment);
      if ((index.ends.get(shard) ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    // A segment may have ended the shard's run before it without holding a block of it (damage): look on.
    for (let i = low; i < segments.length; i++) {
      const segment = segments[i] as Segment;
      const ref = (await this.#index(segment)).atOffset(shard, offset);
      if (ref !== undefined) return { segment, ref };
    }
    return undefined;
  }

  /** The first block of the shard whose last record arrived at or after `timeMs`. */
  async atTime(shard: number, timeMs: number): Promise<{ segment: Segment; ref: BlockRef } | undefined> {
    for (const segment of this.#segments) {
      if (segment.lastTimeMs < timeMs) continue;
      const ref = (await this.#index(segment)).atTime(shard, timeMs);
      if (ref !== undefined) return { segment, ref };
    }
    return undefined;
  }

  /** The bytes of a block, its header first; undefined when they are damaged (which is reported). */
  async readBlock(segment: Segment, ref: BlockRef): Promise<Buffer | undefined> {
    const bytes = Buffer.allocUnsafeSlow(ref.bytes);
    const path = this.#path(segment);
    const count = await this.#context.files.with(path, { create: false }, (file) => file.read(bytes, ref.position));
    const header = count === bytes.length ? readBlockHeader(bytes, ref.position, this.#placeOf(segment)) : undefined;
    if (header !== undefined && header.bytes === ref.bytes && isBlockSound(bytes)) return bytes;
    this.#context.onDamage(
      `${path}: the block at ${ref.position} (shard ${ref.shard}, records ${ref.baseOffset} to ${ref.endOffset - 1}) is damaged`,
    );
    return undefined;
  }

  /** Removes the segments whose records all arrived before `timeMs`. */
  async trim(timeMs: number): Promise<void> {
    while (this.#segments.length > 0) {
      const oldest = this.#segments[0] as Segment;
      if (oldest.lastTimeMs >= timeMs || oldest.length === 0) return;
      this.#segments = this.#segments.slice(1);
      this.#context.indexes.remove(oldest);
      this.#unsynced.delete(oldest);
      await this.#context.files.forget(this.#path(oldest));
      await this.#context.disk.remove(this.#path(oldest));
      await this.#context.disk.remove(this.#indexPath(oldest));
    }
  }

  /** Removes everything. */
  async drop(): Promise<void> {
    const segments = this.#segments;
    this.#segments = [];
    for (const segment of segments) {
      this.#context.indexes.remove(segment);
      await this.#context.files.forget(this.#path(segment));
    }
    this.#unsynced.clear();
    await this.#context.disk.removeFolder(this.#folder());
  }

  async #active(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.length < this.#context.segmentBytesMax) return last;
    const index = new SegmentIndex(last === undefined ? new Map() : (await this.#index(last)).ends);
    if (last !== undefined) await this.#finish(last);
    if (!this.#isFolderMade) await this.#context.disk.makeFolder(this.#folder());
    this.#isFolderMade = true;
    this.#isFolderUnsynced = true;
    const next: Segment = { number: this.#nextNumber++, length: 0, lastTimeMs: 0, index: Promise.resolve(index) };
    this.#segments = [...this.#segments, next];
    return next;
  }

  async #finish(segment: Segment): Promise<void> {
    const index = await this.#index(segment);
    await this.#context.files.with(this.#indexPath(segment), { create: true }, async (file) => {
      await file.truncate(0);
      await file.write(encodeIndex(index), 0);
      await file.sync();
    });
    await this.#context.files.forget(this.#indexPath(segment));
    this.#context.indexes.add(segment, index.blockCount + index.ends.size);
  }

  #index(segment: Segment): Promise<SegmentIndex> {
    segment.index ??= this.#load(segment).catch((error: unknown) => {
      segment.index = undefined;
      throw error;
    });
    return segment.index;
  }

  async #load(segment: Segment): Promise<SegmentIndex> {
    const isActive = segment === this.#segments.at(-1);
    const stored = isActive ? undefined : await this.#context.disk.readFile(this.#indexPath(segment));
    const sound = stored && decodeIndex(stored);
    if (stored !== undefined && sound === undefined) {
      this.#context.onDamage(`${this.#indexPath(segment)}: damaged; nothing is lost, it is made from the segment`);
    }
    const index = sound ?? (await this.#scan(segment));
    if (!isActive) this.#context.indexes.add(segment, index.blockCount + index.ends.size);
    return index;
  }

  async #scan(segment: Segment): Promise<SegmentIndex> {
    const before = this.#segments[this.#segments.indexOf(segment) - 1];
    const endsBefore = before === undefined ? new Map<number, number>() : (await this.#index(before)).ends;
    const path = this.#path(segment);
    const place = { ...this.#placeOf(segment), endsBefore };
    return this.#context.files.with(path, { create: segment.length === 0 }, (file) =>
      scanSegment(file, segment.length, place, (position) => {
        this.#context.onDamage(`${path}: no block can be made out at ${position}`);
      }),
    );
  }

  #placeOf(segment: Segment): BlockPlace {
    return { group: this.group, segment: segment.number, folderId: this.#context.folderId };
  }

  #folder(): string {
    return `${segmentFolder}/${this.group}`;
  }

  #path(segment: Segment): string {
    return `${this.#folder()}/${fileName(segment.number)}`;
  }

  #indexPath(segment: Segment): string {
    return `${this.#folder()}/${indexName(segment.number)}`;
  }
}

function indexName(number: number): string {
  return `${String(number).padStart(8, '0')}.idx`;
}

function fileName(number: number): string {
  return `${String(number).padStart(8, '0')}.seg`;
}
