import { assert } from '../kernel/assert.ts';
import { crc32c } from './crc32c.ts';
import { readUint64, writeUint64 } from './uint64.ts';

/*
 * Kafka RecordBatch v2 (https://kafka.apache.org/documentation/#recordbatch), big-endian:
 *
 *  0 i64 base offset          8 i32 length of what follows     12 i32 leader epoch      16 i8 magic = 2
 * 17 u32 CRC-32C of 21…end   21 i16 attributes                 23 i32 last offset delta
 * 27 i64 base timestamp      35 i64 max timestamp              43 i64 producer id = -1  51 i16 producer epoch = -1
 * 53 i32 base sequence = -1  57 i32 record count               61 records
 *
 * record: varint length | i8 attributes | varint time delta | varint offset delta
 *         | varint key length, key | varint value length, value | varint header count
 *
 * Attribute bit 3 says that the time is the log's own (LogAppendTime): one time for all records, the max timestamp.
 * The base offset lies outside the checksum, as Kafka has it; frames and blocks cover it with theirs.
 */
export const batchHeaderBytes = 61;
/** What a record takes beyond its key and value, at most. */
export const recordOverheadBytesMax = 24;
const logAppendTime = 0x08;

/** Encodes records into one batch. Give it the room they need: `batchHeaderBytes` + for each record its bytes + overhead. */
export class BatchBuilder {
  readonly #bytes: Buffer;
  #at = batchHeaderBytes;
  #count = 0;

  constructor(bytesMax: number) {
    // Small ones come from the pool: a system call each would cost more than encoding them.
    this.#bytes = Buffer.allocUnsafe(bytesMax);
  }

  get recordCount(): number {
    return this.#count;
  }

  /** @param keyBytes length of `key` in UTF-8 */
  add(key: string, keyBytes: number, value: Uint8Array): void {
    const bytes = this.#bytes;
    const delta = this.#count++;
    const bodyBytes =
      3 + varintBytes(delta) + varintBytes(keyBytes) + keyBytes + varintBytes(value.length) + value.length;
    let at = writeVarint(bytes, this.#at, bodyBytes);
    bytes[at++] = 0;
    bytes[at++] = 0;
    at = writeVarint(bytes, at, delta);
    at = writeVarint(bytes, at, keyBytes);
    if (keyBytes === key.length) {
      for (let i = 0; i < keyBytes; i++) bytes[at + i] = key.charCodeAt(i);
    } else {
      bytes.write(key, at, 'utf8');
    }
    at = writeVarint(bytes, at + keyBytes, value.length);
    bytes.set(value, at);
    at += value.length;
    bytes[at++] = 0;
    this.#at = at;
  }

  /** The finished batch, without offset, time and checksum: {@link stampBatch} writes those. */
  finish(): Buffer {
    assert(this.#count > 0, 'a batch has a record');
    const bytes = this.#bytes.subarray(0, this.#at);
    bytes.fill(0, 0, batchHeaderBytes);
    bytes.writeInt32BE(bytes.length - 12, 8);
    bytes[16] = 2;
    bytes.writeInt32BE(this.#count - 1, 23);
    bytes.fill(0xff, 43, 57);
    bytes.writeInt32BE(this.#count, 57);
    return bytes;
  }
}

/** Writes what is known only when a batch takes its place in the log: base offset, arrival time, checksum. */
export function stampBatch(batch: Buffer, baseOffset: number, timeMs: number): void {
  writeUint64(batch, 0, baseOffset);
  batch.writeInt16BE(logAppendTime, 21);
  writeUint64(batch, 27, timeMs);
  writeUint64(batch, 35, timeMs);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
}

export interface BatchHeader {
  readonly baseOffset: number;
  readonly recordCount: number;
  readonly timeMs: number;
  /** Length of the whole batch in bytes. */
  readonly bytes: number;
}

/** Reads the header of the batch at `at`; undefined when no whole batch of this format lies there. The checksum is the caller's. */
export function readBatchHeader(bytes: Buffer, at: number): BatchHeader | undefined {
  if (at + batchHeaderBytes > bytes.length || bytes[at + 16] !== 2) return undefined;
  const length = 12 + bytes.readInt32BE(at + 8);
  if (length < batchHeaderBytes || at + length > bytes.length) return undefined;
  return {
    baseOffset: readUint64(bytes, at),
    recordCount: bytes.readInt32BE(at + 57),
    timeMs: readUint64(bytes, at + 35),
    bytes: length,
  };
}

/** Walks the records of one batch without copying: `key` and `value` are ranges of its bytes. */
export class BatchReader {
  readonly bytes: Buffer;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  #at = batchHeaderBytes;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Steps to the next record; false at the end. */
  next(): boolean {
    if (this.#at >= this.bytes.length) return false;
    const length = this.#varint();
    const end = this.#at + length;
    this.#at += 2;
    this.#varint();
    const keyBytes = this.#varint();
    this.keyStart = this.#at;
    this.keyEnd = this.#at += keyBytes;
    const valueBytes = this.#varint();
    this.valueStart = this.#at;
    this.valueEnd = this.#at + valueBytes;
    this.#at = end;
    return true;
  }

  /** A zigzag varint that is not negative. */
  #varint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.#at++] as number;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[this.#at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    return value >>> 1;
  }
}

function varintBytes(value: number): number {
  if (value < 64) return 1;
  if (value < 8192) return 2;
  if (value < 1_048_576) return 3;
  return value < 134_217_728 ? 4 : 5;
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value * 2;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}
