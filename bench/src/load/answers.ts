const failedCount = Buffer.from('"FailedRecordCount"');
const partitionKey = Buffer.from('"PartitionKey"');
const nextIterator = Buffer.from('"NextShardIterator"');
const sequenceNumber = Buffer.from('"SequenceNumber"');
const quote = 0x22;
const tailBytes = 4096;

// Answers are looked through for the few bytes that matter: parsing megabytes of JSON would make the load the bottleneck.

/** Records that a PutRecords answer reports as failed. */
export function failedRecords(body: Buffer): number {
  const at = body.indexOf(failedCount);
  if (at < 0) return 0;
  return Number.parseInt(body.toString('latin1', at + failedCount.length + 1, at + failedCount.length + 13), 10) || 0;
}

/** Records in a GetRecords answer whose records hold at least `recordBytesMin` bytes of JSON. */
export function countRecords(body: Buffer, recordBytesMin = 1): number {
  let count = 0;
  let at = body.indexOf(partitionKey);
  while (at >= 0) {
    count++;
    at = body.indexOf(partitionKey, at + recordBytesMin);
  }
  return count;
}

/** The iterator to go on with; undefined at the end of a closed shard. */
export function nextShardIterator(body: Buffer): string | undefined {
  // Most servers write it last, some first.
  let at = body.indexOf(nextIterator, Math.max(0, body.length - tailBytes));
  if (at < 0) at = body.indexOf(nextIterator);
  return at < 0 ? undefined : textAfter(body, at + nextIterator.length);
}

/** The sequence number of the first record. */
export function firstSequenceNumber(body: Buffer): string | undefined {
  const at = body.indexOf(sequenceNumber);
  return at < 0 ? undefined : textAfter(body, at + sequenceNumber.length);
}

/** The string value after a key's closing quote. */
function textAfter(body: Buffer, at: number): string | undefined {
  const from = body.indexOf(quote, at);
  if (from < 0 || from > at + 4) return undefined;
  return body.toString('latin1', from + 1, body.indexOf(quote, from + 1));
}
