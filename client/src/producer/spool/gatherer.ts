import { Batch } from './batch.ts';
import { frameKind, segmentHeaderBytes } from './format.ts';
import { FrameWriter } from './frame-writer.ts';
import type { SpooledRecord } from './options.ts';

/** A frame is no longer, unless by a single record. */
const frameBytesMax = 1024 * 1024;
const spareWritersMax = 4;

export interface GathererOptions {
  readonly nextNumber: number;
  readonly bytesMax: number;
  readonly segmentBytesMax: number;
}

/** Numbers records and gathers them in batches while a write is under way. */
export class Gatherer {
  readonly #bytesMax: number;
  readonly #frameBytesMax: number;
  readonly #spareWriters: FrameWriter[] = [];
  #nextNumber: number;
  #current: Batch | undefined;
  /** Batches to which nothing more is added. */
  #ended: Batch[] = [];
  #writing: readonly Batch[] = [];
  /** Of the batches that are ended, and not written. */
  #bytes = 0;

  constructor({ nextNumber, bytesMax, segmentBytesMax }: GathererOptions) {
    this.#nextNumber = nextNumber;
    this.#bytesMax = bytesMax;
    this.#frameBytesMax = Math.min(frameBytesMax, segmentBytesMax - segmentHeaderBytes);
  }

  /** The batch that the record, of which it takes a copy, is in now; undefined when there is no room for it. */
  add(record: SpooledRecord, diskBytes: number): Batch | undefined {
    const room = this.#room(diskBytes);
    if (record.data.length > room) return undefined;
    let batch = this.#current;
    if (batch === undefined || !batch.add(record, Math.min(room, this.#frameBytesMax))) {
      this.#end();
      batch = new Batch(this.takeWriter(), this.#nextNumber);
      if (!batch.add(record, this.#room(diskBytes))) {
        this.giveWriter(batch.frames);
        return undefined;
      }
      this.#current = batch;
    }
    this.#nextNumber++;
    return batch;
  }

  /** There is no room for it even when nothing else is kept. */
  isTooLong(record: SpooledRecord): boolean {
    if (record.data.length > this.#bytesMax) return true;
    const writer = this.takeWriter();
    writer.begin(frameKind.records, 0);
    writer.record(record);
    // There always is a segment, if one of which nothing is needed.
    const bytes = 2 * segmentHeaderBytes + writer.bytes;
    this.giveWriter(writer);
    return bytes > this.#bytesMax;
  }

  /** What is to be written, until {@link resolve} or {@link reject}. */
  take(): readonly Batch[] {
    this.#end();
    this.#writing = this.#ended;
    this.#ended = [];
    return this.#writing;
  }

  /** One of what was taken is on disk, and counted there. */
  wrote(batch: Batch): void {
    this.#bytes -= batch.bytes;
  }

  /** Tells those who wait for what was taken. */
  resolve(): void {
    const batches = this.#writing;
    this.#writing = [];
    for (const batch of batches) {
      batch.resolve();
      this.giveWriter(batch.frames);
    }
  }

  /** Tells all who wait. */
  reject(error: Error): void {
    this.#end();
    for (const batch of [...this.#writing, ...this.#ended]) batch.reject(error);
    this.#writing = [];
    this.#ended = [];
  }

  takeWriter(): FrameWriter {
    return this.#spareWriters.pop() ?? new FrameWriter();
  }

  giveWriter(frames: FrameWriter): void {
    frames.reset();
    if (this.#spareWriters.length < spareWritersMax) this.#spareWriters.push(frames);
  }

  #end(): void {
    const batch = this.#current;
    if (batch === undefined) return;
    this.#current = undefined;
    batch.bytes = batch.frames.bytes + segmentHeaderBytes;
    this.#bytes += batch.bytes;
    this.#ended.push(batch);
  }

  /** For the frames of a batch, which may need a new segment. */
  #room(diskBytes: number): number {
    return this.#bytesMax - diskBytes - this.#bytes - segmentHeaderBytes;
  }
}
