import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { expect, it } from 'vitest';
import { type ReadFrom, sdkConsumerCalls } from './calls.ts';

const moment = new Date(Date.UTC(2026, 0, 1));
const signal = new AbortController().signal;

interface Sent {
  readonly ShardIteratorType?: string;
  readonly StartingPosition?: { readonly Type: string };
}

/** A service that refuses every moment, with that error. */
function refusing(name: string): { client: KinesisClient; types: string[] } {
  const types: string[] = [];
  const client = {
    send: async ({ input }: { input: Sent }) => {
      const type = input.ShardIteratorType ?? input.StartingPosition?.Type ?? '';
      types.push(type);
      if (type === 'AT_TIMESTAMP') throw Object.assign(new Error('in the future'), { name });
      return { ShardIterator: 'iterator', EventStream: [] };
    },
  };
  return { client: client as unknown as KinesisClient, types };
}

async function readBoth(client: KinesisClient, from: ReadFrom): Promise<void> {
  const calls = sdkConsumerCalls(client, 'arn:aws:kinesis:us-east-1:0:stream/s');
  await calls.shardIterator('shard', from, signal);
  for await (const { records } of calls.subscribe('consumer', 'shard', from, signal)) expect(records).toEqual([]);
}

it('a service whose clock is behind refuses the moment of LATEST, and is asked for its own', async () => {
  const { client, types } = refusing('InvalidArgumentException');
  await readBoth(client, { type: 'AT_TIMESTAMP', timestamp: moment, isLatest: true });
  expect(types).toEqual(['AT_TIMESTAMP', 'LATEST', 'AT_TIMESTAMP', 'LATEST']);
});

it('a moment that somebody has chosen is not another one', async () => {
  const { client } = refusing('InvalidArgumentException');
  const from = { type: 'AT_TIMESTAMP', timestamp: moment } as const;
  await expect(readBoth(client, from)).rejects.toThrow('in the future');
});

it('what is refused for another reason is refused', async () => {
  const { client, types } = refusing('ResourceNotFoundException');
  const from = { type: 'AT_TIMESTAMP', timestamp: moment, isLatest: true } as const;
  await expect(readBoth(client, from)).rejects.toThrow('in the future');
  expect(types).toEqual(['AT_TIMESTAMP']);
});
