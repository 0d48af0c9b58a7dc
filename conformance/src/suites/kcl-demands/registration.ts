import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { withStream } from '../../wire/stream.ts';
import type { Client } from './client.ts';

/** How a worker with fan-out makes sure of its consumer. Source: clients reference §2.3; KCL, FanOutConsumerRegistration. */
export async function checkRegistration(client: Client, checks: Checks): Promise<void> {
  await withStream(client, { ShardCount: 1 }, async ({ name }) => {
    await checks.check('a consumer is looked for, registered once for many workers, and found by all of them', () =>
      everyWorker(client, name),
    );
  });
}

async function everyWorker(client: Client, StreamName: string): Promise<void> {
  const StreamARN = await arnOf(client, StreamName);
  const ConsumerName = 'application';
  const absent = await client.call('DescribeStreamConsumer', { StreamARN, ConsumerName });
  assert.deepEqual([absent.status, absent.type], [400, 'ResourceNotFoundException']);
  // Workers that start together have all seen that there is none.
  const workers = await Promise.all(
    [0, 1, 2, 3].map(() => client.call('RegisterStreamConsumer', { StreamARN, ConsumerName })),
  );
  const [first, ...others] = workers.sort((a, b) => a.status - b.status);
  assert.equal(first?.status, 200);
  for (const { status, type } of others) assert.deepEqual([status, type], [400, 'ResourceInUseException']);
  const { ConsumerARN } = first.body['Consumer'] as { ConsumerARN: string };
  const byName = await descriptionOf(client, { StreamARN, ConsumerName });
  assert.equal(byName.ConsumerARN, ConsumerARN);
  await activeConsumer(client, ConsumerARN);
}

export async function arnOf(client: Client, StreamName: string): Promise<string> {
  const { StreamDescriptionSummary: summary } = await client.mustCall('DescribeStreamSummary', { StreamName });
  const { StreamARN, StreamId } = summary as { StreamARN: string; StreamId?: string };
  // A worker that is given an id names it in every later call.
  if (StreamId !== undefined) await client.mustCall('ListShards', { StreamName, StreamId });
  return StreamARN;
}

/** A new consumer, when it is ACTIVE. */
export async function registered(client: Client, StreamARN: string, ConsumerName: string): Promise<string> {
  const { Consumer } = await client.mustCall('RegisterStreamConsumer', { StreamARN, ConsumerName });
  const { ConsumerARN } = Consumer as { ConsumerARN: string };
  await activeConsumer(client, ConsumerARN);
  return ConsumerARN;
}

/** As a worker waits, by the ARN. */
async function activeConsumer(client: Client, ConsumerARN: string): Promise<void> {
  while ((await descriptionOf(client, { ConsumerARN })).ConsumerStatus !== 'ACTIVE') await sleep(100);
}

async function descriptionOf(client: Client, input: object): Promise<{ ConsumerARN: string; ConsumerStatus: string }> {
  const { ConsumerDescription } = await client.mustCall('DescribeStreamConsumer', input);
  return ConsumerDescription as { ConsumerARN: string; ConsumerStatus: string };
}
