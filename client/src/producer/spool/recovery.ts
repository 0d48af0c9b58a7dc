import type { Buffer } from 'node:buffer';
import { SpoolVersionError } from './errors.ts';
import {
  frameKind,
  framesOf,
  parseSegmentName,
  readSegmentHeader,
  segmentHeaderBytes,
  type Frame,
  type SegmentName,
} from './format.ts';
import { hasRecords, rangesOf, recordsOf } from './frame-reader.ts';
import type { SpoolDisk } from './ports.ts';
import { lastFrom, Segment } from './segment.ts';
import type { Recovered } from './options.ts';

/** What an earlier process left. */
export interface RecoveredSegments {
  readonly segments: readonly Segment[];
  readonly lastIndex: number;
  /** Above every number that anything on disk speaks of, so that a settled range never hits a record put later. */
  readonly nextNumber: number;
}

/**
 * Reads all segments, one at a time. Of a damaged one it keeps every frame that can be found. What is no frame at the end of the newest is the
 * write that a crash has interrupted, and is cut off.
 *
 * @param onDamage   told of every gap
 * @throws SpoolVersionError   before anything is changed
 */
export async function recoverSegments(disk: SpoolDisk, onDamage: (text: string) => void): Promise<RecoveredSegments> {
  const names = (await disk.list())
    .map(parseSegmentName)
    .filter((each) => each !== undefined)
    .sort((a, b) => a.index - b.index);
  const recovery = new Recovery(disk, onDamage);
  for (const name of names) await recovery.read(name, { isNewest: name === names.at(-1) });
  return { segments: recovery.segments, lastIndex: names.at(-1)?.index ?? 0, nextNumber: recovery.nextNumber };
}

/** The records in the bytes of a segment that are not settled at the moment when they are asked for. */
export function* unsettledOf(segment: Segment, bytes: Buffer): Generator<Recovered> {
  for (const frame of framesOf(bytes, segment.salt)) {
    if (!frame.isSound || frame.kind !== frameKind.records || !isWithin(frame, segment)) continue;
    for (const each of recordsOf(frame)) if (!segment.isSettled(each.number)) yield each;
  }
}

/** A frame that was found at the open is within; one that was refused then may be not. */
function isWithin({ first, count }: Frame, segment: Segment): boolean {
  return first >= segment.first && first + count <= segment.end;
}

class Recovery {
  readonly segments: Segment[] = [];
  nextNumber = 0;
  readonly #disk: SpoolDisk;
  readonly #onDamage: (text: string) => void;
  /** Above the numbers of all records. */
  #recordsEnd = 0;

  constructor(disk: SpoolDisk, onDamage: (text: string) => void) {
    this.#disk = disk;
    this.#onDamage = onDamage;
  }

  async read(name: SegmentName, { isNewest }: { isNewest: boolean }): Promise<void> {
    const bytes = await this.#disk.read(name.name);
    const head = readSegmentHeader(bytes);
    if (head === undefined && bytes.length > 0) this.#onDamage(`${name.name}: the header is damaged`);
    if (head !== undefined && 'version' in head) throw new SpoolVersionError(name.name, head.version);
    if (isNewest && bytes.length <= segmentHeaderBytes && head === undefined) return this.#disk.remove(name.name);
    if (head !== undefined) this.nextNumber = Math.max(this.nextNumber, head.next);
    const segment = new Segment(name, { bytes: bytes.length, first: Math.max(this.#recordsEnd, head?.next ?? 0) });
    this.segments.push(segment);
    for (const frame of framesOf(bytes, name.salt)) {
      if (frame.isSound && this.#apply(frame, segment)) continue;
      if (isNewest && frame.to === bytes.length) await this.#cut(segment, frame.from);
      else this.#onDamage(`${name.name}: bytes ${frame.from} to ${frame.to - 1} are damaged; what they held is lost`);
    }
  }

  async #cut(segment: Segment, bytes: number): Promise<void> {
    this.#onDamage(`${segment.name}: an unfinished write of ${segment.bytes - bytes} bytes at the end was cut off`);
    await this.#disk.cut(segment.name, bytes);
    segment.bytes = bytes;
  }

  /** False when the frame is not what its checksum says. */
  #apply(frame: Frame, segment: Segment): boolean {
    if (frame.kind === frameKind.records) return this.#applyRecords(frame, segment);
    return frame.kind === frameKind.settled && this.#applySettled(frame, segment);
  }

  #applyRecords(frame: Frame, segment: Segment): boolean {
    const { first, count } = frame;
    if (first < this.#recordsEnd || !hasRecords(frame)) return false;
    // Between two frames of a segment, no more numbers can be lost than it has bytes.
    if (segment.end > segment.first && first - segment.end > segment.bytes) return false;
    segment.extend(first, count);
    this.#recordsEnd = segment.end;
    this.nextNumber = Math.max(this.nextNumber, segment.end);
    return true;
  }

  #applySettled(frame: Frame, holder: Segment): boolean {
    const ranges = rangesOf(frame);
    if (ranges === undefined) return false;
    const settled = new Set<Segment>();
    for (const { start, end } of ranges) {
      this.nextNumber = Math.max(this.nextNumber, end);
      for (let i = Math.max(0, lastFrom(this.segments, start)); i < this.segments.length; i++) {
        const segment = this.segments[i] as Segment;
        const from = Math.max(start, segment.first);
        const to = Math.min(end, segment.end);
        for (let number = from; number < to; number++) segment.settle(number);
        if (from < to && segment !== holder) settled.add(segment);
        if (segment.end >= end) break;
      }
    }
    // There is only one, unless something is damaged.
    for (const segment of settled) holder.hold(segment, frame.to - frame.from);
    return true;
  }
}
