import { KinesisClient } from '@aws-sdk/client-kinesis';
import { Consumer, type ConsumerSettings, SqliteLeaseStore } from '@millrace/client';
import { say } from '../../harness/say.ts';
import { region } from '../../harness/target.ts';

/*
 * A worker that runs until it is told to end (SIGTERM). Arguments: endpoint, stream, file of the leases, name, settings as JSON. Prints `record NANOS
 * SHARD POSITION KEY NUMBER` for each record, `begun SHARD NANOS`, `saved SHARD NANOS POSITION`, `ended SHARD` and `lost SHARD`, and
 * `misplaced COUNT` for aggregates that were not left out.
 */
const [endpoint, stream, file, worker, settings] = process.argv.slice(2) as [string, string, string, string, string];

const now = (): bigint => process.hrtime.bigint();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const client = new KinesisClient({ endpoint, region, maxAttempts: 1 });
const consumer = await Consumer.open({
  client,
  stream,
  application: 'conformance',
  leases: new SqliteLeaseStore({ file }),
  worker,
  startAt: 'TRIM_HORIZON',
  onEvent(event) {
    if (event.type === 'checkpointed') say(`saved ${event.shardId} ${now()} ${event.position}`);
    else if (event.type === 'leaseTaken') say(`begun ${event.shardId} ${now()}`);
    else if (event.type === 'shardEnded') say(`ended ${event.shardId}`);
    else if (event.type === 'leaseLost') say(`lost ${event.shardId}`);
    else if (event.type === 'misplacedAggregate' && event.leftOut === undefined) say(`misplaced ${event.recordCount}`);
    else if ('error' in event) process.stderr.write(`${event.type} ${String(event.error)}\n`);
  },
  ...(JSON.parse(settings) as ConsumerSettings),
});
await consumer.run(
  {
    each: (record) => say(`record ${now()} ${record.shardId} ${record.position} ${record.text()}`),
  },
  { signal: stop.signal },
);
client.destroy();
