import type { Answer } from './answer.ts';

/** A frame of HTTP/2. Layout (RFC 9113 §4.1): length 24, type 8, flags 8, reserved 1, stream 31, payload. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const endStream = 0x1;
export const endHeaders = 0x4;
const acknowledged = 0x1;
const headBytes = 9;

export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Its acknowledgement tells that everything before it was read. */
export const lastPing: Buffer = Buffer.from('lastping');

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(headBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, headBytes);
  return bytes;
}

const frameBytesMax = 16_384;

/** A header block in as many frames as it needs. */
export function headerFrames(stream: number, block: Buffer, flags = 0): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += frameBytesMax) {
    const isLast = at + frameBytesMax >= block.length;
    const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
    const own = (isLast ? endHeaders : 0) | (at === 0 ? flags : 0);
    frames.push(frame(type, own, stream, block.subarray(at, at + frameBytesMax)));
  }
  return Buffer.concat(frames);
}

export function dataFrames(stream: number, body: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; at += frameBytesMax) {
    const isLast = at + frameBytesMax >= body.length;
    frames.push(frame(frameTypes.data, isLast ? endStream : 0, stream, body.subarray(at, at + frameBytesMax)));
  }
  return frames;
}

export function settings(pairs: readonly (readonly [identifier: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([identifier, value], index) => {
    payload.writeUInt16BE(identifier, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(frameTypes.settings, 0, 0, payload);
}

export function windowUpdate(stream: number, increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(frameTypes.windowUpdate, 0, stream, payload);
}

export function reset(stream: number, code = 8): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(frameTypes.reset, 0, stream, payload);
}

export function ping(payload: Uint8Array = lastPing): Buffer {
  return frame(frameTypes.ping, 0, 0, payload);
}

/** The beginning of a connection whose answers need no dynamic table to be read, with room for them. */
export function opening(): Buffer {
  const noTable = [1, 0] as const;
  const wideWindow = [4, 1 << 24] as const;
  return Buffer.concat([preface, settings([noTable, wideWindow]), windowUpdate(0, 1 << 28)]);
}

/** Header fields as literals without indexing and without Huffman coding (RFC 7541 §6.2.2). */
export function fields(list: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(list.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])));
}

/** A literal that goes into the dynamic table, as entry 62. */
export function indexedField(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) {
    length.push(bytes.length);
  } else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + headBytes <= bytes.length;) {
    const end = at + headBytes + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: bytes.subarray(at + headBytes, end),
    });
    at = end;
  }
  return frames;
}

/** What frames of a server amount to. */
export interface Http2Reading {
  /** Ended streams that had a status, in the order of their end. */
  readonly answers: readonly Answer[];
  /** Streams that were ended or reset by the server. */
  readonly endedStreams: ReadonlySet<number>;
  readonly isGoingAway: boolean;
  /** Everything that was sent before the last ping was read. */
  readonly isPinged: boolean;
}

export function readHttp2(bytes: Buffer): Http2Reading {
  const open = new Map<number, { status: number; body: Buffer[] }>();
  const answers: Answer[] = [];
  const endedStreams = new Set<number>();
  let isGoingAway = false;
  let isPinged = false;
  const end = (id: number): void => {
    endedStreams.add(id);
    const stream = open.get(id);
    open.delete(id);
    if (stream !== undefined) {
      answers.push({ status: stream.status, headers: undefined, body: Buffer.concat(stream.body) });
    }
  };
  for (const { type, flags, stream, payload } of readFrames(bytes)) {
    if (type === frameTypes.goAway) isGoingAway = true;
    if (type === frameTypes.ping && (flags & acknowledged) !== 0 && payload.equals(lastPing)) isPinged = true;
    if (type === frameTypes.headers) open.set(stream, { status: statusOf(payload), body: [] });
    if (type === frameTypes.data) open.get(stream)?.body.push(payload);
    const isEnd =
      type === frameTypes.reset ||
      ((type === frameTypes.headers || type === frameTypes.data) && (flags & endStream) !== 0);
    if (isEnd) end(stream);
  }
  return { answers, endedStreams, isGoingAway, isPinged };
}

const staticStatuses = [200, 204, 206, 304, 400, 404, 500];
/** Huffman codes of the digits (RFC 7541, appendix B). */
const digitCodes = ['00000', '00001', '00010', '011001', '011010', '011011', '011100', '011101', '011110', '011111'];

/** `:status`, the first field of an answer; the dynamic table is empty, see `opening`. */
function statusOf(block: Buffer): number {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) at++; // The table's new size: 0.
  const first = block[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return staticStatuses[first - 0x88] as number;
  const length = block[at + 1] ?? 0;
  const bytes = block.subarray(at + 2, at + 2 + (length & 0x7f));
  if ((length & 0x80) === 0) return Number(bytes.toString('latin1'));
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  while (digits.length < 3) {
    const digit = digitCodes.findIndex((code) => bits.startsWith(code));
    if (digit < 0) return Number.NaN;
    digits += String(digit);
    bits = bits.slice((digitCodes[digit] as string).length);
  }
  return Number(digits);
}
