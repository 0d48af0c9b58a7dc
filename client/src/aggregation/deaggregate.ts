import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { digestBytes, magic, tags, type UserRecord } from './format.ts';
import { ProtobufReader } from './protobuf-reader.ts';

/** What an aggregate holds. */
export interface Aggregate {
  /** In order; their data are views of the aggregate's. */
  readonly records: UserRecord[];
  /** See {@link AggregateBuilder}. */
  readonly isPutAgainWhole: boolean;
}

/** The user records of an {@link Aggregate}; `undefined` when the data is none. */
export function deaggregate(data: Uint8Array): UserRecord[] | undefined {
  return readAggregate(data)?.records;
}

/**
 * What the data of a Kinesis record holds.
 *
 * `undefined` when the data is not an aggregate: no magic number, a digest that does not match, a message that is not whole. Then the Kinesis
 * record is itself the user record, as the KCL sees it. Never throws, whatever the bytes.
 */
export function readAggregate(data: Uint8Array): Aggregate | undefined {
  if (!hasMagic(data)) return undefined;
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.length);
  const end = bytes.length - digestBytes;
  const digest = hash('md5', bytes.subarray(magic.length, end), 'buffer');
  return digest.compare(bytes, end) === 0 ? readMessage(bytes, end) : undefined;
}

/** Longer than what every aggregate has, and beginning like one. */
function hasMagic(data: Uint8Array): boolean {
  if (data.length <= magic.length + digestBytes) return false;
  for (let at = 0; at < magic.length; at++) if (data[at] !== magic[at]) return false;
  return true;
}

function readMessage(bytes: Buffer, end: number): Aggregate | undefined {
  const reader = new ProtobufReader(bytes, magic.length, end);
  const keys: string[] = [];
  const hashKeys: string[] = [];
  // The tables may come behind the records that refer to them.
  const parts: RecordParts[] = [];
  let isPutAgainWhole = false;
  while (reader.hasMore) {
    const tag = reader.varint();
    if (tag === tags.record) parts.push(readRecord(reader));
    else if (tag === tags.partitionKey) keys.push(reader.text());
    else if (tag === tags.explicitHashKey) hashKeys.push(reader.text());
    else if (tag === tags.putAgainWhole) isPutAgainWhole = reader.varint() === 1;
    else reader.skip(tag);
  }
  if (reader.isMalformed) return undefined;
  const records: UserRecord[] = [];
  for (const { keyIndex, hashKeyIndex, start, end: dataEnd } of parts) {
    const partitionKey = keys[keyIndex];
    const explicitHashKey = hashKeyIndex < 0 ? undefined : hashKeys[hashKeyIndex];
    if (partitionKey === undefined || start < 0 || (hashKeyIndex >= 0 && explicitHashKey === undefined))
      return undefined;
    records.push({ partitionKey, explicitHashKey, data: bytes.subarray(start, dataEnd) });
  }
  return { records, isPutAgainWhole };
}

/** Where the parts of a record are; -1 is none. */
interface RecordParts {
  readonly keyIndex: number;
  readonly hashKeyIndex: number;
  readonly start: number;
  readonly end: number;
}

function readRecord(reader: ProtobufReader): RecordParts {
  const messageEnd = reader.end;
  reader.end = reader.lengthEnd();
  let keyIndex = -1;
  let hashKeyIndex = -1;
  let start = -1;
  let end = -1;
  while (reader.hasMore) {
    const tag = reader.varint();
    if (tag === tags.data) {
      end = reader.lengthEnd();
      start = reader.at;
      reader.at = end;
    } else if (tag === tags.partitionKeyIndex) keyIndex = reader.varint();
    else if (tag === tags.explicitHashKeyIndex) hashKeyIndex = reader.varint();
    else reader.skip(tag);
  }
  reader.end = messageEnd;
  return { keyIndex, hashKeyIndex, start, end };
}
