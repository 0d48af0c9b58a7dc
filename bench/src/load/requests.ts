import { randomBytes } from 'node:crypto';
import type { Signer } from './signer.ts';

/** Enough different bodies that keys spread over the shards and nothing can be remembered, few enough to prepare at once. */
const batchBodies = 24;
const singleBodies = 512;

const partitionKeyBytes = 8;

export interface PutShape {
  readonly streamName: string;
  readonly recordsPerCall: number;
  readonly recordBytes: number;
}

/** Signed put requests with random data, to be sent in turn. */
export function putRequests(signer: Signer, { streamName, recordsPerCall, recordBytes }: PutShape): Buffer[] {
  if (recordsPerCall === 1) {
    return Array.from({ length: singleBodies }, () =>
      signer.request('PutRecord', { StreamName: streamName, ...randomRecord(recordBytes) }),
    );
  }
  return Array.from({ length: batchBodies }, () => {
    const Records = Array.from({ length: recordsPerCall }, () => randomRecord(recordBytes));
    return signer.request('PutRecords', { StreamName: streamName, Records });
  });
}

function randomRecord(bytes: number): { Data: string; PartitionKey: string } {
  return {
    Data: randomBytes(bytes).toString('base64'),
    PartitionKey: randomBytes(partitionKeyBytes).toString('hex'),
  };
}
