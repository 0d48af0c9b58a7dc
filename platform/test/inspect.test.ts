import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { millrace, ServerProcess, temporaryFolder } from './server-process.ts';

/** `millrace inspect` and `millrace check` on the folder of a real server. */
interface Range {
  readonly stream: string;
  readonly shardId: string;
  readonly fromOffset: number;
  readonly endOffset: number;
}

interface CheckOutput {
  readonly verdict: string;
  readonly isServerRunning: boolean;
  readonly damage: ReadonlyArray<{ file: string; position: number | null; sentence: string; lost: Range[] }>;
  readonly tornTail: { file: string; position: number } | null;
  readonly totals: { records: number; lostRecords: number; segments: number };
}

async function check(folder: string): Promise<{ code: number | null; found: CheckOutput }> {
  const { code, stdout, stderr } = await millrace(['check', '--json', '--data-dir', folder]);
  expect(stderr).toBe('');
  return { code, found: JSON.parse(stdout) as CheckOutput };
}

/** All bytes and modification times below a folder. */
function imageOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const { mtimeMs, mode } = statSync(path);
      return `${name} ${mtimeMs} ${mode} ${statSync(path).isFile() ? readFileSync(path, 'base64') : ''}`;
    });
}

function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position] = (bytes[position] as number) ^ 0x10;
  writeFileSync(path, bytes);
}

function clientOf({ endpoint }: ServerProcess): KinesisClient {
  return new KinesisClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}

async function putMany(client: KinesisClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const Records = Array.from({ length: 10 }, (_, j) => ({ Data: Buffer.from(`${i}-${j}`), PartitionKey: `${j}` }));
    await client.send(new PutRecordsCommand({ StreamName: 'orders', Records }));
  }
}

test('a folder is shown and verified while a server runs on it, after a kill, and after a clean stop, without a write', async () => {
  using folder = temporaryFolder();
  let server = await ServerProcess.start(['--data-dir', folder.path]);
  let client = clientOf(server);
  await client.send(new CreateStreamCommand({ StreamName: 'orders', ShardCount: 2 }));
  await putMany(client, 5);
  const running = await millrace(['inspect', '--data-dir', folder.path]);
  expect(running).toMatchObject({ code: 0, stderr: '' });
  expect(running.stdout).toContain('a server is running on this folder');
  expect(running.stdout).toMatch(/1\s+000000000000\s+us-east-1\s+orders\s+2\s+24 h/);
  expect(await check(folder.path)).toMatchObject({ code: 0, found: { verdict: 'sound', isServerRunning: true } });
  // The look at the lock has not taken it away.
  expect((await millrace(['serve', '--port', '0', '--data-dir', folder.path])).stderr).toContain('another Millrace');
  await server.stop('SIGKILL');
  const before = imageOf(folder.path);
  const killed = await millrace(['inspect', '--json', '--data-dir', folder.path]);
  expect(killed.code).toBe(0);
  expect(JSON.parse(killed.stdout)).toMatchObject({
    formatVersion: 2,
    isServerRunning: false,
    checkpoint: { copies: [{ position: 0, isSound: true }, { isSound: true }] },
    streams: [{ stream: 'orders', region: 'us-east-1', shardCount: 2, retentionHours: 24, incarnation: 1 }],
    totals: { records: 50, shards: 2 },
    damage: [],
  });
  expect(await check(folder.path)).toMatchObject({ code: 0, found: { totals: { records: 50, lostRecords: 0 } } });
  expect(imageOf(folder.path)).toEqual(before);

  server = await ServerProcess.start(['--data-dir', folder.path]);
  client = clientOf(server);
  await putMany(client, 5);
  await server.stop();
  const stopped = await check(folder.path);
  expect(stopped).toMatchObject({ code: 0, found: { verdict: 'sound', totals: { records: 100 } } });
  expect(stopped.found.totals.segments).toBe(1);
  const { stdout } = await millrace(['check', '--data-dir', folder.path]);
  expect(stdout).toContain('sound: nothing is damaged');
});

test('a flipped byte in a segment: exit code 1, with file, place, stream, shard and exactly the records that reads then lack', async () => {
  using folder = temporaryFolder();
  let server = await ServerProcess.start(['--data-dir', folder.path, '--streams', 'orders:2']);
  await putMany(clientOf(server), 5);
  await server.stop();
  flip(join(folder.path, 'segments/1/00000001.seg'), 100);
  const { code, found } = await check(folder.path);
  expect(code).toBe(1);
  expect(found).toMatchObject({ verdict: 'damaged', damage: [{ file: 'segments/1/00000001.seg', position: 0 }] });
  const [range] = found.damage.flatMap(({ lost }) => lost) as [Range];
  expect(range).toMatchObject({
    stream: 'orders',
    region: 'us-east-1',
    shardId: 'shardId-000000000000',
    fromOffset: 0,
  });
  const text = await millrace(['check', '--data-dir', folder.path]);
  expect(text.code).toBe(1);
  expect(text.stdout).toContain(
    `damage: segments/1/00000001.seg at byte 0: the block of shard 0 is damaged\n` +
      `  lost: orders (us-east-1, account 000000000000) shardId-000000000000: records 0 to ${range.endOffset - 1}\n`,
  );
  expect((await millrace(['inspect', '--data-dir', folder.path])).code).toBe(0);
  server = await ServerProcess.start(['--data-dir', folder.path]);
  const client = clientOf(server);
  let read = 0;
  for (const ShardId of ['shardId-000000000000', 'shardId-000000000001']) {
    const at = { StreamName: 'orders', ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(at));
    read += (await client.send(new GetRecordsCommand({ ShardIterator }))).Records?.length ?? 0;
  }
  expect(read).toBe(50 - range.endOffset);
  expect(found.totals.lostRecords).toBe(range.endOffset);
  await server.stop();
});

test('one damaged copy of the checkpoint loses nothing; with both the folder cannot be opened', async () => {
  using folder = temporaryFolder();
  const server = await ServerProcess.start(['--data-dir', folder.path, '--streams', 'orders:1']);
  await server.stop();
  const path = join(folder.path, 'checkpoint');
  const half = statSync(path).size / 2;
  flip(path, 30);
  const text = await millrace(['check', '--data-dir', folder.path]);
  expect(text).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('1 damaged place; nothing is lost') as string,
  });
  expect((await millrace(['inspect', '--data-dir', folder.path])).stdout).toContain(`at 0 damaged · at ${half} sound`);
  flip(path, half + 30);
  expect(await check(folder.path)).toMatchObject({ code: 1, found: { verdict: 'damaged' } });
});

test('what is no folder of ours, or of a newer version, gives a plain sentence: 1 for inspect, 2 for check', async () => {
  using folder = temporaryFolder();
  const inspected = await millrace(['inspect', '--data-dir', folder.path]);
  expect(inspected).toMatchObject({ code: 1, stdout: '' });
  expect(inspected.stderr).toBe(`millrace: ${folder.path}: this is no Millrace data folder: it has no "checkpoint"\n`);
  expect(await millrace(['check', '--data-dir', folder.path])).toMatchObject({ code: 2, stdout: '' });
  expect(await millrace(['check', '--data-dir', join(folder.path, 'absent')])).toMatchObject({ code: 2 });
  expect(readdirSync(folder.path)).toEqual([]);
  writeFileSync(join(folder.path, 'checkpoint'), 'something else altogether');
  expect((await check(folder.path)).code).toBe(2);
});

test('a folder that may only be read can be shown and verified', async () => {
  using folder = temporaryFolder();
  const server = await ServerProcess.start(['--data-dir', folder.path, '--streams', 'orders:1']);
  await putMany(clientOf(server), 2);
  await server.stop('SIGKILL');
  for (const name of readdirSync(folder.path, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder.path, name);
    if (statSync(path).isFile()) chmodSync(path, 0o400);
  }
  expect(await check(folder.path)).toMatchObject({ code: 0, found: { totals: { records: 20 } } });
});
