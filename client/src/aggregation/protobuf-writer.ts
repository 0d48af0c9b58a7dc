import { Buffer } from 'node:buffer';

const noBytes = Buffer.alloc(0);
const capacityMin = 256;
/** Of a UTF-16 code unit. */
const utf8BytesMax = 3;
/** Below 128: its length is one byte. */
const shortCharsMax = 48;

/** Fields of a protobuf message, one behind the other, in a buffer that grows and is kept. */
export class ProtobufWriter {
  #buffer = noBytes;
  #end = 0;

  get bytes(): number {
    return this.#end;
  }

  reset(): void {
    this.#end = 0;
  }

  /** Makes room; what is written before the next call may not be longer. */
  reserve(bytesMax: number): void {
    const needed = this.#end + bytesMax;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, capacityMin));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }

  /** A tag and a number below 2^31. */
  varint(tag: number, value: number): void {
    const buffer = this.#buffer;
    let at = this.#end;
    buffer[at++] = tag;
    for (; value > 0x7f; value >>>= 7) buffer[at++] = (value & 0x7f) | 0x80;
    buffer[at++] = value;
    this.#end = at;
  }

  raw(tag: number, bytes: Uint8Array): void {
    this.varint(tag, bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  text(tag: number, text: string): void {
    this.reserve(text.length * utf8BytesMax + 6);
    if (text.length <= shortCharsMax && this.#shortAscii(tag, text)) return;
    this.varint(tag, Buffer.byteLength(text));
    this.#end += this.#buffer.write(text, this.#end);
  }

  /** Most keys are of that kind, and for them two calls out of JavaScript take longer than this. Returns whether it is one. */
  #shortAscii(tag: number, text: string): boolean {
    const buffer = this.#buffer;
    let at = this.#end;
    buffer[at++] = tag;
    buffer[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[at++] = code;
    }
    this.#end = at;
    return true;
  }

  /** A copy of the last bytes. */
  tail(bytes: number): Buffer {
    return Buffer.from(this.#buffer.subarray(this.#end - bytes, this.#end));
  }

  /** @returns where in `into` it ends */
  copy(into: Buffer, at: number): number {
    return at + this.#buffer.copy(into, at, 0, this.#end);
  }
}

/** Length of a number below 2^31 as a varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Length of a field of text, its tag with it. */
export function textFieldBytes(text: string): number {
  const bytes = Buffer.byteLength(text);
  return 1 + varintBytes(bytes) + bytes;
}

/** The same or more, without a look at the text. */
export function textFieldBytesMax(text: string): number {
  return 6 + text.length * utf8BytesMax;
}
