import { AggregateBuilder, deaggregate } from '@millrace/client/aggregation';
import type { CodecJob, Figures } from './jobs.ts';

const aggregateBytesMax = 51_200;
/** Of each turn: about as many as a call brings. */
const turnRecords = 10_000;

/** Encodes and decodes aggregates in this process alone, by turns, as they come and go in a program that streams them. */
export function codec({ recordBytes, keys, records }: CodecJob): Promise<Figures> {
  const data = Buffer.alloc(recordBytes, 'x');
  const names = Array.from({ length: keys }, (_, i) => `user-${i}`);
  const builder = new AggregateBuilder();
  let next = 0;
  const encode = (): Uint8Array[] => {
    const aggregates: Uint8Array[] = [];
    for (let i = 0; i < turnRecords; i++) {
      const record = { partitionKey: names[next++ % keys] as string, data };
      if (builder.add(record, aggregateBytesMax)) continue;
      aggregates.push(builder.finish().data);
      builder.add(record);
    }
    aggregates.push(builder.finish().data);
    return aggregates;
  };
  const decode = (aggregates: readonly Uint8Array[]): number =>
    aggregates.reduce((sum, each) => sum + (deaggregate(each)?.length ?? 1), 0);
  const turns = Math.ceil(records / turnRecords);
  for (let turn = 0; turn < turns; turn++) decode(encode()); // What has been compiled.
  let encodeMs = 0;
  let decodeMs = 0;
  for (let turn = 0; turn < turns; turn++) {
    const startedMs = performance.now();
    const aggregates = encode();
    const encodedMs = performance.now();
    const decoded = decode(aggregates);
    encodeMs += encodedMs - startedMs;
    decodeMs += performance.now() - encodedMs;
    if (decoded !== turnRecords) throw new Error(`${decoded} records were decoded, of ${turnRecords}`);
  }
  return Promise.resolve({
    encodedPerSecond: ((turns * turnRecords) / encodeMs) * 1000,
    decodedPerSecond: ((turns * turnRecords) / decodeMs) * 1000,
  });
}
