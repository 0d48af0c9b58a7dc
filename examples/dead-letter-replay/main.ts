/*
 * Dead letters: a consumer that cannot process some orders gives them up after three attempts and goes on; a corrected one gets them again. With
 * `npm start` in another terminal:
 *
 *   npm run example -- dead-letter-replay
 *
 * What that does to order: within a key the handler has had all that came later before it gets the replayed record. A handler whose result
 * depends on order, such as "the newest price counts", must compare something that the records have (here: `number`), or not give up at all:
 * without `attemptsMax` a record is tried again for ever, and its shard (with `concurrency`: its key) waits.
 *
 * Putting them again is at-least-once: if the program ends between the put and the renaming of the file, they are put twice.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteStreamCommand } from '@aws-sdk/client-kinesis';
import { Consumer, Producer, readDeadLetter, SqliteLeaseStore } from '@millrace/client';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

interface Order {
  readonly customer: string;
  /** Counts up for each customer. */
  readonly number: number;
  readonly price: string;
}

const { records } = readSettings('Gives up orders, and puts them again.', { records: 200 });
const stream = `orders-${Date.now()}`;
const client = kinesisClient();
await openStream(client, stream, 2);
const folder = mkdtempSync(join(tmpdir(), 'millrace-orders-'));
const lettersFile = join(folder, 'dead-letters.jsonl');

/** Orders by customer and number, as they were processed. */
const processed = new Set<string>();

await putOrders();
const letters = await consume(
  (price) => Number(price),
  (givenUp) => processed.size + givenUp >= records,
);
console.log(`the first version has processed ${processed.size} orders and given up ${letters}`);

await replay();
await consume(
  (price) => Number(price.replace(',', '.')),
  () => processed.size === records,
);
const ofOne = [...processed].filter((order) => order.startsWith('customer-0 ')).map((order) => order.split(' ')[1]);
console.log(`the corrected one has processed the others; order of those of customer-0: ${ofOne.join(' ')}`);

await client.send(new DeleteStreamCommand({ StreamName: stream, EnforceConsumerDeletion: true }));
client.destroy();
rmSync(folder, { recursive: true });
console.log(`all ${processed.size} orders are processed, ${letters} of them from dead letters`);

async function putOrders(): Promise<void> {
  const producer = await Producer.open({ client, stream, ordering: 'perKey' });
  for (let put = 0; put < records; put++) {
    const customer = `customer-${put % 10}`;
    const number = Math.floor(put / 10) + 1;
    const price = number % 8 === 3 && put % 10 < 3 ? '12,50' : '12.50'; // The first version cannot read all.
    await producer.put({ partitionKey: customer, data: JSON.stringify({ customer, number, price }) });
  }
  await producer.close();
}

/** Runs the application until it is done; how many orders it has given up. */
async function consume(priceOf: (text: string) => number, isDone: (givenUp: number) => boolean): Promise<number> {
  const consumer = await Consumer.open({
    client,
    stream,
    application: 'orders',
    leases: new SqliteLeaseStore({ file: join(folder, 'leases.sqlite') }),
    startAt: 'TRIM_HORIZON',
    concurrency: 10, // While an order is tried again, those of other customers go on.
    attemptsMax: 3,
    backoffMs: 20,
    deadLetters: { file: lettersFile },
    onEvent: (event) => {
      if (event.type === 'deadLettered') console.log(`given up: ${String(event.error)} (${event.condition})`);
    },
  });
  const running = consumer.run({
    each: (record) => {
      const { customer, number, price } = record.json() as Order;
      if (Number.isNaN(priceOf(price))) throw new Error(`${customer}, order ${number}: "${price}" is no price`);
      processed.add(`${customer} ${number}`);
    },
  });
  for (let waitedMs = 0; !isDone(consumer.metrics().DeadLetters); waitedMs += 20) {
    if (waitedMs > 30_000) fail(`only ${processed.size} of ${records} orders are processed`);
    await sleep(20);
  }
  await consumer.close();
  await running;
  return consumer.metrics().DeadLetters;
}

/** Puts the records of the dead letters into their stream again, with the keys that they had. */
async function replay(): Promise<void> {
  const producer = await Producer.open({ client, stream, ordering: 'perKey' });
  const lines = (await readFile(lettersFile, 'utf8')).split('\n').filter((line) => line !== '');
  await producer.putAll(lines.map((line) => readDeadLetter(line))); // Resolves when all have been put.
  await producer.close();
  await rename(lettersFile, `${lettersFile}.replayed`);
}
