/*
 * A spool is a folder of segments, named "<index>-<salt>.spool" (ten decimal and eight hexadecimal digits). Only the one of the highest index is
 * ever written, and none is written again after a restart. Numbers are big-endian.
 *
 * segment:  0 u32 magic 'MRSP' · 4 u32 CRC-32 of bytes 8…31 · 8 u32 version · 12 u32 salt · 16 u64 index · 24 u64 number of the record to come
 *          32 frames, one behind the other
 *
 * frame:    0 u32 magic 'MRSF' · 4 u32 check: CRC-32 of bytes 8…31, begun with salt and position
 *           8 u32 kind · 12 u32 bytes of payload · 16 u32 CRC-32 of payload · 20 u32 count · 24 u64 first
 *          32 payload
 *   records:  `count` records, numbered from `first`, each
 *             varint bytes of partition key · key · varint 0, or 1 + bytes of explicit hash key · hash key · varint bytes of data · data
 *   settled:  `count` ranges of numbers that need no keeping any more, of this segment or an older one, each
 *             zigzag varint start, less the end of the range before (at first: less `first`) · varint count of numbers - 1
 *
 * With a check that is right, the length can be trusted whatever has become of the payload; with one that is wrong, the next frame is searched for.
 * Salt and position are in the check, so that data which happen to be a spool's frames are not found by that search. The salt is random, and
 * stands in the name, too: a header that is damaged takes nothing along. Recovery: recovery.ts.
 */
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';

export const segmentHeaderBytes = 32;
export const frameHeaderBytes = 32;
const version = 1;
const segmentMagic = 0x4d525350;
const frameMagic = 0x4d525346;
const frameMagicBytes = Buffer.from('MRSF');

export const frameKind = { records: 1, settled: 2 } as const;
export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

export interface SegmentName {
  readonly name: string;
  readonly index: number;
  readonly salt: number;
}

export function segmentName(index: number, salt: number): SegmentName {
  return { name: `${String(index).padStart(10, '0')}-${salt.toString(16).padStart(8, '0')}.spool`, index, salt };
}

/** Undefined: a file that is none of ours. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = /^(\d{10})-([0-9a-f]{8})[.]spool$/.exec(name);
  return match === null ? undefined : { name, index: Number(match[1]), salt: Number.parseInt(match[2] as string, 16) };
}

/** `next` is the number of the record to come. */
export function segmentHeader({ index, salt }: SegmentName, next: number, format: number = version): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  header.writeUInt32BE(segmentMagic, 0);
  header.writeUInt32BE(format, 8);
  header.writeUInt32BE(salt, 12);
  writeNumber(header, 16, index);
  writeNumber(header, 24, next);
  header.writeUInt32BE(crc32(header.subarray(8)), 4);
  return header;
}

/** What stands in a segment's header: the number of the record to come; or that it is damaged; or a version we do not know. */
export type SegmentHead = { readonly next: number } | { readonly version: number } | undefined;

export function readSegmentHeader(bytes: Buffer): SegmentHead {
  if (bytes.length < segmentHeaderBytes || bytes.readUInt32BE(0) !== segmentMagic) return undefined;
  if (crc32(bytes.subarray(8, segmentHeaderBytes)) !== bytes.readUInt32BE(4)) return undefined;
  const found = bytes.readUInt32BE(8);
  return found === version ? { next: readNumber(bytes, 24) } : { version: found };
}

/** Header of the frame whose payload ends with `frame`, but for the check. */
export function writeFrameHeader(frame: Buffer, head: { kind: FrameKind; count: number; first: number }): void {
  frame.writeUInt32BE(frameMagic, 0);
  frame.writeUInt32BE(head.kind, 8);
  frame.writeUInt32BE(frame.length - frameHeaderBytes, 12);
  frame.writeUInt32BE(crc32(frame.subarray(frameHeaderBytes)), 16);
  frame.writeUInt32BE(head.count, 20);
  writeNumber(frame, 24, head.first);
}

/** Sets the check, which depends on where the frame is written. */
export function sealFrame(frame: Buffer, { position, salt }: { position: number; salt: number }): void {
  frame.writeUInt32BE(checkOf(frame, 0, (salt ^ position) >>> 0), 4);
}

export interface Frame {
  readonly isSound: true;
  readonly kind: number;
  readonly count: number;
  readonly first: number;
  readonly payload: Buffer;
  /** Where it begins and ends in the file. */
  readonly from: number;
  readonly to: number;
}

/** Bytes that are no frame, or no more. */
export interface Gap {
  readonly isSound: false;
  readonly from: number;
  readonly to: number;
}

/** The frames of a segment, in order, and what is between them; payloads are views of `bytes`. Never throws, whatever the bytes. */
export function* framesOf(bytes: Buffer, salt: number): Generator<Frame | Gap> {
  let from = segmentHeaderBytes;
  while (from < bytes.length) {
    let to = bytes.length;
    if (!isHeaderSound(bytes, from, salt)) {
      to = nextFrame(bytes, from + 1, salt);
      yield { isSound: false, from, to };
    } else {
      const payloadFrom = from + frameHeaderBytes;
      to = Math.min(to, payloadFrom + bytes.readUInt32BE(from + 12));
      const payload = bytes.subarray(payloadFrom, to);
      // One that reaches beyond the end has a wrong checksum.
      if (crc32(payload) === bytes.readUInt32BE(from + 16)) {
        const kind = bytes.readUInt32BE(from + 8);
        yield {
          isSound: true,
          kind,
          count: bytes.readUInt32BE(from + 20),
          first: readNumber(bytes, from + 24),
          payload,
          from,
          to,
        };
      } else yield { isSound: false, from, to };
    }
    from = to;
  }
}

/** Where the next frame begins whose header is sound, or the end. */
function nextFrame(bytes: Buffer, from: number, salt: number): number {
  for (let at = bytes.indexOf(frameMagicBytes, from); at >= 0; at = bytes.indexOf(frameMagicBytes, at + 1)) {
    if (isHeaderSound(bytes, at, salt)) return at;
  }
  return bytes.length;
}

function isHeaderSound(bytes: Buffer, at: number, salt: number): boolean {
  if (at + frameHeaderBytes > bytes.length || bytes.readUInt32BE(at) !== frameMagic) return false;
  return checkOf(bytes, at, (salt ^ at) >>> 0) === bytes.readUInt32BE(at + 4);
}

function checkOf(bytes: Buffer, at: number, seed: number): number {
  return crc32(bytes.subarray(at + 8, at + frameHeaderBytes), seed);
}

/** 64 bits, exact up to 2^53. */
function writeNumber(into: Buffer, at: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  into.writeUInt32BE(value >>> 0, at + 4);
}

function readNumber(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 2 ** 32 + from.readUInt32BE(at + 4);
}
