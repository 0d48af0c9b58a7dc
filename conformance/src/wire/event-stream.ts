import { crc32 } from 'node:zlib';

/*
 * application/vnd.amazon.eventstream, numbers big-endian: u32 length of all | u32 length of the headers | u32 CRC-32 of these eight bytes
 * | headers | payload | u32 CRC-32 of all before. A header: u8 length of the name | name | u8 7 (text) | u16 length | value.
 */
const preludeBytes = 12;
const checksumBytes = 4;
const textType = 7;

/** One message of an event stream; names of headers with their colon. */
export interface EventFrame {
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Buffer;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Frames that are whole with these bytes. @throws Error for what is no frame */
  push(chunk: Buffer): EventFrame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: EventFrame[] = [];
    while (this.#rest.length >= preludeBytes) {
      const length = this.#rest.readUInt32BE(0);
      if (crc32(this.#rest.subarray(0, 8)) !== this.#rest.readUInt32BE(8)) throw new Error('a prelude fails its sum');
      if (this.#rest.length < length) break;
      frames.push(frameOf(this.#rest.subarray(0, length)));
      this.#rest = this.#rest.subarray(length);
    }
    return frames;
  }

  /** Nothing of a next frame is there. */
  get isAtBoundary(): boolean {
    return this.#rest.length === 0;
  }
}

function frameOf(bytes: Buffer): EventFrame {
  const end = bytes.length - checksumBytes;
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw new Error('a frame fails its sum');
  const headersEnd = preludeBytes + bytes.readUInt32BE(4);
  const headers: Record<string, string> = {};
  for (let at = preludeBytes; at < headersEnd;) {
    const typeAt = at + 1 + bytes.readUInt8(at);
    if (bytes[typeAt] !== textType) throw new Error(`a header has the type ${bytes[typeAt]}`);
    const valueAt = typeAt + 3;
    const valueEnd = valueAt + bytes.readUInt16BE(typeAt + 1);
    headers[bytes.toString('utf8', at + 1, typeAt)] = bytes.toString('utf8', valueAt, valueEnd);
    at = valueEnd;
  }
  return { headers, payload: bytes.subarray(headersEnd, end) };
}
