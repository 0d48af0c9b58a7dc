import { crc32c } from '../crc32c.ts';
import { readBatchHeader, type BatchHeader } from '../record-batch.ts';

/** The batch at `at`, when it is whole by its own checksum and counts. Its base offset lies outside that checksum. */
export function soundBatch(bytes: Buffer, at: number): BatchHeader | undefined {
  const header = readBatchHeader(bytes, at);
  if (header === undefined || !hasCounts(bytes, at)) return undefined;
  const sum = crc32c(bytes.subarray(at + 21, at + header.bytes));
  return sum === bytes.readUInt32BE(at + 17) ? header : undefined;
}

/** Whether the two places that tell the count of records agree. */
export function hasCounts(bytes: Buffer, at: number): boolean {
  const count = bytes.readInt32BE(at + 57);
  return count > 0 && bytes.readInt32BE(at + 23) === count - 1;
}

export interface BatchesFault {
  /** Position in `bytes`. */
  readonly at: number;
  readonly fromOffset: number;
  readonly endOffset: number;
  readonly reason: 'damaged' | 'absent';
}

/** What is wrong with a run of batches that should hold the offsets from `fromOffset` up to `endOffset`, all of them. */
export function batchFaults(
  bytes: Buffer,
  run: { readonly at: number; readonly fromOffset: number; readonly endOffset: number },
): BatchesFault[] {
  const faults: BatchesFault[] = [];
  let { at, fromOffset: next } = run;
  while (at < bytes.length) {
    const header = readBatchHeader(bytes, at);
    const end = header === undefined ? 0 : header.baseOffset + header.recordCount;
    if (header === undefined || header.baseOffset < next || end > run.endOffset || !hasCounts(bytes, at)) {
      faults.push({ at, fromOffset: next, endOffset: run.endOffset, reason: 'damaged' });
      return faults;
    }
    if (header.baseOffset > next) {
      faults.push({ at, fromOffset: next, endOffset: header.baseOffset, reason: 'absent' });
    }
    if (soundBatch(bytes, at) === undefined) {
      faults.push({ at, fromOffset: header.baseOffset, endOffset: end, reason: 'damaged' });
    }
    next = end;
    at += header.bytes;
  }
  if (next < run.endOffset) faults.push({ at, fromOffset: next, endOffset: run.endOffset, reason: 'absent' });
  return faults;
}
