import type { DiskFile } from '../../kernel/disk.ts';

/**
 * Reads one file after another through one piece of memory. A view that {@link ChunkReader.read} answered is good until the next call.
 * One call at a time.
 */
export class ChunkReader {
  #file: DiskFile | undefined;
  #window: Buffer;
  #base = 0;
  #length = 0;

  /** @param windowBytes   read at once; grows when more is asked for */
  constructor(windowBytes: number) {
    this.#window = Buffer.allocUnsafeSlow(windowBytes);
  }

  /** Goes on in `file`, which the caller opened and closes. */
  use(file: DiskFile): void {
    this.#file = file;
    this.#base = this.#length = 0;
  }

  /** The bytes from `position`; fewer than `bytes` only at the end of the file. */
  async read(position: number, bytes: number): Promise<Buffer> {
    const end = this.#base + this.#length;
    const isAtEnd = this.#length < this.#window.length && this.#length > 0;
    if (position < this.#base || (position + bytes > end && !(isAtEnd && position <= end))) {
      if (bytes > this.#window.length) this.#window = Buffer.allocUnsafeSlow(bytes);
      this.#base = position;
      this.#length = 0;
      this.#length = (await this.#file?.read(this.#window, position)) ?? 0;
    }
    const from = position - this.#base;
    return this.#window.subarray(from, Math.min(from + bytes, this.#length));
  }
}
