import { NodeHttpHandler } from '@smithy/node-http-handler';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { Producer, type ProducerSettings } from '@millrace/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../../harness/say.ts';
import { region } from '../../harness/target.ts';

/*
 * A process that produces until it is told to end (SIGTERM). Arguments: endpoint, stream, spool folder or `-`, number of the first record, settings as
 * JSON.
 * Prints `accepted N` when all records below N have been accepted, and `done` when all have been put. With `memory` for the spool: `open`, whereupon
 * the server is to be killed, and `memory ACCEPTED BYTES` when no more are accepted.
 */
const [endpoint, stream, spool, first, settings] = process.argv.slice(2) as [string, string, string, string, string];

const client = new KinesisClient({ endpoint, region, maxAttempts: 1, requestHandler: new NodeHttpHandler() });
const options = { client, stream, recordTtlMs: Infinity, ...(JSON.parse(settings) as ProducerSettings) };
if (spool === 'memory') await fill();
else await produce();

async function produce(): Promise<void> {
  const producer = await Producer.open({
    ...options,
    ...(spool !== '-' && { spool: { folder: spool, sync: 'never' } }),
  });
  const from = Number(first);
  let isEnding = false;
  process.once('SIGTERM', () => (isEnding = true));
  for (let number = from; !isEnding; number++) {
    const ticket = await producer.put({ partitionKey: `key-${number % 48}`, data: `key-${number % 48} ${number}` });
    ticket.acknowledged.catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    if (number % 100 !== 99) continue;
    say(`accepted ${number + 1}`);
    await sleep(5); // As much as can be read again.
  }
  await producer.close();
  say('done');
}

/** Until nothing more is accepted. */
async function fill(): Promise<void> {
  const producer = await Producer.open(options);
  say('open');
  await sleep(2000); // The server is killed now.
  globalThis.gc?.();
  const before = process.memoryUsage();
  const data = Buffer.alloc(100, 'x');
  let accepted = 0;
  for (; producer.tryPut({ partitionKey: `key-${accepted % 10_000}`, data }) !== undefined; accepted++) {
    if (accepted % 1000 === 0) await sleep(0);
  }
  await sleep(2000);
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.external - before.heapUsed - before.external;
  say(`memory ${accepted} ${bytes}`);
  process.exit();
}
