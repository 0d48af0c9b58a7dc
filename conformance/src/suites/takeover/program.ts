import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { Consumer, type ConsumerSettings, type LeaseStore, SqliteLeaseStore } from '@millrace/client';
import { DynamoDbLeaseStore } from '@millrace/client/dynamodb';
import { say } from '../../harness/say.ts';
import { region } from '../../harness/target.ts';

/*
 * A worker that consumes until it is told to end (SIGTERM). Arguments: endpoint, stream, application, name of the worker, endpoint of DynamoDB or
 * path of a SQLite file, settings as JSON, milliseconds that a record takes.
 * Prints what the worker of the KCL prints: `begun SHARD`, `record NANOS SHARD SEQUENCE DATA` with the time of the machine's monotonic clock,
 * `ended SHARD`, `lost SHARD`. At its end, when all has been given back, `stopped`.
 */
const [endpoint, stream, application, worker, table, settings, takes] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

const kinesis = new KinesisClient({ endpoint, region });
const dynamoDb = table.startsWith('http') ? new DynamoDBClient({ endpoint: table, region }) : undefined;
const leases: LeaseStore =
  dynamoDb === undefined ? new SqliteLeaseStore({ file: table }) : new DynamoDbLeaseStore({ client: dynamoDb });
const consumer = await Consumer.open({
  client: kinesis,
  stream,
  application,
  leases,
  worker,
  startAt: 'TRIM_HORIZON',
  onEvent: (event) => {
    if (event.type === 'leaseTaken') say(`begun ${event.shardId}`);
    else if (event.type === 'shardEnded') say(`ended ${event.shardId}`);
    else if (event.type === 'leaseLost') say(`lost ${event.shardId}`);
    else if ('error' in event) process.stderr.write(`${event.type} ${String(event.error)}\n`);
  },
  ...(JSON.parse(settings) as ConsumerSettings),
});
process.once('SIGTERM', () => void consumer.close());
await consumer.run({
  async each({ shardId, sequenceNumber, data }) {
    say(`record ${process.hrtime.bigint()} ${shardId} ${sequenceNumber} ${Buffer.from(data).toString()}`);
    if (takes !== '0') await sleep(Number(takes));
  },
});
say('stopped');
kinesis.destroy();
dynamoDb?.destroy();
