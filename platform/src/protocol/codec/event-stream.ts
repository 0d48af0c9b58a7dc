import { crc32 } from 'node:zlib';
import type { Encoded } from './byte-writer.ts';

/*
 * A frame of `application/vnd.amazon.eventstream`, numbers big-endian:
 * u32 length of all | u32 length of the headers | u32 CRC-32 of these eight bytes | headers | payload | u32 CRC-32 of all before.
 * A header: u8 length of the name | name | u8 7 (a string follows) | u16 length | value.
 */
const preludeBytes = 12;
const checksumBytes = 4;
const stringType = 7;
/** Up to this payload one copy is cheaper than several writes. */
const joinedBytesMax = 64 * 1024;

const noPayload: Encoded = { chunks: [], bytes: 0 };

/** One frame; the payload's chunks are not copied unless they are few and small. */
export function encodeFrame(headers: Readonly<Record<string, string>>, payload: Encoded = noPayload): Encoded {
  const headerBytes = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
  const bytes = preludeBytes + headerBytes.length + payload.bytes + checksumBytes;
  const start = Buffer.allocUnsafe(preludeBytes + headerBytes.length);
  start.writeUInt32BE(bytes, 0);
  start.writeUInt32BE(headerBytes.length, 4);
  start.writeUInt32BE(crc32(start.subarray(0, 8)), 8);
  headerBytes.copy(start, preludeBytes);
  let sum = crc32(start);
  for (const chunk of payload.chunks) sum = crc32(chunk, sum);
  const end = Buffer.allocUnsafe(checksumBytes);
  end.writeUInt32BE(sum, 0);
  const chunks = [start, ...payload.chunks, end];
  return { chunks: bytes <= joinedBytesMax ? [Buffer.concat(chunks, bytes)] : chunks, bytes };
}

function encodeHeader(name: string, value: string): Buffer {
  const valueLength = Buffer.byteLength(value);
  const header = Buffer.allocUnsafe(1 + name.length + 3 + valueLength);
  header[0] = name.length;
  header.write(name, 1, 'latin1');
  header[1 + name.length] = stringType;
  header.writeUInt16BE(valueLength, 2 + name.length);
  header.write(value, 4 + name.length, 'utf8');
  return header;
}
