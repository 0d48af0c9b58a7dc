import { AggregateBuilder, deaggregate } from '@millrace/client/aggregation';
import type { CodecJob, Figures } from './jobs.ts';

const aggregateBytesMax = 51_200;

/** Encodes and decodes aggregates in this process alone. */
export function codec({ recordBytes, keys, records }: CodecJob): Promise<Figures> {
  const data = Buffer.alloc(recordBytes, 'x');
  const names = Array.from({ length: keys }, (_, i) => `user-${i}`);
  const encode = (): Uint8Array[] => {
    const aggregates: Uint8Array[] = [];
    const builder = new AggregateBuilder();
    for (let i = 0; i < records; i++) {
      const record = { partitionKey: names[i % keys] as string, data };
      if (builder.add(record, aggregateBytesMax)) continue;
      aggregates.push(builder.finish().data);
      builder.add(record);
    }
    aggregates.push(builder.finish().data);
    return aggregates;
  };
  const decode = (aggregates: readonly Uint8Array[]): number =>
    aggregates.reduce((sum, each) => sum + (deaggregate(each)?.length ?? 1), 0);
  decode(encode()); // What has been compiled.
  const startedMs = performance.now();
  const aggregates = encode();
  const encodedMs = performance.now();
  const decoded = decode(aggregates);
  const decodedMs = performance.now();
  if (decoded !== records) throw new Error(`${decoded} records were decoded, of ${records}`);
  return Promise.resolve({
    encodedPerSecond: (records / (encodedMs - startedMs)) * 1000,
    decodedPerSecond: (records / (decodedMs - encodedMs)) * 1000,
  });
}
