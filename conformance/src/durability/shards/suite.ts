import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { descriptors, mebibytes, residentBytes } from '../../abuse/vitals.ts';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { Connection } from '../connection.ts';
import { ServerProcess } from '../server-process.ts';

const streamCount = 10;
const shardsOfStream = 1000;
const idleBytesMax = 250e6;
const idleMs = 3000;
const loadBytes = 200e6;
const recordBytes = 1000;
const callRecords = 500;
const connectionCount = 8;
/** A checkpoint with many shards may take so many times as long as one with few; the machine is not quiet. */
const checkpointRatioMax = 2.5;
/** Files other than sockets. A file, a timer or a sync for each shard would show as a thousand. */
const filesMax = 100;

interface Costs {
  readonly commits: number;
  readonly syncs: number;
  readonly checkpointMs: number;
  readonly checkpoints: number;
}

/** 10,000 shards in one process: what they cost at rest, and when a thousand of them are written to. */
export async function shardsSuite(checks: Checks): Promise<void> {
  const few = await loadOf({ streams: 1, shards: 4, active: 4 }, checks);
  const many = await loadOf({ streams: streamCount, shards: shardsOfStream, active: 4 }, checks);
  const active = await loadOf({ streams: streamCount, shards: shardsOfStream, active: shardsOfStream }, checks);
  for (const [name, { commits, syncs }] of Object.entries({ '4 active shards': many, '1,000 active shards': active })) {
    const facts = `${commits} commits, ${syncs} syncs`;
    // The marker of an idle log is synced and is no commit of calls.
    checks.record(`one sync a commit with ${name} of 10,000 (${facts})`, syncs <= commits + 3 ? undefined : facts);
  }
  const facts = `${few.checkpointMs.toFixed(0)} ms with 4 shards, ${many.checkpointMs.toFixed(0)} ms with 10,000, for the same bytes`;
  checks.record(
    `the time of a checkpoint grows with bytes, not with shards (${facts})`,
    many.checkpointMs <= few.checkpointMs * checkpointRatioMax && few.checkpoints > 2 ? undefined : facts,
  );
}

async function loadOf(
  { streams, shards, active }: { streams: number; shards: number; active: number },
  checks: Checks,
): Promise<Costs> {
  const fresh = freshFolder('shards');
  const options = { folder: join(fresh.path, 'data') };
  let server = await ServerProcess.start(options);
  try {
    const connection = new Connection(server.endpoint);
    for (let i = 0; i < streams; i++)
      await connection.mustCall('CreateStream', { StreamName: `stream-${i}`, ShardCount: shards });
    connection.close();
    if (streams > 1 && active === 4) {
      await idle('made', server, checks);
      await server.kill();
      server = await ServerProcess.start(options);
      await idle(`after a kill, ready in ${server.readyMs.toFixed(0)} ms`, server, checks);
    }
    const before = await server.metrics();
    await load(server, shards, active);
    const after = await server.metrics();
    const { others } = descriptors(server.pid);
    checks.record(
      `${others} open files with ${streams * shards} shards, ${active} of them active`,
      others <= filesMax ? undefined : 'too many',
    );
    const grown = (name: string): number => (after.get(name) ?? NaN) - (before.get(name) ?? NaN);
    const checkpoints = grown('millrace_checkpoint_seconds_count');
    return {
      commits: grown('millrace_commits_total'),
      syncs: grown('millrace_journal_sync_seconds_count'),
      checkpointMs: (grown('millrace_checkpoint_seconds_sum') * 1000) / checkpoints,
      checkpoints,
    };
  } finally {
    await server.kill();
    fresh.remove();
  }
}

async function idle(when: string, server: ServerProcess, checks: Checks): Promise<void> {
  await sleep(idleMs);
  const bytes = residentBytes(server.pid);
  const limit = `at most ${mebibytes(idleBytesMax)}`;
  checks.record(
    `10,000 shards at rest, ${when}: ${mebibytes(bytes)} resident, ${limit}`,
    bytes <= idleBytesMax ? undefined : 'more',
  );
}

/** Puts into shards evenly, by explicit hash keys. */
async function load(server: ServerProcess, shards: number, active: number): Promise<void> {
  const width = 2n ** 128n / BigInt(shards);
  const spread = Math.floor(shards / active);
  const Data = new Uint8Array(recordBytes).fill(7);
  let calls = loadBytes / (recordBytes * callRecords);
  const worker = async (): Promise<void> => {
    const connection = new Connection(server.endpoint);
    while (calls-- > 0) {
      const Records = Array.from({ length: callRecords }, (_, i) => {
        const shard = ((calls * callRecords + i) % active) * spread;
        return { Data, PartitionKey: 'k', ExplicitHashKey: String(BigInt(shard) * width + width / 2n) };
      });
      await connection.mustCall('PutRecords', { StreamName: 'stream-0', Records });
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connectionCount }, worker));
}
