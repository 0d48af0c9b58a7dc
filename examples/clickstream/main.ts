/*
 * Clicks of users through a stream: a producer that packs them, and three workers that share the shards. In the middle a shard is split, and the order
 * of each user's clicks holds. With `npm start` in another terminal:
 *
 *   npm run example -- clickstream
 *
 * The programs to copy are producer.ts and consumer.ts; this one starts them, splits, and compares.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteStreamCommand, type KinesisClient, ListShardsCommand, SplitShardCommand } from '@aws-sdk/client-kinesis';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

const { records, seconds, workers } = readSettings('Runs a producer and a consumer of clicks, and splits a shard.', {
  records: 40_000,
  seconds: 8,
  workers: 3,
});
const stream = `clickstream-${Date.now()}`;
const client = kinesisClient();
await openStream(client, stream, 2);
const folder = mkdtempSync(join(tmpdir(), 'millrace-clickstream-'));
const producing = run('producer.ts', { stream, records, seconds });
const consuming = run('consumer.ts', {
  stream,
  records,
  seconds: seconds + 20, // At most.
  workers,
  leases: join(folder, 'leases.sqlite'),
});
await sleep(seconds * 500);
await splitFirstShard(client, stream);
const areFine = (await Promise.all([producing, consuming])).every((code) => code === 0);

await client.send(new DeleteStreamCommand({ StreamName: stream, EnforceConsumerDeletion: true }));
client.destroy();
rmSync(folder, { recursive: true });
if (!areFine) fail('The lines above say what went wrong.');
console.log(
  `${records} records put = ${records} records processed, none twice, in order for each user through a split`,
);

/** Runs a program beside this one; resolves with its exit code. */
async function run(program: string, settings: Readonly<Record<string, string | number>>): Promise<number> {
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], { stdio: 'inherit' });
  process.once('exit', () => child.kill());
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function splitFirstShard(kinesis: KinesisClient, StreamName: string): Promise<void> {
  const { Shards: [shard] = [] } = await kinesis.send(new ListShardsCommand({ StreamName }));
  const { StartingHashKey: start = '0', EndingHashKey: end = '0' } = shard?.HashKeyRange ?? {};
  const NewStartingHashKey = String((BigInt(start) + BigInt(end)) / 2n);
  console.log(`split of ${shard?.ShardId} while clicks are put and processed`);
  await kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: shard?.ShardId, NewStartingHashKey }));
}
