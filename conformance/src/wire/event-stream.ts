import { crc32 } from 'node:zlib';

/** One message of an event stream. */
export interface EventFrame {
  /** Names with their colon. */
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Buffer;
}

const preludeBytes = 12;
const checksumBytes = 4;
const textType = 7;

/**
 * Takes event-stream messages out of bytes that come in any pieces, and both checksums of each as given.
 *
 * Layout, big endian: total length 4, headers length 4, CRC-32 of these 8, headers, payload, CRC-32 of everything before 4.
 */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes of a message that has not come whole. */
  get restBytes(): number {
    return this.#rest.length;
  }

  push(bytes: Buffer): EventFrame[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: EventFrame[] = [];
    while (rest.length >= preludeBytes) {
      const length = rest.readUInt32BE(0);
      if (rest.length < length) break;
      frames.push(frameOf(rest.subarray(0, length)));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return frames;
  }
}

function frameOf(bytes: Buffer): EventFrame {
  const end = bytes.length - checksumBytes;
  if (bytes.readUInt32BE(8) !== crc32(bytes.subarray(0, 8))) throw new Error('checksum of the lengths');
  if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) throw new Error('checksum of the message');
  const payloadAt = preludeBytes + bytes.readUInt32BE(4);
  return { headers: headersOf(bytes.subarray(preludeBytes, payloadAt)), payload: bytes.subarray(payloadAt, end) };
}

/** Each: length of the name 1, name, type 1, length of the value 2, value. */
function headersOf(bytes: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < bytes.length;) {
    const typeAt = at + 1 + bytes.readUInt8(at);
    const name = bytes.toString('utf8', at + 1, typeAt);
    if (bytes.readUInt8(typeAt) !== textType) throw new Error(`header ${name} is no text`);
    const valueAt = typeAt + 3;
    at = valueAt + bytes.readUInt16BE(typeAt + 1);
    headers[name] = bytes.toString('utf8', valueAt, at);
  }
  return headers;
}
