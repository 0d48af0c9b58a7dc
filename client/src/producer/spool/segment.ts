import type { FrameWriter } from './frame-writer.ts';
import { frameKind, type SegmentName } from './format.ts';

const wordsAtFirst = 64;

/** What is known of one segment file: the numbers of its records, and which of them are settled. */
export class Segment {
  readonly name: string;
  readonly index: number;
  readonly salt: number;
  /** Length of the file. */
  bytes: number;
  /** Its numbers: from `first` to below `end`. */
  first: number;
  end: number;
  /** Records that have to be kept. */
  unsettledCount = 0;
  /** Bytes of settled ranges in this one that older segments cannot do without. */
  readonly #heldFor = new Map<Segment, number>();
  /** One bit a number: settled, or lost. */
  #bits: Uint32Array = new Uint32Array(wordsAtFirst);
  /** Settled ranges that are not written yet, in the order in which they came; starts and ends take turns. */
  readonly #pending: number[] = [];

  constructor({ name, index, salt }: SegmentName, place: { bytes: number; first: number }) {
    this.name = name;
    this.index = index;
    this.salt = salt;
    this.bytes = place.bytes;
    this.first = place.first;
    this.end = place.first;
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Whether the file is of no use any more; the active one always is. */
  get isNeedless(): boolean {
    if (this.unsettledCount > 0) return false;
    let held = 0;
    for (const bytes of this.#heldFor.values()) held += bytes;
    // To write them anew elsewhere must not cost more than it frees.
    return 2 * held <= this.bytes;
  }

  /** The older segments whose settled ranges stand in this one. */
  get holdsFor(): Iterable<Segment> {
    return this.#heldFor.keys();
  }

  /** Settled ranges of an older segment were written to this one. */
  hold(segment: Segment, bytes: number): void {
    this.#heldFor.set(segment, bytes + (this.#heldFor.get(segment) ?? 0));
  }

  /** The segment is gone, or its ranges stand elsewhere. */
  letGoOf(segment: Segment): void {
    this.#heldFor.delete(segment);
  }

  /** Adds records. Numbers left out before them are those of records that a damage has taken. */
  extend(first: number, count: number): void {
    if (this.end === this.first) this.first = this.end = first;
    const words = Math.ceil((first + count - this.first) / 32);
    if (words > this.#bits.length) {
      const larger = new Uint32Array(Math.max(words, 2 * this.#bits.length));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    for (let number = this.end; number < first; number++) this.#mark(number);
    this.end = first + count;
    this.unsettledCount += count;
  }

  isSettled(number: number): boolean {
    const at = number - this.first;
    return ((this.#bits[at >>> 5] as number) & (1 << (at & 31))) !== 0;
  }

  /** Of a number that is its own; false when it was settled before. */
  settle(number: number): boolean {
    if (this.isSettled(number)) return false;
    this.#mark(number);
    this.unsettledCount--;
    return true;
  }

  /** Has it written that a number is settled. */
  pend(number: number): void {
    const pending = this.#pending;
    if (pending.length > 0 && pending[pending.length - 1] === number) pending[pending.length - 1] = number + 1;
    else pending.push(number, number + 1);
  }

  /** Has it written anew of all numbers that are settled. */
  pendAll(): void {
    this.#pending.length = 0;
    for (let number = this.first; number < this.end; number++) if (this.isSettled(number)) this.pend(number);
  }

  dropPending(): void {
    this.#pending.length = 0;
  }

  /** Moves the pending ranges into a frame of their own; returns its length. */
  takePending(frames: FrameWriter): number {
    const { bytes } = frames;
    const pending = this.#pending;
    frames.begin(frameKind.settled, this.first);
    for (let i = 0; i < pending.length; i += 2) frames.range(pending[i] as number, pending[i + 1] as number);
    pending.length = 0;
    return frames.bytes - bytes;
  }

  #mark(number: number): void {
    const at = number - this.first;
    const word = at >>> 5;
    this.#bits[word] = (this.#bits[word] as number) | (1 << (at & 31));
  }
}

/** Place of the last segment that begins at or before a number, by binary search; -1 when there is none. */
export function lastFrom(segments: readonly Segment[], number: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as Segment).first <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
