import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import { startOwnServer } from '../../harness/own-server.ts';
import { region } from '../../harness/target.ts';
import { Caller, type Answer } from '../../wire/call.ts';

const account = '000000000000';
const data = Uint8Array.of(1);
const StreamName = 'limited';

/** Messages of rates, account limits and states, which take servers with other settings. Source: data-streams reference §2.4. */
export async function checkLimitMessages(checks: Checks): Promise<void> {
  const low = [
    'shard-write-records',
    'get-shard-iterator-calls',
    'shard-read-calls',
    'describe-stream-calls',
    'describe-stream-summary-calls',
  ];
  const flags = ['--limit-account-shards', '3', ...low.flatMap((name) => [`--limit-${name}`, '1'])];
  await withServer(flags, async (caller) => {
    await caller.mustCall('CreateStream', { StreamName, ShardCount: 1 });
    await checkShardLimit(caller, checks);
    await checkRates(caller, checks);
  });
  await withServer(['--lifecycle-delay-ms', '3000000'], async (caller) => {
    await caller.mustCall('CreateStream', { StreamName, ShardCount: 1 });
    await checkNotActive(caller, checks);
  });
}

async function withServer(flags: readonly string[], use: (caller: Caller) => Promise<void>): Promise<void> {
  const server = await startOwnServer(flags);
  const caller = new Caller({ name: 'http', endpoint: server.endpoint });
  try {
    await use(caller);
  } finally {
    caller.close();
    await server.close();
  }
}

async function checkShardLimit(caller: Caller, checks: Checks): Promise<void> {
  await checks.check('CreateStream above the shard limit', async () => {
    const { status, type, message } = await caller.call('CreateStream', { StreamName: 'another', ShardCount: 3 });
    assert.deepEqual([status, type], [400, 'LimitExceededException']);
    const begin =
      `This request would exceed the shard limit for the account ${account} in ${region}. Current shard count for the account: 1. ` +
      'Limit: 3. Number of additional shards that would have resulted from this request: 3.';
    assert.ok(message?.startsWith(begin), message);
  });
}

/** One call a second is let through. */
async function checkRates(caller: Caller, checks: Checks): Promise<void> {
  const exceeded = 'ProvisionedThroughputExceededException';
  const ofShard = `Rate exceeded for shard shardId-000000000000 in stream ${StreamName} under account ${account}.`;
  const start = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  const record = { PartitionKey: 'k', Data: data };
  const { ShardIterator } = await caller.mustCall('GetShardIterator', start);
  const check = (operation: string, input: object, type: string, message: string | RegExp): Promise<void> =>
    checks.check(`${operation} above its rate`, async () => {
      const refused = await firstRefused(caller, operation, input);
      assert.deepEqual([refused.status, refused.type], [400, type]);
      if (typeof message === 'string') assert.equal(refused.message, message);
      else assert.match(refused.message ?? '', message);
    });
  await check('GetShardIterator', start, exceeded, ofShard);
  await check('PutRecord', { StreamName, ...record }, exceeded, ofShard);
  const ofRead = new RegExp(
    `^(${ofShard.replaceAll('.', '\\.')}|Rate exceeded for Shard - ${account}/${StreamName}/shardId-000000000000)$`,
  );
  await check('GetRecords', { ShardIterator }, exceeded, ofRead);
  await check('DescribeStream', { StreamName }, 'LimitExceededException', /^Rate exceeded for /);
  await check('DescribeStreamSummary', { StreamName }, 'LimitExceededException', /^Rate exceeded for /);
  await checks.check('PutRecords above the rate of a shard answers for each record', async () => {
    const { FailedRecordCount, Records } = await caller.mustCall('PutRecords', {
      StreamName,
      Records: [record, record, record],
    });
    assert.ok((FailedRecordCount as number) >= 2, `FailedRecordCount ${String(FailedRecordCount)}`);
    assert.deepEqual((Records as unknown[]).at(-1), { ErrorCode: exceeded, ErrorMessage: ofShard });
  });
}

async function firstRefused(caller: Caller, operation: string, input: object): Promise<Answer> {
  for (let call = 0; call < 50; call++) {
    const answer = await caller.call(operation, input);
    if (answer.status !== 200) return answer;
  }
  throw new Error('50 calls were let through');
}

async function checkNotActive(caller: Caller, checks: Checks): Promise<void> {
  const message = `Stream ${StreamName} under account ${account} not ACTIVE, instead in state CREATING`;
  const inputs: Readonly<Record<string, object>> = {
    DeleteStream: {},
    ListShards: {},
    AddTagsToStream: { Tags: { a: 'b' } },
    IncreaseStreamRetentionPeriod: { RetentionPeriodHours: 48 },
  };
  for (const [operation, input] of Object.entries(inputs)) {
    await checks.check(`${operation} of a stream that is CREATING`, async () => {
      const answer = await caller.call(operation, { StreamName, ...input });
      assert.deepEqual([answer.status, answer.type, answer.message], [400, 'ResourceInUseException', message]);
    });
  }
}
