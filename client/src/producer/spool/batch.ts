import { frameKind } from './format.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { SpooledRecord } from './options.ts';

/** Records that are gathered while a write is under way, in a frame of their own, and who waits for them. */
export class Batch {
  readonly frames: FrameWriter;
  /** Number of its first record. */
  readonly first: number;
  count = 0;
  /** What it may take on disk; set when it is ended. */
  bytes = 0;
  /** Makes a promise one that waits for the record added last. */
  readonly wait: (resolve: (number: number) => void, reject: (error: Error) => void) => void;
  readonly #resolves: Array<(number: number) => void> = [];
  readonly #rejects: Array<(error: Error) => void> = [];

  constructor(frames: FrameWriter, first: number) {
    this.frames = frames;
    this.first = first;
    frames.begin(frameKind.records, first);
    // One for all its records, instead of a closure each.
    this.wait = (resolve, reject) => {
      this.#resolves.push(resolve);
      this.#rejects.push(reject);
    };
  }

  /** Adds a record, whose data is copied, if the frame is no longer than `bytesMax` with it. */
  add(record: SpooledRecord, bytesMax: number): boolean {
    this.frames.record(record);
    if (this.frames.bytes > bytesMax) {
      this.frames.takeBack();
      return false;
    }
    this.count++;
    return true;
  }

  resolve(): void {
    const resolves = this.#resolves;
    for (let i = 0; i < resolves.length; i++) resolves[i]?.(this.first + i);
  }

  reject(error: Error): void {
    for (const reject of this.#rejects) reject(error);
  }
}
