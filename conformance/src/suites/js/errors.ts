import assert from 'node:assert/strict';
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  InvalidArgumentException,
  PutRecordCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  ValidationException,
  type KinesisClient,
  type KinesisServiceException,
} from '@aws-sdk/client-kinesis';
import type { Checks } from '../../harness/checks.ts';
import { freshName } from '../../harness/target.ts';
import { withStream } from './stream.ts';

/** The SDK makes its own error classes of the answers. */
export async function checkErrors(client: KinesisClient, checks: Checks): Promise<void> {
  const name = freshName('js-errors');
  await withStream(client, { name, shardCount: 1 }, async ({ StreamARN }) => {
    const account = StreamARN?.split(':')[4];
    const at = { StreamName: name, ShardId: 'shardId-000000000000' };
    const expectError = async (
      type: new (...args: never[]) => KinesisServiceException,
      message: string,
      call: () => Promise<unknown>,
    ): Promise<void> => {
      await checks.check(`${type.name}, ${message.replaceAll(name, 'X').slice(0, 60)}`, async () => {
        const error = await call().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        assert.ok(error instanceof type, `is ${String(error)}, not a ${type.name}`);
        assert.equal(error.name, type.name);
        assert.equal(error.message, message);
        assert.equal(error.$metadata.httpStatusCode, 400);
        assert.match(error.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
        assert.equal(error.$fault, 'client');
      });
    };
    await expectError(ResourceNotFoundException, `Stream no-such under account ${account} not found.`, () =>
      client.send(new DescribeStreamCommand({ StreamName: 'no-such' })),
    );
    await expectError(ResourceInUseException, `Stream ${name} under account ${account} already exists.`, () =>
      client.send(new CreateStreamCommand({ StreamName: name, ShardCount: 1 })),
    );
    await expectError(
      ResourceNotFoundException,
      `Shard shardId-000000000009 in stream ${name} under account ${account} does not exist`,
      () =>
        client.send(
          new GetShardIteratorCommand({ ...at, ShardId: 'shardId-000000000009', ShardIteratorType: 'LATEST' }),
        ),
    );
    await expectError(InvalidArgumentException, 'Invalid ShardIterator.', () =>
      client.send(new GetRecordsCommand({ ShardIterator: 'nonsense' })),
    );
    await expectError(
      ValidationException,
      "1 validation error detected: Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
      () => client.send(new PutRecordCommand({ StreamName: name, PartitionKey: '', Data: Buffer.of(1) })),
    );
  });
}
