/**
 * A few buffers of one size that are used again and again. Large buffers that are let go of pile up until a collection of garbage comes,
 * which under load is late.
 */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #countMax: number;
  readonly #free: ArrayBuffer[] = [];
  readonly #lent = new Set<ArrayBufferLike>();

  /** @param countMax   buffers there are at most, lent or not; made when they are first needed, and then kept */
  constructor(options: { readonly bufferBytes: number; readonly countMax: number }) {
    this.#bufferBytes = options.bufferBytes;
    this.#countMax = options.countMax;
  }

  /** A buffer with any content. When all are lent, or all too small, it is one that is made for this once. */
  take(bytes: number): Buffer {
    if (bytes > this.#bufferBytes || this.#lent.size === this.#countMax) return Buffer.allocUnsafeSlow(bytes);
    const memory = this.#free.pop() ?? new ArrayBuffer(this.#bufferBytes);
    this.#lent.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /** What {@link take} gave, when nobody looks at it any more. Of any other buffer it takes no notice. */
  give({ buffer }: Buffer): void {
    if (this.#lent.delete(buffer)) this.#free.push(buffer as ArrayBuffer);
  }
}
