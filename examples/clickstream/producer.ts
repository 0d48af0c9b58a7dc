/*
 * A producer. It packs many clicks into each Kinesis record, as the Kinesis Producer Library does, and keeps those of each user in their order,
 * through failures and splits of shards.
 *
 *   npm run example -- clickstream/producer
 *
 * is one half of the example; `npm run example -- clickstream` runs it together with the consumer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Producer } from '@millrace/client';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

const { stream, records, seconds, users } = readSettings('Puts clicks into a stream.', {
  stream: 'clickstream',
  records: 40_000,
  seconds: 8,
  users: 500,
});

const client = kinesisClient();
await openStream(client, stream, 2);
const producer = await Producer.open({ client, stream, ordering: 'perKey' });

const startMs = Date.now();
const clicksOf = new Map<string, number>();
for (let put = 0; put < records; put++) {
  const user = `user-${Math.floor(Math.random() ** 2 * users)}`;
  const number = (clicksOf.get(user) ?? 0) + 1;
  clicksOf.set(user, number);
  // Waits only while the producer's memory is full. Nobody has to look at the ticket that it resolves with.
  await producer.put({ partitionKey: user, data: JSON.stringify({ user, number, page: `/page-${put % 100}` }) });
  const aheadMs = startMs + (put / records) * seconds * 1000 - Date.now();
  if (aheadMs > 10) await sleep(aheadMs);
}
await producer.close(); // Puts what has been accepted.
client.destroy();

const { UserRecordsPut, KinesisRecordsPut } = producer.metrics();
if (UserRecordsPut < records) fail(`${records - UserRecordsPut} clicks could not be put`);
console.log(`producer: ${UserRecordsPut} clicks put, in ${KinesisRecordsPut} Kinesis records`);
