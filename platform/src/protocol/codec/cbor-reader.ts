import { isUtf8 } from 'node:buffer';
import { latin1Slice, utf8Slice } from './native-buffer.ts';

const DEPTH_MAX = 128;
/** Far more than any request has; without it a body of 16 MiB becomes gigabytes of empty values. */
const ITEMS_MAX = 250_000;
const ASCII_LOOP_BYTES_MAX = 64;
const INDEFINITE = -1;

/** The bytes are not one well-formed CBOR item of the kinds the APIs use. The message is for logs and tests, not for the wire. */
export class CborError extends Error {
  override readonly name = 'CborError';
}

/**
 * Reads exactly one CBOR item that fills `bytes` (RFC 8949, in the dialect of `application/x-amz-cbor-1.1`).
 *
 * Maps with text keys become objects, lists arrays, byte strings views of `bytes` (borrowed, not copied; only indefinite ones are
 * joined), tag 1 over a number a Date of epoch **milliseconds**, integers and floats numbers (beyond 2^53 with a double's
 * precision, so that a range check still sees how large they are), bignums likewise. Everything else is refused: other
 * tags, simple values, keys that are not text, invalid UTF-8, nesting over 128, more than 250,000 items (or pieces of indefinite
 * strings) in all, bytes left over, lengths beyond the end. Nothing is
 * allocated from a declared length. Where a key is repeated the last one counts, as with JSON.
 *
 * @throws CborError
 */
export function readCbor(bytes: Buffer): unknown {
  return new CborReader(bytes).readAll();
}

class CborReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;
  #itemCount = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  readAll(): unknown {
    const value = this.#item(this.#byte());
    if (this.#at !== this.#bytes.length) throw new CborError('bytes after the item');
    return value;
  }

  #item(initial: number): unknown {
    this.#count();
    const information = initial & 0x1f;
    switch (initial >> 5) {
      case 0:
        return this.#argument(information);
      case 1:
        return -1 - this.#argument(information);
      case 2:
        return this.#byteString(this.#length(information));
      case 3:
        return this.#textString(this.#length(information));
      case 4:
        return this.#list(this.#length(information));
      case 5:
        return this.#map(this.#length(information));
      case 6:
        return this.#tagged(this.#argument(information));
      default:
        return this.#simple(information);
    }
  }

  #count(): void {
    if (++this.#itemCount > ITEMS_MAX) throw new CborError('too many items');
  }

  #byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new CborError('unexpected end');
    this.#at++;
    return value;
  }

  #skip(count: number): number {
    const from = this.#at;
    if (count > this.#bytes.length - from) throw new CborError('unexpected end');
    this.#at = from + count;
    return from;
  }

  #argument(information: number): number {
    if (information < 24) return information;
    if (information === 24) return this.#byte();
    if (information === 25) return this.#bytes.readUInt16BE(this.#skip(2));
    if (information === 26) return this.#bytes.readUInt32BE(this.#skip(4));
    if (information !== 27) throw new CborError('reserved length');
    const from = this.#skip(8);
    return this.#bytes.readUInt32BE(from) * 0x1_0000_0000 + this.#bytes.readUInt32BE(from + 4);
  }

  #length(information: number): number {
    return information === 31 ? INDEFINITE : this.#argument(information);
  }

  #byteString(length: number): Buffer {
    if (length === INDEFINITE) return Buffer.concat(this.#pieces(2));
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** The definite-length pieces of an indefinite string; each must be of the string's own kind. */
  #pieces(major: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let initial = this.#byte(); initial !== 0xff; initial = this.#byte()) {
      this.#count();
      if (initial >> 5 !== major || (initial & 0x1f) === 31) throw new CborError('a piece of another kind');
      const length = this.#argument(initial & 0x1f);
      const from = this.#skip(length);
      pieces.push(this.#bytes.subarray(from, from + length));
    }
    return pieces;
  }

  #textString(length: number): string {
    if (length === INDEFINITE) return this.#pieces(3).map(textOf).join('');
    const from = this.#skip(length);
    if (length <= ASCII_LOOP_BYTES_MAX) {
      const bytes = this.#bytes;
      let bits = 0;
      for (let at = from; at < from + length; at++) bits |= bytes[at] as number;
      if (bits < 0x80) return latin1Slice(bytes, from, from + length);
    }
    return textOf(this.#bytes.subarray(from, from + length));
  }

  #enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new CborError('nested too deeply');
  }

  #list(length: number): unknown[] {
    this.#enter();
    const list: unknown[] = [];
    if (length === INDEFINITE) {
      for (let initial = this.#byte(); initial !== 0xff; initial = this.#byte()) list.push(this.#item(initial));
    } else {
      if (length > this.#bytes.length - this.#at) throw new CborError('unexpected end');
      for (let count = 0; count < length; count++) list.push(this.#item(this.#byte()));
    }
    this.#depth--;
    return list;
  }

  #map(length: number): Record<string, unknown> {
    this.#enter();
    const map: Record<string, unknown> = {};
    if (length === INDEFINITE) {
      for (let initial = this.#byte(); initial !== 0xff; initial = this.#byte()) this.#entry(map, initial);
    } else {
      if (length > (this.#bytes.length - this.#at) / 2) throw new CborError('unexpected end');
      for (let count = 0; count < length; count++) this.#entry(map, this.#byte());
    }
    this.#depth--;
    return map;
  }

  #entry(map: Record<string, unknown>, initial: number): void {
    if (initial >> 5 !== 3) throw new CborError('a key that is not text');
    const key = this.#textString(this.#length(initial & 0x1f));
    const value = this.#item(this.#byte());
    if (key === '__proto__') {
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
    } else {
      map[key] = value;
    }
  }

  #tagged(tag: number): unknown {
    const initial = this.#byte();
    if (tag === 1) return this.#timestamp(initial);
    if (tag === 2 || tag === 3) {
      if (initial >> 5 !== 2) throw new CborError('a bignum that is not bytes');
      const magnitude = bignum(this.#byteString(this.#length(initial & 0x1f)));
      return tag === 2 ? magnitude : -1 - magnitude;
    }
    throw new CborError(`tag ${tag}`);
  }

  #timestamp(initial: number): Date {
    const major = initial >> 5;
    if (major !== 0 && major !== 1 && major !== 7) throw new CborError('a timestamp that is not a number');
    const time = this.#item(initial);
    const date = new Date(typeof time === 'number' ? time : Number.NaN);
    if (Number.isNaN(date.getTime())) throw new CborError('a timestamp out of range');
    return date;
  }

  #simple(information: number): unknown {
    switch (information) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return null;
      case 25:
        return halfFloat(this.#bytes.readUInt16BE(this.#skip(2)));
      case 26:
        return this.#bytes.readFloatBE(this.#skip(4));
      case 27:
        return this.#bytes.readDoubleBE(this.#skip(8));
      default:
        throw new CborError('a simple value or a stray break');
    }
  }
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new CborError('invalid UTF-8');
  return utf8Slice(bytes, 0, bytes.length);
}

function bignum(bytes: Buffer): number {
  let value = 0;
  for (const byte of bytes) {
    value = value * 256 + byte;
    if (value === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
  }
  return value;
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
