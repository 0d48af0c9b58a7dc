import type { AppendEntry, LogEngine, ReadOptions, ShardLogId, StoredBatch } from '../../platform/src/log/engine.ts';
import {
  BatchBuilder,
  BatchReader,
  batchHeaderBytes,
  recordOverheadBytesMax,
} from '../../platform/src/log/record-batch.ts';

/** No limit. */
export const readAll: ReadOptions = { bytesMax: Infinity, recordsMax: Infinity, notBeforeMs: 0 };

/** A batch whose records tell which it is: keys `name/0`, `name/1`, …; values that follow from key and length. */
export function namedBatch(
  id: ShardLogId,
  name: string,
  options: { records: number; valueBytes: number },
): AppendEntry {
  const keys = Array.from({ length: options.records }, (_, i) => `${name}/${i}`);
  const bytes = keys.reduce(
    (sum, key) => sum + key.length + options.valueBytes + recordOverheadBytesMax,
    batchHeaderBytes,
  );
  const builder = new BatchBuilder(bytes);
  for (const key of keys) builder.add(key, Buffer.byteLength(key), valueOf(key, options.valueBytes));
  return { group: id.group, shard: id.shard, batch: builder.finish(), recordCount: builder.recordCount };
}

export function valueOf(key: string, bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  let x = 0;
  for (let i = 0; i < key.length; i++) x = (x * 31 + key.charCodeAt(i)) >>> 0;
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    value[i] = x >>> 24;
  }
  return value;
}

export interface ReadRecord {
  readonly key: string;
  readonly value: Buffer;
}

export function recordsOf(batch: StoredBatch): ReadRecord[] {
  const records: ReadRecord[] = [];
  for (const reader = new BatchReader(batch.bytes); reader.next();) {
    records.push({
      key: reader.bytes.toString('utf8', reader.keyStart, reader.keyEnd),
      value: Buffer.from(reader.bytes.subarray(reader.valueStart, reader.valueEnd)),
    });
  }
  return records;
}

export interface NamedBatch {
  readonly name: string;
  readonly baseOffset: number;
  readonly recordCount: number;
  readonly timeMs: number;
}

/** Which batch of {@link namedBatch} this is. @throws Error when its content is not what was written */
export function nameOf(batch: StoredBatch): NamedBatch {
  const records = recordsOf(batch);
  const name = records[0]?.key.replace(/\/0$/, '') ?? '';
  const isWhole =
    records.length === batch.recordCount &&
    records.every(({ key, value }, i) => key === `${name}/${i}` && value.equals(valueOf(key, value.length)));
  if (!isWhole) throw new Error(`the batch at ${batch.baseOffset} ("${name}") does not hold what was written`);
  return { name, baseOffset: batch.baseOffset, recordCount: batch.recordCount, timeMs: batch.timeMs };
}

/** All readable batches of a shard, page by page. */
export async function readShard(
  log: LogEngine,
  id: ShardLogId,
  options: Partial<ReadOptions> = {},
): Promise<NamedBatch[]> {
  const found: NamedBatch[] = [];
  for (let offset = 0; ;) {
    const page = await log.read(id, offset, { ...readAll, ...options });
    for (const batch of page.batches) {
      const named = nameOf(batch);
      if (named.baseOffset < offset && found.length > 0) throw new Error(`offset ${offset} was read twice`);
      found.push(named);
      offset = named.baseOffset + named.recordCount;
    }
    if (page.batches.length === 0 || offset >= page.endOffset) return found;
  }
}
