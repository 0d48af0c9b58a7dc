import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttp2Handler, NodeHttpHandler } from '@smithy/node-http-handler';
import type { Address } from './connection.ts';

/** The official SDK's client for what is measured. */
export function clientOf(address: Address, protocol: 'http1' | 'http2' = 'http1'): KinesisClient {
  return new KinesisClient({
    endpoint: `http://${address.host}:${address.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestHandler: protocol === 'http1' ? new NodeHttpHandler() : new NodeHttp2Handler(),
    maxAttempts: 1,
  });
}
