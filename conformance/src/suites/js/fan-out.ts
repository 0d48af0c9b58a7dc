import assert from 'node:assert/strict';
import {
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  ListTagsForResourceCommand,
  paginateListStreamConsumers,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  SplitShardCommand,
  SubscribeToShardCommand,
  type KinesisClient,
  type StartingPosition,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import { withStream } from './stream.ts';

const firstShard = 'shardId-000000000000';
const recordCount = 2000;
const recordsOfCall = 500;

/** Registered consumers, and what is pushed to them. */
export async function checkFanOut(client: KinesisClient, checks: Checks): Promise<void> {
  await withStream(client, { name: freshName('js-fan-out'), shardCount: 1 }, async ({ StreamName, StreamARN }) => {
    const stream = { name: StreamName as string, arn: StreamARN as string };
    await checks.check('consumers are registered, described, listed by pages, tagged and deregistered', () =>
      registration(client, stream),
    );
    await checks.check(
      'SubscribeToShard from before the first record gives all of them, in order, and its children',
      () => wholeShard(client, stream),
    );
  });
}

interface StreamOf {
  readonly name: string;
  readonly arn: string;
}

async function registration(client: KinesisClient, { name, arn }: StreamOf): Promise<void> {
  const names = ['a', 'b', 'c'];
  const arns: string[] = [];
  for (const ConsumerName of names) {
    const { Consumer } = await client.send(
      new RegisterStreamConsumerCommand({ StreamARN: arn, ConsumerName, Tags: { of: ConsumerName } }),
    );
    assert.equal(Consumer?.ConsumerName, ConsumerName);
    assert.ok(Consumer.ConsumerCreationTimestamp instanceof Date);
    arns.push(Consumer.ConsumerARN as string);
  }
  const again = new RegisterStreamConsumerCommand({ StreamARN: arn, ConsumerName: 'a' });
  await assert.rejects(client.send(again), ResourceInUseException);
  const listed: string[] = [];
  for await (const page of paginateListStreamConsumers({ client, pageSize: 2 }, { StreamARN: arn })) {
    listed.push(...(page.Consumers ?? []).map(({ ConsumerName }) => ConsumerName as string));
  }
  assert.deepEqual(listed, names);
  const { StreamDescriptionSummary: summary } = await client.send(
    new DescribeStreamSummaryCommand({ StreamName: name }),
  );
  assert.equal(summary?.ConsumerCount, names.length);
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN: arns[1] }));
  assert.deepEqual(Tags, [{ Key: 'of', Value: 'b' }]);
  await assert.rejects(client.send(new DeleteStreamCommand({ StreamName: name })), ResourceInUseException);
  const { ConsumerDescription } = await client.send(
    new DescribeStreamConsumerCommand({ StreamARN: arn, ConsumerName: 'c' }),
  );
  assert.equal(ConsumerDescription?.ConsumerARN, arns[2]);
  assert.equal(ConsumerDescription?.StreamARN, arn);
  for (const ConsumerARN of arns) {
    await client.send(new DeregisterStreamConsumerCommand({ ConsumerARN }));
    await assert.rejects(client.send(new DescribeStreamConsumerCommand({ ConsumerARN })), ResourceNotFoundException);
  }
}

/** A half is stored before, the other half comes while it is subscribed; then the shard is closed. */
async function wholeShard(client: KinesisClient, { name, arn }: StreamOf): Promise<void> {
  await putNumbers(client, name, 0, recordCount / 2);
  const { Consumer } = await client.send(new RegisterStreamConsumerCommand({ StreamARN: arn, ConsumerName: 'reader' }));
  const ConsumerARN = Consumer?.ConsumerARN as string;
  const subscribe = async (StartingPosition: StartingPosition): Promise<AsyncIterable<SubscribeToShardEvent>> => {
    const { EventStream } = await client.send(
      new SubscribeToShardCommand({ ConsumerARN, ShardId: firstShard, StartingPosition }),
    );
    return eventsOf(EventStream as AsyncIterable<{ SubscribeToShardEvent?: SubscribeToShardEvent }>);
  };
  const events = await subscribe({ Type: 'TRIM_HORIZON' });
  await assert.rejects(subscribe({ Type: 'LATEST' }), ResourceInUseException);
  const producing = (async () => {
    await putNumbers(client, name, recordCount / 2, recordCount / 2);
    await client.send(
      new SplitShardCommand({ StreamName: name, ShardToSplit: firstShard, NewStartingHashKey: String(2n ** 127n) }),
    );
  })();
  const read: number[] = [];
  let last: SubscribeToShardEvent | undefined;
  for await (const event of events) {
    for (const { Data } of event.Records ?? []) read.push(Number(Buffer.from(Data as Uint8Array).toString()));
    last = event;
  }
  await producing;
  assert.deepEqual(
    read,
    Array.from({ length: recordCount }, (_, number) => number),
  );
  assert.equal(last?.ContinuationSequenceNumber, undefined);
  assert.deepEqual(
    last?.ChildShards?.map(({ ShardId, ParentShards }) => [ShardId, ParentShards]),
    [1, 2].map((number) => [`shardId-00000000000${number}`, [firstShard]]),
  );
  await client.send(new DeregisterStreamConsumerCommand({ ConsumerARN }));
}

async function* eventsOf(
  stream: AsyncIterable<{ SubscribeToShardEvent?: SubscribeToShardEvent }>,
): AsyncIterable<SubscribeToShardEvent> {
  for await (const { SubscribeToShardEvent: event } of stream) if (event !== undefined) yield event;
}

async function putNumbers(client: KinesisClient, StreamName: string, from: number, count: number): Promise<void> {
  for (let first = from; first < from + count; first += recordsOfCall) {
    const Records = Array.from({ length: recordsOfCall }, (_, index) => ({
      PartitionKey: 'k',
      Data: Buffer.from(String(first + index)),
    }));
    const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }));
    assert.equal(FailedRecordCount, 0);
  }
}
