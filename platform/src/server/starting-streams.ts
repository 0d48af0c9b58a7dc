import { ResourceInUseException, type KinesisOperations } from '../model/index.ts';
import type { ServerConfig } from './config.ts';

type Create = Partial<KinesisOperations<{ account: string; region: string; operation: string }>>['createStream'];

/** Makes the streams of `--streams` that are not there, for the default account and region. */
export async function makeStreams(
  streams: ServerConfig['streams'],
  operations: { createStream?: Create },
): Promise<void> {
  const region = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const caller = { account: '000000000000', region, operation: 'CreateStream' };
  for (const { name, shards } of streams) {
    try {
      await operations.createStream?.({ StreamName: name, ShardCount: shards }, caller);
    } catch (error) {
      if (!(error instanceof ResourceInUseException)) throw error;
    }
  }
}
