import { BatchReader, ShardLogAbsentError, type ReadPage, type StoredBatch } from '../log/index.ts';
import type { Record as WireRecord } from '../model/index.ts';
import type { StreamsContext } from './context.ts';
import { originOf } from './shard/describe.ts';
import { SequenceWriter } from './shard/sequence-number.ts';
import type { Shard, Stream } from './state/stream.ts';
import { streamNotFound } from './wire-errors.ts';

export interface ReadFrom {
  readonly fromOffset: number;
  readonly recordsMax: number;
  /** Of data and keys; one record is taken whatever its size. */
  readonly bytesMax: number;
  readonly nowMs: number;
}

/** Records of a shard in their order. */
export interface Taken {
  readonly records: WireRecord[];
  readonly nextOffset: number;
  /** Data and keys. */
  readonly bytes: number;
  /** 0 where nothing newer is readable. */
  readonly millisBehind: number;
}

/** Reads from an offset on, up to the limits. @throws ResourceNotFoundException when the stream has gone */
export async function readShard(context: StreamsContext, stream: Stream, shard: Shard, from: ReadFrom): Promise<Taken> {
  const page = await readPage(context, stream, shard, from);
  return takeRecords(page, shard, from);
}

/** Offset of the first record at or after a time. @throws ResourceNotFoundException when the stream has gone */
export async function offsetAt(context: StreamsContext, stream: Stream, shard: Shard, timeMs: number): Promise<number> {
  const id = { group: stream.record.incarnation, shard: shard.number };
  return unlessGone(stream, () => context.log.offsetAt(id, timeMs));
}

/** Whether a reader at this offset has had all that a closed shard will ever hold. */
export function isReadToItsEnd({ closed }: Shard, nextOffset: number): boolean {
  return closed !== undefined && nextOffset >= closed.endOffset;
}

function readPage(context: StreamsContext, stream: Stream, shard: Shard, from: ReadFrom): Promise<ReadPage> {
  const id = { group: stream.record.incarnation, shard: shard.number };
  const { bytesMax, recordsMax } = from;
  const notBeforeMs = stream.horizonMs(from.nowMs);
  return unlessGone(stream, () => context.log.read(id, from.fromOffset, { bytesMax, recordsMax, notBeforeMs }));
}

async function unlessGone<Result>(stream: Stream, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ShardLogAbsentError) throw streamNotFound(stream.record);
    throw error;
  }
}

function takeRecords(page: ReadPage, shard: Shard, { fromOffset, recordsMax, bytesMax, nowMs }: ReadFrom): Taken {
  const records: WireRecord[] = [];
  const numbers = new SequenceWriter(originOf(shard));
  let nextOffset = Math.max(fromOffset, page.startOffset);
  let lastTimeMs = 0;
  let bytes = 0;
  const taken = (): Taken => ({
    records,
    nextOffset,
    bytes,
    millisBehind: nextOffset >= page.endOffset ? 0 : Math.max(0, nowMs - lastTimeMs),
  });
  for (const batch of page.batches) {
    const reader = new BatchReader(batch.bytes);
    for (let offset = batch.baseOffset; reader.next(); offset++) {
      if (offset < nextOffset) continue;
      const size = reader.keyEnd - reader.keyStart + reader.valueEnd - reader.valueStart;
      const isFull = records.length > 0 && bytes + size > bytesMax;
      if (isFull || records.length >= recordsMax) return taken();
      records.push(wireRecord(batch, reader, numbers.at(offset)));
      bytes += size;
      nextOffset = offset + 1;
      lastTimeMs = batch.timeMs;
    }
  }
  return taken();
}

function wireRecord(batch: StoredBatch, reader: BatchReader, SequenceNumber: string): WireRecord {
  return {
    SequenceNumber,
    ApproximateArrivalTimestamp: batch.timeMs,
    Data: reader.bytes.subarray(reader.valueStart, reader.valueEnd),
    PartitionKey: reader.bytes.toString('utf8', reader.keyStart, reader.keyEnd),
  };
}
