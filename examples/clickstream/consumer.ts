/*
 * A consumer application: its workers share the shards of a stream by leases in a SQLite file. Here they are in one process; start the program in
 * more terminals, and their workers get their share, too.
 *
 *   npm run example -- clickstream/consumer
 *
 * is one half of the example; `npm run example -- clickstream` runs it together with the producer.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, type ConsumerEvent, type ConsumerRecord, SqliteLeaseStore } from '@millrace/client';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

const { stream, workers, records, seconds, leases } = readSettings('Processes the clicks of a stream.', {
  stream: 'clickstream',
  workers: 3,
  records: Infinity,
  seconds: 60,
  leases: join(tmpdir(), 'millrace-clickstream-leases.sqlite'),
});

let processed = 0;
let outOfOrder = 0;
const lastOf = new Map<string, number>();

/** What is to be done with a click. */
function handle(record: ConsumerRecord): void {
  const { user, number } = record.json() as { user: string; number: number };
  if (number <= (lastOf.get(user) ?? 0)) outOfOrder++; // Or twice.
  lastOf.set(user, number);
  processed++;
}

function tell(event: ConsumerEvent): void {
  if (event.type === 'shardEnded') console.log(`consumer: all of ${event.shardId} is processed; its children follow`);
  // Without a subscription records are polled for. One is refused for some seconds when a shard moves from worker to worker.
  else if ('error' in event && event.type !== 'fanOutDelayed')
    console.error(`consumer: ${event.type}: ${String(event.error)}`);
}

const client = kinesisClient();
await openStream(client, stream, 2);
const consumers = await Promise.all(
  Array.from({ length: workers }, (_, index) =>
    Consumer.open({
      client,
      stream,
      application: stream,
      worker: `${process.pid}-${index + 1}`,
      // Ten seconds, so that no worker takes a shard from another one that was only slow: what that has just processed would come twice.
      leases: new SqliteLeaseStore({ file: leases, failoverMs: 10_000 }),
      startAt: 'TRIM_HORIZON',
      onEvent: tell,
    }),
  ),
);
const isOver = new AbortController();
process.once('SIGINT', () => isOver.abort());
const { signal } = isOver;
const running = Promise.all(consumers.map((consumer) => consumer.run({ each: handle }, { signal })));

// What follows watches them.
for (let second = 1, before = 0; second <= seconds && processed < records && !signal.aborted; second++) {
  await sleep(1000, undefined, { signal }).catch(() => undefined);
  const behindMs = Math.max(...consumers.map((consumer) => consumer.metrics().MillisBehindLatest));
  const shards = consumers.map(({ worker, shardIds }) => {
    const ids = shardIds.map((shardId) => shardId.replace(/^shardId-0*(?=\d)/, ''));
    return `${worker} has ${ids.join(' and ') || 'none'}`;
  });
  console.log(`consumer: ${processed - before} clicks/s, ${behindMs} ms behind; of the shards ${shards.join(', ')}`);
  before = processed;
}
if (records < Infinity) await sleep(500); // What came twice would come now.
isOver.abort();
await running; // Leases have been given back.
client.destroy();

if (outOfOrder > 0) fail(`${outOfOrder} clicks came twice, or behind later ones of the same user`);
if (records < Infinity && processed !== records) fail(`${processed} clicks processed, and not ${records}`);
console.log(`consumer: ${processed} clicks processed, none twice, those of each user in their order`);
