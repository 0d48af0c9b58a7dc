/*
 * Payments, each record exactly once, though workers are killed: the position in the stream is saved in the transaction that changes the balances.
 * With `npm start` in another terminal:
 *
 *   npm run example -- payments
 *
 * The program to copy is worker.ts. This one puts payments, runs two workers, kills one again and again, and adds up at the end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteStreamCommand } from '@aws-sdk/client-kinesis';
import { Producer } from '@millrace/client';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

const { records, seconds, kills } = readSettings('Pays exactly once while workers are killed.', {
  records: 20_000,
  seconds: 10,
  kills: 3,
});
const stream = `payments-${Date.now()}`;
const client = kinesisClient();
await openStream(client, stream, 4);

const folder = mkdtempSync(join(tmpdir(), 'millrace-payments-'));
const database = new DatabaseSync(join(folder, 'balances.sqlite'), { timeout: 10_000 });
database.exec(readFileSync(join(import.meta.dirname, 'schema.sql'), 'utf8'));
const balances = database.prepare('SELECT account, cents FROM balances');
const total = database.prepare(
  'SELECT coalesce(sum(payments), 0) AS payments, coalesce(sum(cents), 0) AS cents FROM balances',
);

const workers = new Set<ChildProcess>();
let isOver = false;
process.once('exit', () => workers.forEach((worker) => worker.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
startWorker();
startWorker();

const centsOf = new Map<string, number>();
const putting = putPayments();
for (let kill = 1, before = 0; kill <= kills; kill++) {
  await sleep((seconds * 1000) / (kills + 1));
  before = await paymentsAbove(before);
  const [longest] = workers;
  console.log(`kill -9 of worker ${longest?.pid} after ${before} of ${records} payments`);
  longest?.kill('SIGKILL');
}
await putting;
for (let paid = 0; paid < records;) paid = await paymentsAbove(paid);
await sleep(500); // What is paid twice would be paid now.
isOver = true;
await Promise.all([...workers].map(async (worker) => worker.kill() && once(worker, 'exit')));

const { payments, cents } = total.get() as unknown as { payments: number; cents: number };
const wrong = balances.all().filter(({ account, cents: paid }) => paid !== centsOf.get(account as string));
const centsPut = [...centsOf.values()].reduce((sum, each) => sum + each, 0);
database.close();
rmSync(folder, { recursive: true });
await client.send(new DeleteStreamCommand({ StreamName: stream, EnforceConsumerDeletion: true }));
client.destroy();
console.log(`put:  ${records} payments of ${centsPut} cents together`);
console.log(`paid: ${payments} payments of ${cents} cents together`);
if (payments !== records || cents !== centsPut || wrong.length > 0) fail(`${wrong.length} balances are wrong`);
console.log(`${kills} workers killed, and each of ${centsOf.size} balances is exact`);

function startWorker(): void {
  const args = [join(import.meta.dirname, 'worker.ts'), `--stream=${stream}`, `--folder=${folder}`];
  const worker = spawn(process.execPath, args, { stdio: 'inherit' });
  workers.add(worker);
  worker.once('exit', () => {
    workers.delete(worker);
    if (!isOver) startWorker();
  });
}

async function putPayments(): Promise<void> {
  const producer = await Producer.open({ client, stream });
  const startMs = Date.now();
  for (let number = 0; number < records; number++) {
    const account = `account-${number % 100}`;
    const amount = Math.ceil(Math.random() * 10_000);
    centsOf.set(account, (centsOf.get(account) ?? 0) + amount);
    await producer.put({ partitionKey: account, data: JSON.stringify({ account, cents: amount }) });
    const aheadMs = startMs + (number / records) * seconds * 1000 - Date.now();
    if (aheadMs > 10) await sleep(aheadMs);
  }
  await producer.close();
}

/** Waits until more than so many payments have been made; how many. */
async function paymentsAbove(count: number): Promise<number> {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    const { payments: paid } = total.get() as unknown as { payments: number };
    if (paid > count) return paid;
    await sleep(50);
  }
  return fail(`no more than ${count} of ${records} payments are made: see the lines above`);
}
