import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import type { Client } from './client.ts';
import { withServerAndClient } from './own-servers.ts';
import { arnOf, registered } from './registration.ts';
import { assertExactCover, assertLineage } from './shapes.ts';
import { listShards, shardId, splitOf } from './streams.ts';

const StreamName = 'states';
const delayMs = 700;

/** What workers are told while streams and consumers come, change and go; with a server on which that takes its time. */
export async function checkStates(checks: Checks): Promise<void> {
  await withServerAndClient(['--lifecycle-delay-ms', String(delayMs)], async (client) => {
    await checks.check('ListShards waits for a stream by ResourceInUseException while it is CREATING', () =>
      creatingStream(client),
    );
    await checks.check('a consumer is seen CREATING, then ACTIVE, and cannot be subscribed before', () =>
      creatingConsumer(client),
    );
    await checks.check('a stream that is UPDATING lists its children, and is read and written', () => updating(client));
  });
}

async function creatingStream(client: Client): Promise<void> {
  await client.mustCall('CreateStream', { StreamName, ShardCount: 1 });
  const filter = { StreamName, ShardFilter: { Type: 'AT_LATEST' } };
  const early = await client.call('ListShards', filter);
  assert.deepEqual([early.status, early.type], [400, 'ResourceInUseException']);
  while ((await client.call('ListShards', filter)).type === 'ResourceInUseException') await sleep(50);
  assertExactCover(await listShards(client, filter));
}

async function creatingConsumer(client: Client): Promise<void> {
  const StreamARN = await arnOf(client, StreamName);
  const input = { StreamARN, ConsumerName: 'worker' };
  const { Consumer } = await client.mustCall('RegisterStreamConsumer', input);
  const { ConsumerARN, ConsumerStatus } = Consumer as { ConsumerARN: string; ConsumerStatus: string };
  assert.equal(ConsumerStatus, 'CREATING');
  const early = { ConsumerARN, ShardId: shardId(0), StartingPosition: { Type: 'LATEST' } };
  assert.equal((await client.refusedSubscription(early)).type, 'ResourceInUseException');
  const other = await registered(client, StreamARN, 'another');
  for (const arn of [other, ConsumerARN]) {
    const subscription = await client.subscribe(arn, shardId(0), { Type: 'LATEST' });
    await subscription.event();
    subscription.cancel();
  }
}

async function updating(client: Client): Promise<void> {
  const [operation, input] = splitOf(0);
  await client.mustCall(operation, { StreamName, ...input });
  const { StreamDescriptionSummary: summary } = await client.mustCall('DescribeStreamSummary', { StreamName });
  assert.equal((summary as { StreamStatus: string }).StreamStatus, 'UPDATING');
  const shards = await listShards(client, { StreamName });
  assertLineage(shards);
  assert.equal(shards.length, 3);
  const record = { PartitionKey: 'k', ExplicitHashKey: '0', Data: Uint8Array.of(1) };
  assert.equal((await client.mustCall('PutRecord', { StreamName, ...record }))['ShardId'], shardId(1));
}
