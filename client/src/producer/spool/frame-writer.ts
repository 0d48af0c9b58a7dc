import { Buffer } from 'node:buffer';
import { frameHeaderBytes, sealFrame, writeFrameHeader, type FrameKind } from './format.ts';
import type { SpooledRecord } from './options.ts';

const bytesAtFirst = 64 * 1024;
/** A buffer that a large record has made larger is not kept. */
const keptBytesMax = 4 * 1024 * 1024;
/** Texts up to this length have UTF-8 of at most 126 bytes: the length of their length is known before they are encoded. */
const shortTextMax = 42;

interface OpenFrame {
  readonly kind: FrameKind;
  readonly first: number;
  readonly from: number;
}

/** Frames, one behind the other, that are written in one go. Used again after {@link reset}. */
export class FrameWriter {
  /** Entries of the frame begun last. */
  count = 0;
  #buffer = Buffer.allocUnsafeSlow(bytesAtFirst);
  #at = 0;
  #frame: OpenFrame | undefined;
  /** Where the frames begin. */
  readonly #starts: number[] = [];
  /** Where the record added last begins. */
  #recordFrom = 0;
  /** Where the range added last ends. */
  #rangeEnd = 0;

  get bytes(): number {
    return this.#at;
  }

  /** Ends the frame before. */
  begin(kind: FrameKind, first: number): void {
    this.#end();
    this.#frame = { kind, first, from: this.#at };
    this.#starts.push(this.#at);
    this.#reserve(frameHeaderBytes);
    this.#at += frameHeaderBytes;
    this.#rangeEnd = first;
  }

  /** Copies a record into the frame. */
  record({ partitionKey, explicitHashKey, data }: SpooledRecord): void {
    this.#reserve(data.length + 3 * (partitionKey.length + (explicitHashKey?.length ?? 0)) + 30);
    this.#recordFrom = this.#at;
    try {
      this.#text(partitionKey, 0);
      if (explicitHashKey === undefined) this.#buffer[this.#at++] = 0;
      else this.#text(explicitHashKey, 1);
      this.#varint(data.length);
      this.#buffer.set(data, this.#at);
    } catch (error) {
      // Something that is no record must not leave half of one in the frame of others.
      this.#at = this.#recordFrom;
      throw error;
    }
    this.#at += data.length;
    this.count++;
  }

  /** Takes the record added last out again; only once. */
  takeBack(): void {
    this.#at = this.#recordFrom;
    this.count--;
  }

  range(start: number, end: number): void {
    this.#reserve(20);
    const delta = start - this.#rangeEnd;
    this.#varint(delta < 0 ? -2 * delta - 1 : 2 * delta);
    this.#varint(end - start - 1);
    this.#rangeEnd = end;
    this.count++;
  }

  /** The bytes, as they are at that place; a view, of use until {@link reset}. */
  seal(place: { position: number; salt: number }): Buffer {
    this.#end();
    for (const start of this.#starts) {
      sealFrame(this.#buffer.subarray(start), { position: place.position + start, salt: place.salt });
    }
    return this.#buffer.subarray(0, this.#at);
  }

  reset(): void {
    this.count = 0;
    this.#at = 0;
    this.#frame = undefined;
    this.#starts.length = 0;
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafeSlow(bytesAtFirst);
  }

  #end(): void {
    if (this.#frame === undefined) return;
    const { kind, first, from } = this.#frame;
    writeFrameHeader(this.#buffer.subarray(from, this.#at), { kind, count: this.count, first });
    this.#frame = undefined;
    this.count = 0;
  }

  #text(text: string, plus: 0 | 1): void {
    if (text.length <= shortTextMax) {
      const bytes = this.#buffer.write(text, this.#at + 1);
      this.#buffer[this.#at] = bytes + plus;
      this.#at += 1 + bytes;
    } else {
      this.#varint(Buffer.byteLength(text) + plus);
      this.#at += this.#buffer.write(text, this.#at);
    }
  }

  #varint(value: number): void {
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 0x80) {
      buffer[this.#at++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[this.#at++] = rest;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}
