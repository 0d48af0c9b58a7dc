import { KinesisClient, ListShardsCommand, type Shard } from '@aws-sdk/client-kinesis';
import type { ParseArgsOptionsConfig } from 'node:util';

/** Flags of every command that calls a server. */
export const clientFlags: ParseArgsOptionsConfig = { endpoint: { type: 'string' }, region: { type: 'string' } };

/** A client for the server that flags or the usual AWS variables name. */
export function connect(values: Readonly<Record<string, unknown>>): KinesisClient {
  const { env } = process;
  const endpoint =
    (values['endpoint'] as string | undefined) ??
    env['AWS_ENDPOINT_URL_KINESIS'] ??
    env['AWS_ENDPOINT_URL'] ??
    'http://127.0.0.1:4566';
  const region =
    (values['region'] as string | undefined) ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  return new KinesisClient({
    endpoint,
    region,
    credentials: {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? 'test',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? 'test',
      ...(env['AWS_SESSION_TOKEN'] !== undefined && { sessionToken: env['AWS_SESSION_TOKEN'] }),
    },
  });
}

/** All shards of a stream, page by page. */
export async function listShards(client: KinesisClient, StreamName: string): Promise<Shard[]> {
  const shards: Shard[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new ListShardsCommand(NextToken === undefined ? { StreamName } : { NextToken }));
    shards.push(...(page.Shards ?? []));
    ({ NextToken } = page);
  } while (NextToken !== undefined);
  return shards;
}
