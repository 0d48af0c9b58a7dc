import type { Buffer } from 'node:buffer';

const varintBytesMax = 10;
/** As protobuf's own readers have it. */
const groupDepthMax = 100;

/** Reads the fields of a protobuf message that nobody has vouched for: never past its end, and never throws; see {@link isMalformed}. */
export class ProtobufReader {
  /** What has been read is not worth anything; there is nothing more. */
  isMalformed = false;
  /** Position of the next byte. */
  at: number;
  /** Position behind the message that is being read. */
  end: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get hasMore(): boolean {
    return this.at < this.end;
  }

  /** Exact up to 2^53. */
  varint(): number {
    let value = this.at < this.end ? (this.#bytes[this.at++] as number) : this.#fail();
    if (value < 0x80) return value;
    value -= 0x80;
    let factor = 0x80;
    for (let count = 1; count < varintBytesMax && this.at < this.end; count++) {
      const byte = this.#bytes[this.at++] as number;
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
      factor *= 0x80;
    }
    return this.#fail();
  }

  /** Reads the length of a field; returns where it ends, having gone no further than its beginning. */
  lengthEnd(): number {
    const length = this.varint();
    return length <= this.end - this.at ? this.at + length : this.#fail();
  }

  text(): string {
    const end = this.lengthEnd();
    const text = this.#bytes.toString('utf8', this.at, end);
    if (!this.isMalformed) this.at = end;
    return text;
  }

  /** Leaves out a field of no interest, whose tag has been read. */
  skip(tag: number, depth: number = 0): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        break;
      case 1:
        this.#advance(8);
        break;
      case 2:
        this.at = this.lengthEnd();
        break;
      case 3:
        this.#skipGroup(tag + 1, depth + 1);
        break;
      case 5:
        this.#advance(4);
        break;
      default:
        this.#fail();
    }
    if (tag < 8) this.#fail(); // There is no field 0.
  }

  #skipGroup(endTag: number, depth: number): void {
    if (depth > groupDepthMax) this.#fail();
    while (this.hasMore) {
      const tag = this.varint();
      if (tag === endTag) return;
      this.skip(tag, depth);
    }
    this.#fail();
  }

  #advance(bytes: number): void {
    if (bytes > this.end - this.at) this.#fail();
    else this.at += bytes;
  }

  #fail(): number {
    this.isMalformed = true;
    this.at = this.end;
    return this.end;
  }
}
