import { BatchReader, ShardLogAbsentError, type ReadPage, type ShardLogId, type StoredBatch } from '../log/index.ts';
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
  const { fromOffset, bytesMax, recordsMax, nowMs } = from;
  const notBeforeMs = stream.horizonMs(nowMs);
  try {
    return takeRecords(
      await context.log.read(idOf(stream, shard), fromOffset, { bytesMax, recordsMax, notBeforeMs }),
      shard,
      from,
    );
  } catch (error) {
    throw goneOr(error, stream);
  }
}

/** Offset of the first record at or after a time. @throws ResourceNotFoundException when the stream has gone */
export async function offsetAt(context: StreamsContext, stream: Stream, shard: Shard, timeMs: number): Promise<number> {
  try {
    return await context.log.offsetAt(idOf(stream, shard), timeMs);
  } catch (error) {
    throw goneOr(error, stream);
  }
}

/** Whether a reader at this offset has had all that a closed shard will ever hold. */
export function isReadToItsEnd({ closed }: Shard, nextOffset: number): boolean {
  return closed !== undefined && nextOffset >= closed.endOffset;
}

const idOf = (stream: Stream, shard: Shard): ShardLogId => ({ group: stream.record.incarnation, shard: shard.number });

const goneOr = (error: unknown, stream: Stream): unknown =>
  error instanceof ShardLogAbsentError ? streamNotFound(stream.record) : error;

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
