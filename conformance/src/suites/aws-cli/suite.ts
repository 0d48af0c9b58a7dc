import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { pythonEnvironment } from '../../harness/python.ts';
import { freshName, type Target, type Transport } from '../../harness/target.ts';
import { AwsCli } from './aws.ts';
import { checkReading, putFiles, type ReadRecord } from './reading.ts';

const requirement = 'awscli==1.46.2';
/** Version 2, which is not on PyPI, has 254. */
const serviceErrorCode = 255;

/** The commands one after another, as a person would give them; each takes the CLI most of a second to start. */
export async function awsCliSuite(target: Target, checks: Checks): Promise<void> {
  const program = join(await pythonEnvironment(requirement), 'aws');
  const folder = freshFolder('aws-cli');
  try {
    for (const transport of target.transports) await checkOver(transport, checks, program, folder.path);
  } finally {
    folder.remove();
  }
}

async function checkOver(transport: Transport, checks: Checks, program: string, folder: string): Promise<void> {
  const aws = new AwsCli(program, transport);
  const name = freshName('aws-cli');
  const stream = ['--stream-name', name];
  checks.prefix = `${transport.name} `;
  await checks.check('create-stream and wait stream-exists', async () => {
    assert.equal((await aws.mustRun('create-stream', ...stream, '--shard-count', '2')).stdout, '');
    await aws.mustRun('wait', 'stream-exists', ...stream);
  });
  await checks.check('describe-stream', async () => {
    const { StreamDescription: found } = await aws.json<{
      StreamDescription: { StreamName: string; Shards: unknown[] };
    }>('describe-stream', ...stream);
    assert.equal(found.StreamName, name);
    assert.equal(found.Shards.length, 2);
  });
  await checks.check('list-streams and list-shards', async () => {
    const [{ StreamNames }, { Shards }] = await Promise.all([
      aws.json<{ StreamNames: string[] }>('list-streams', '--page-size', '1'),
      aws.json<{ Shards: { ShardId: string }[] }>('list-shards', ...stream),
    ]);
    assert.ok(StreamNames.includes(name));
    assert.deepEqual(
      Shards.map(({ ShardId }) => ShardId),
      ['shardId-000000000000', 'shardId-000000000001'],
    );
  });
  const latest = await aws.iterator(name, 'LATEST');
  let stored: ReadRecord[] = [];
  await checks.check('put-records from files', async () => {
    stored = await putFiles(aws, name, folder);
  });
  await checkReading(aws, checks, { name, latest, stored });
  await checks.check('errors and exit codes', () => errors(aws, name));
  await checks.check('split-shard, merge-shards, update-shard-count', () => reshard(aws, name));
  await checks.check('register-stream-consumer, list-stream-consumers, deregister-stream-consumer', () =>
    consumers(aws, name),
  );
  await checks.check('delete-stream and wait stream-not-exists', async () => {
    await aws.mustRun('delete-stream', ...stream);
    await aws.mustRun('wait', 'stream-not-exists', ...stream);
  });
}

async function errors(aws: AwsCli, name: string): Promise<void> {
  const [absent, existing, invalid] = await Promise.all([
    aws.run('describe-stream', '--stream-name', 'no-such'),
    aws.run('create-stream', '--stream-name', name, '--shard-count', '1'),
    aws.run('put-record', '--stream-name', 'a b', '--partition-key', 'k', '--data', 'x'),
  ]);
  assert.match(
    absent.stderr,
    /An error occurred \(ResourceNotFoundException\) when calling the DescribeStream operation: Stream no-such under account \d{12} not found\./,
  );
  assert.match(
    existing.stderr,
    /\(ResourceInUseException\) when calling the CreateStream operation: Stream \S+ under account \d{12} already exists\./,
  );
  assert.match(
    invalid.stderr,
    /\(ValidationException\) when calling the PutRecord operation: 1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: \[a-zA-Z0-9_\.-\]\+/,
  );
  assert.deepEqual([absent.code, existing.code, invalid.code], [serviceErrorCode, serviceErrorCode, serviceErrorCode]);
}

/** Of two shards: the first is split, its halves are merged, and the two that are open then become four. */
async function reshard(aws: AwsCli, name: string): Promise<void> {
  const stream = ['--stream-name', name];
  const id = (number: number): string => `shardId-00000000000${number}`;
  await aws.mustRun('split-shard', ...stream, '--shard-to-split', id(0), '--new-starting-hash-key', '1000');
  await aws.mustRun('wait', 'stream-exists', ...stream);
  await aws.mustRun('merge-shards', ...stream, '--shard-to-merge', id(2), '--adjacent-shard-to-merge', id(3));
  await aws.mustRun('wait', 'stream-exists', ...stream);
  const scaling = ['--target-shard-count', '4', '--scaling-type', 'UNIFORM_SCALING'];
  const answer = await aws.json<object>('update-shard-count', ...stream, ...scaling);
  assert.deepEqual(
    { ...answer, StreamARN: undefined },
    { StreamName: name, CurrentShardCount: 2, TargetShardCount: 4, StreamARN: undefined },
  );
  const { Shards } = await aws.json<{ Shards: unknown[] }>(
    'list-shards',
    ...stream,
    '--shard-filter',
    'Type=AT_LATEST',
  );
  assert.equal(Shards.length, 4);
}

/** The CLI has no command for SubscribeToShard. */
async function consumers(aws: AwsCli, name: string): Promise<void> {
  const { StreamDescriptionSummary: summary } = await aws.json<{ StreamDescriptionSummary: { StreamARN: string } }>(
    'describe-stream-summary',
    '--stream-name',
    name,
  );
  const stream = ['--stream-arn', summary.StreamARN];
  const registered = await aws.json<{ Consumer: { ConsumerARN: string } }>(
    'register-stream-consumer',
    ...stream,
    '--consumer-name',
    'reader',
  );
  const listed = await aws.json<{ Consumers: unknown[] }>('list-stream-consumers', ...stream);
  assert.deepEqual(listed.Consumers, [registered.Consumer]);
  const { ConsumerARN } = registered.Consumer;
  const described = await aws.json<{ ConsumerDescription: object }>(
    'describe-stream-consumer',
    '--consumer-arn',
    ConsumerARN,
  );
  assert.deepEqual(described.ConsumerDescription, { ...registered.Consumer, StreamARN: summary.StreamARN });
  await aws.mustRun('deregister-stream-consumer', '--consumer-arn', ConsumerARN);
  assert.deepEqual(await aws.json('list-stream-consumers', ...stream), { Consumers: [] });
}
