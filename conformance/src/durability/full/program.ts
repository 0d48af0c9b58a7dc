import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Checks } from '../../harness/checks.ts';
import { blobOf, Connection, type Reply } from '../connection.ts';
import { ServerProcess } from '../server-process.ts';

/* Run by `suite.ts` with a folder on a small file system. */

const [, , root = ''] = process.argv;
const options = { folder: join(root, 'data') };
const ballast = join(root, 'ballast');
const resumeMsMax = 15_000;
const kept = 'kept';
const checks = new Checks();
const acknowledged: string[] = [];
let count = 0;

let server = await ServerProcess.start(options);
let connection = new Connection(server.endpoint);

async function putKept(): Promise<Reply> {
  const text = `record ${++count}`;
  const reply = await connection.call('PutRecord', {
    StreamName: kept,
    PartitionKey: 'k',
    Data: new TextEncoder().encode(text),
  });
  if (reply.status === 200) acknowledged.push(text);
  return reply;
}

async function readKept(): Promise<string[]> {
  const start = { StreamName: kept, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  let token = (await connection.mustCall('GetShardIterator', start))['ShardIterator'];
  const texts: string[] = [];
  for (;;) {
    const page = (await connection.mustCall('GetRecords', { ShardIterator: token })) as {
      Records: { Data: unknown }[];
      NextShardIterator: string;
      MillisBehindLatest: number;
    };
    texts.push(...page.Records.map(({ Data }) => Buffer.from(blobOf(Data)).toString()));
    if (page.Records.length === 0 && page.MillisBehindLatest === 0) return texts;
    token = page.NextShardIterator;
  }
}

/** Puts large records until one is refused. */
async function fill(StreamName: string): Promise<Reply> {
  const Data = new Uint8Array(900_000);
  for (let i = 0; i < 2000; i++) {
    const reply = await connection.call('PutRecord', { StreamName, PartitionKey: 'k', Data });
    if (reply.status !== 200) return reply;
  }
  throw new Error('the file system did not get full');
}

function useUpRest(): void {
  for (let bytes = 1 << 20; bytes >= 4096; bytes >>= 1) {
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      // It is full for writes of this size.
    }
  }
}

async function isFull(): Promise<boolean> {
  return (await server.health()).status === 'disk-full';
}

async function resumes(): Promise<void> {
  const endMs = Date.now() + resumeMsMax;
  while ((await putKept()).status !== 200) {
    if (Date.now() > endMs) throw new Error(`no put was taken within ${resumeMsMax} ms`);
    await sleep(100);
  }
  if (await isFull()) throw new Error('health still says that the disk is full');
}

async function holdsAll(): Promise<void> {
  const texts = await readKept();
  if (texts.join() !== acknowledged.join())
    throw new Error(`${texts.length} records are there, ${acknowledged.length} were acknowledged`);
}

try {
  for (const StreamName of [kept, 'large', 'small'])
    await connection.mustCall('CreateStream', { StreamName, ShardCount: 1 });
  for (let i = 0; i < 100; i++) await putKept();
  const refusal = await fill('large');
  checks.say(`refused: ${refusal.status} ${refusal.type}: ${String(refusal.body['message'])}`);
  await checks.check('puts are refused by name when the disk is full', async () => {
    if (refusal.status !== 500 || !/disk/.test(String(refusal.body['message'])))
      throw new Error(JSON.stringify(refusal));
    if (!(await isFull())) throw new Error('health does not say so');
  });
  await checks.check('reads go on', holdsAll);
  await checks.check('a stream can be deleted', async () => {
    await connection.mustCall('DeleteStream', { StreamName: 'small' });
  });
  await checks.check('puts resume by themselves when a deleted stream has given back its space', async () => {
    await connection.mustCall('DeleteStream', { StreamName: 'large' });
    await resumes();
  });
  await connection.mustCall('CreateStream', { StreamName: 'more', ShardCount: 1 });
  await checks.check('somebody else fills the disk: puts are refused, reads go on', async () => {
    useUpRest();
    await fill('more');
    if (!(await isFull())) throw new Error('health does not say so');
    await holdsAll();
  });
  await checks.check('after kill -9 it starts on the full disk with all that was acknowledged', async () => {
    connection.close();
    await server.kill();
    server = await ServerProcess.start(options);
    connection = new Connection(server.endpoint);
    await holdsAll();
  });
  await checks.check('puts resume by themselves when the other files are gone', async () => {
    rmSync(ballast);
    await resumes();
  });
  await checks.check('nothing acknowledged is lost, and nothing refused is there, after another kill', async () => {
    connection.close();
    await server.kill();
    server = await ServerProcess.start(options);
    connection = new Connection(server.endpoint);
    await holdsAll();
    const { damage = [] } = await server.health();
    if (damage.length > 0) throw new Error(damage.join('; '));
  });
} finally {
  connection.close();
  await server.kill();
}
process.stdout.write(`${checks.line}\n`);
