import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import type { Target } from '../../harness/target.ts';
import type { Answer } from '../../wire/call.ts';
import { nameOf, typeInHeader, waysOf, withClient, type Client, type Way } from './client.ts';
import { withServer } from './own-servers.ts';
import { arnOf, registered } from './registration.ts';
import { iteratorOf, shardId } from './streams.ts';

const StreamName = 'throttled';
const ShardId = shardId(0);
const limited = [
  'list-shards-calls',
  'describe-stream-summary-calls',
  'describe-stream-consumer-calls',
  'register-stream-consumer-calls',
  'subscribe-to-shard-calls',
  'get-shard-iterator-calls',
  'shard-read-calls',
  'shard-write-records',
];

/**
 * What tells a worker to wait: it goes by the type alone, and takes any other for a failure. With a server that grants little.
 * Source: clients reference §2.5; data-streams reference §2.
 */
export async function checkThrottles(target: Target, checks: Checks): Promise<void> {
  const flags = limited.flatMap((name) => [`--limit-${name}`, '2']);
  // A server for each, since some rates are an account's.
  for (const index of waysOf(target).keys()) {
    await withServer(flags, async (own) => {
      const way = waysOf(own)[index] as Way;
      checks.prefix = `${nameOf(way)}: `;
      await withClient(way, (client) => checkWay(client, checks));
    });
  }
  checks.prefix = '';
}

async function checkWay(client: Client, checks: Checks): Promise<void> {
  await client.mustCall('CreateStream', { StreamName, ShardCount: 1 });
  const StreamARN = await arnOf(client, StreamName);
  const stream = { StreamName, StreamARN };
  const ConsumerARN = await registered(client, StreamARN, 'worker');
  const ShardIterator = await iteratorOf(client, stream, { ShardId, ShardIteratorType: 'LATEST' });
  const rows: readonly (readonly [string, object, string])[] = [
    ['ListShards', stream, 'LimitExceededException'],
    ['DescribeStreamSummary', stream, 'LimitExceededException'],
    ['DescribeStreamConsumer', { ConsumerARN }, 'LimitExceededException'],
    ['RegisterStreamConsumer', { StreamARN, ConsumerName: 'worker' }, 'LimitExceededException'],
    ['GetShardIterator', { ...stream, ShardId, ShardIteratorType: 'LATEST' }, 'ProvisionedThroughputExceededException'],
    ['GetRecords', { ShardIterator, StreamARN }, 'ProvisionedThroughputExceededException'],
  ];
  for (const [operation, input, type] of rows) {
    await checks.check(`${operation} above its rate answers ${type}`, async () =>
      assertThrottle(await firstThrottled(client, operation, input), type),
    );
  }
  await checks.check('SubscribeToShard above its rate answers LimitExceededException', async () => {
    const input = { ConsumerARN, ShardId, StartingPosition: { Type: 'LATEST' } };
    const types: (string | undefined)[] = [];
    for (let call = 0; call < 20 && types.at(-1) !== 'LimitExceededException'; call++) {
      const result = await client.trySubscribe(input);
      if ('cancel' in result) result.cancel();
      types.push('type' in result ? result.type : 'granted');
    }
    assert.equal(types.at(-1), 'LimitExceededException', types.join(', '));
  });
  await checks.check('PutRecords above its rate says so record by record', () => partlyThrottled(client));
}

/** A rate is for a second; some calls are granted. */
async function firstThrottled(client: Client, operation: string, input: object): Promise<Answer> {
  const isGranted = new Set([undefined, 'ResourceInUseException']);
  for (let call = 0; call < 30; call++) {
    const answer = await client.call(operation, input);
    if (!isGranted.has(answer.type)) return answer;
  }
  throw new Error('30 calls were granted');
}

function assertThrottle(answer: Answer, type: string): void {
  assert.deepEqual([answer.status, answer.type], [400, type]);
  assert.equal(typeof answer.message, 'string');
  assert.ok([undefined, type].includes(typeInHeader(answer)), 'x-amzn-ErrorType');
  assert.ok(answer.raw.headers['x-amzn-requestid'] !== undefined, 'x-amzn-RequestId');
}

async function partlyThrottled(client: Client): Promise<void> {
  const record = { PartitionKey: 'k', Data: Uint8Array.of(1) };
  const Records = Array<object>(10).fill(record);
  const answer = await client.mustCall('PutRecords', { StreamName, Records });
  const results = answer['Records'] as Readonly<Record<string, string | undefined>>[];
  assert.equal(results.length, Records.length);
  const refused = results.filter((each) => each['SequenceNumber'] === undefined);
  assert.ok(refused.length > 0, 'some are refused');
  assert.equal(answer['FailedRecordCount'], refused.length);
  for (const each of refused) {
    assert.equal(each['ErrorCode'], 'ProvisionedThroughputExceededException');
    assert.equal(typeof each['ErrorMessage'], 'string');
    assert.equal(each['ShardId'], undefined);
  }
}
