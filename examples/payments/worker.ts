/*
 * Exactly once: the balances, and the position up to which they have been paid, change in one transaction. It moves the position of a shard from
 * `batch.after` to `batch.position` and from nowhere else. So a worker that is killed has either done both or nothing, and one that has lost its lease
 * without knowing it cannot pay again what another one has paid.
 *
 * This holds for records. A producer that does not hear the answer to a call puts its records again: who needs each *payment* once gives it an id
 * and the table a UNIQUE column, in the same transaction.
 *
 * Started by main.ts: `npm run example -- payments`.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Consumer, type ConsumerBatch, SqliteLeaseStore } from '@millrace/client';
import { fail, kinesisClient, readSettings } from '../stream.ts';

const { stream, folder } = readSettings('Pays what is in a stream.', { stream: '', folder: '' });
if (stream === '' || folder === '') fail('--stream and --folder say where the payments are, and where the balances');

// Its tables: schema.sql.
const database = new DatabaseSync(join(folder, 'balances.sqlite'), { timeout: 10_000 });
const readPosition = database.prepare('SELECT position FROM positions WHERE shard = ?');
const firstPosition = database.prepare('INSERT INTO positions VALUES (?, ?) ON CONFLICT DO NOTHING');
const nextPosition = database.prepare('UPDATE positions SET position = ? WHERE shard = ? AND position = ?');
const pay = database.prepare(`
  INSERT INTO balances VALUES (?, ?, 1)
  ON CONFLICT DO UPDATE SET cents = cents + excluded.cents, payments = payments + 1
`);

const client = kinesisClient();
const consumer = await Consumer.open({
  client,
  stream,
  application: 'payments',
  leases: new SqliteLeaseStore({ file: join(folder, 'leases.sqlite') }),
  startAt: 'TRIM_HORIZON',
  // Reading starts where the balances are; the checkpoint beside the lease is older.
  positions: { read: (shardId) => readPosition.get(shardId)?.['position'] as string | undefined },
  onEvent: (event) => {
    if (event.type === 'leaseTaken') console.log(`worker ${process.pid}: takes ${event.shardId}`);
    if (event.type === 'handlerFailed') console.log(`worker ${process.pid}: ${String(event.error)}`);
  },
});
process.once('SIGTERM', () => void consumer.close());
await consumer.run({ batch: payAll });
database.close();
client.destroy();

function payAll(batch: ConsumerBatch): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    movePosition(batch);
    for (const record of batch.records) {
      const { account, cents } = record.json() as { account: string; cents: number };
      pay.run(account, cents);
    }
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function movePosition({ shardId, after, position }: ConsumerBatch): void {
  const { changes } =
    after === undefined ? firstPosition.run(shardId, position) : nextPosition.run(position, shardId, after);
  // Another worker has paid some of these. After a failure the position is read again, and what it covers is not given again.
  if (changes !== 1) throw new Error(`${shardId} is not at ${after ?? 'its beginning'} any more`);
}
