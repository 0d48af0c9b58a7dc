import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../testing/src/seeded-random.ts';
import { SimClock } from '../../testing/src/sim-clock.ts';
import { namedBatch } from '../../testing/src/test-batches.ts';
import { propose, TestMachine } from '../../testing/src/test-machine.ts';
import { start } from '../src/index.ts';
import type { DiskFile } from '../src/kernel/disk.ts';
import { silentLogger } from '../src/kernel/logger.ts';
import { MemoryDisk } from '../src/kernel/memory-disk.ts';
import { openEmbeddedLog, type LogEngine } from '../src/log/index.ts';
import { Meters } from '../src/server/meters.ts';
import { makeRegistry } from '../src/server/metrics.ts';
import { parsePrometheusText, type Family } from './prometheus-text.ts';
import { rawCall } from './raw-call.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';

const expectedTypes: Readonly<Record<string, string>> = {
  millrace_commits_total: 'counter',
  millrace_commit_bytes: 'histogram',
  millrace_commit_calls: 'histogram',
  millrace_journal_sync_seconds: 'histogram',
  millrace_queue_bytes: 'gauge',
  millrace_queue_calls: 'gauge',
  millrace_tail_bytes: 'gauge',
  millrace_flush_seconds: 'histogram',
  millrace_checkpoint_seconds: 'histogram',
  millrace_recovery_seconds: 'gauge',
  millrace_recovered_commits: 'gauge',
  millrace_payload_bytes_total: 'counter',
  millrace_disk_written_bytes_total: 'counter',
  millrace_open_files: 'gauge',
  millrace_damage_total: 'counter',
  millrace_log_state: 'gauge',
  millrace_build_info: 'gauge',
};

/** One scrape, read by the rules of the format. */
class Scrape {
  readonly families: Map<string, Family>;

  constructor(text: string) {
    this.families = parsePrometheusText(text);
  }

  static async of(endpoint: string): Promise<Scrape> {
    const response = await fetch(`${endpoint}/_millrace/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    return new Scrape(await response.text());
  }

  /** `name`, or `name{label="value"}`. */
  value(series: string): number {
    const [, name = '', key, text] = /^(\w+)(?:\{(\w+)="(.*)"\})?$/.exec(series) ?? [];
    const family = this.families.get(name) ?? this.families.get(name.replace(/_(sum|count|bucket)$/, ''));
    const sample = family?.samples.find((each) => each.name === name && (!key || each.labels[key] === text));
    if (sample === undefined) throw new Error(`there is no ${series}`);
    return sample.value;
  }

  written(file: string): number {
    return this.value(`millrace_disk_written_bytes_total{file="${file}"}`);
  }
}

const growth = (before: Scrape, after: Scrape, series: string): number => after.value(series) - before.value(series);

const record = (bytes: number) => ({ Data: Buffer.alloc(bytes, 7).toString('base64'), PartitionKey: 'key' });

const put = (endpoint: string, bytes: number) => rawCall(endpoint, 'PutRecord', { StreamName: 's', ...record(bytes) });

async function scrapeUntil(endpoint: string, isThere: (scrape: Scrape) => boolean): Promise<Scrape> {
  for (let i = 0; i < 200; i++) {
    const scrape = await Scrape.of(endpoint);
    if (isThere(scrape)) return scrape;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come within 10 seconds');
}

test('every metric is there with its type and help, those of the process too, and the reference has the same ones', async () => {
  await using server = await start({ durability: 'memory' });
  const { families } = await Scrape.of(server.endpoint);
  const ours = [...families].filter(([name]) => name.startsWith('millrace_'));
  expect(Object.fromEntries(ours.map(([name, { type }]) => [name, type]))).toEqual(expectedTypes);
  for (const [name, { help, samples }] of ours) {
    expect(help.length, name).toBeGreaterThan(15);
    expect(samples.length, name).toBeGreaterThan(0);
  }
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']) {
    expect(families.has(name), name).toBe(true);
  }
  const reference = readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8');
  const told = [...reference.matchAll(/^\| `(millrace_\w+)/gm)].map((match) => match[1]);
  expect(new Set(told)).toEqual(new Set(Object.keys(expectedTypes)));
  expect(told).toHaveLength(Object.keys(expectedTypes).length);
});

describe('on a disk', () => {
  test('commits, calls and bytes grow by what was put, and nothing is left in the queue', async () => {
    using folder = temporaryFolder();
    await using server = await start({ dataDir: folder.path, streams: 's:1' });
    const before = await Scrape.of(server.endpoint);
    for (let i = 0; i < 20; i++) await put(server.endpoint, 1000);
    const after = await Scrape.of(server.endpoint);
    const grown = (series: string): number => growth(before, after, series);
    expect(grown('millrace_commits_total')).toBe(20);
    expect(grown('millrace_commit_calls_sum')).toBe(20);
    expect(grown('millrace_commit_calls_count')).toBe(20);
    expect(grown('millrace_commit_calls_bucket{le="1"}')).toBe(20);
    expect(grown('millrace_commit_bytes_count')).toBe(20);
    expect(grown('millrace_commit_bytes_bucket{le="1024"}')).toBe(0);
    expect(grown('millrace_commit_bytes_bucket{le="4096"}')).toBe(20);
    const payload = grown('millrace_payload_bytes_total');
    expect(payload).toBeGreaterThanOrEqual(20 * 1003);
    expect(payload).toBeLessThan(20 * (1003 + 150));
    // The frame and its entry lie around the batch.
    const framed = grown('millrace_commit_bytes_sum');
    expect(framed).toBeGreaterThan(payload);
    expect(framed).toBeLessThan(payload + 20 * 128);
    // A log at rest may write an empty frame now and then.
    const written = after.written('journal') - before.written('journal');
    expect(written).toBeGreaterThanOrEqual(framed);
    expect(written).toBeLessThan(framed + 21 * 128);
    const syncs = grown('millrace_journal_sync_seconds_count');
    expect(syncs).toBeGreaterThanOrEqual(20);
    expect(syncs).toBeLessThanOrEqual(41);
    expect(grown('millrace_journal_sync_seconds_sum')).toBeGreaterThan(0);
    expect(grown('millrace_journal_sync_seconds_sum')).toBeLessThan(20);
    expect(grown('millrace_tail_bytes')).toBeGreaterThanOrEqual(payload);
    expect(after.value('millrace_queue_bytes')).toBe(0);
    expect(after.value('millrace_queue_calls')).toBe(0);
    expect(after.value('millrace_open_files')).toBeGreaterThanOrEqual(1);
    expect(after.value('millrace_damage_total')).toBe(0);
    expect(after.value('millrace_log_state{state="ok"}')).toBe(1);
    expect(after.value('millrace_log_state{state="read-only"}')).toBe(0);
  });

  test('calls that come together share commits, and each is counted once', async () => {
    using folder = temporaryFolder();
    await using server = await start({ dataDir: folder.path, streams: 's:1' });
    const before = await Scrape.of(server.endpoint);
    await Promise.all(Array.from({ length: 100 }, () => put(server.endpoint, 100)));
    const after = await Scrape.of(server.endpoint);
    expect(growth(before, after, 'millrace_commit_calls_sum')).toBe(100);
    const commits = growth(before, after, 'millrace_commits_total');
    expect(commits).toBeLessThan(100);
    expect(growth(before, after, 'millrace_commit_calls_count')).toBe(commits);
    expect(after.value('millrace_queue_calls')).toBe(0);
  });

  test('enough bytes are flushed and checkpointed, and leave memory', async () => {
    using folder = temporaryFolder();
    await using server = await start({ dataDir: folder.path, streams: 's:1' });
    const { endpoint } = server;
    const before = await Scrape.of(endpoint);
    const MB = 1_000_000;
    for (let i = 0; i < 6; i++) {
      await rawCall(endpoint, 'PutRecords', { StreamName: 's', Records: [record(MB), record(MB)] });
    }
    const after = await scrapeUntil(
      endpoint,
      (scrape) => growth(before, scrape, 'millrace_checkpoint_seconds_count') > 0,
    );
    expect(growth(before, after, 'millrace_flush_seconds_count')).toBeGreaterThan(0);
    expect(growth(before, after, 'millrace_flush_seconds_sum')).toBeGreaterThan(0);
    expect(growth(before, after, 'millrace_checkpoint_seconds_sum')).toBeGreaterThan(0);
    const payload = growth(before, after, 'millrace_payload_bytes_total');
    expect(payload).toBeGreaterThan(12 * MB);
    expect(payload).toBeLessThan(12.1 * MB);
    const flushed = after.written('segment');
    expect(flushed).toBeGreaterThan(4 * MB);
    expect(flushed + after.value('millrace_tail_bytes')).toBeGreaterThanOrEqual(payload);
    expect(flushed).toBeLessThan(payload * 1.01);
    expect(after.value('millrace_tail_bytes')).toBeLessThan(8.5 * MB);
    expect(after.written('checkpoint')).toBeGreaterThan(before.written('checkpoint'));
    expect(after.written('journal') - before.written('journal')).toBeGreaterThanOrEqual(payload);
  });

  test('a start after kill -9 tells what it replayed, and counts anew', async () => {
    using folder = temporaryFolder();
    const first = await ServerProcess.start(['--data-dir', folder.path, '--streams', 's:1']);
    for (let i = 0; i < 5; i++) await put(first.endpoint, 100);
    const before = await Scrape.of(first.endpoint);
    expect(before.value('millrace_recovered_commits')).toBe(0);
    const commits = before.value('millrace_commits_total');
    expect(commits).toBeGreaterThanOrEqual(6);
    await first.stop('SIGKILL');
    const second = await ServerProcess.start(['--data-dir', folder.path]);
    const after = await Scrape.of(second.endpoint);
    await second.stop();
    // Empty frames of a log at rest are replayed, too; one follows a commit at most.
    expect(after.value('millrace_recovered_commits')).toBeGreaterThanOrEqual(commits);
    expect(after.value('millrace_recovered_commits')).toBeLessThanOrEqual(2 * commits);
    expect(after.value('millrace_recovery_seconds')).toBeGreaterThan(0);
    expect(after.value('millrace_recovery_seconds')).toBeLessThan(60);
    expect(after.value('millrace_commits_total')).toBe(0);
    expect(after.value('millrace_checkpoint_seconds_count')).toBe(1);
  });
});

/** A disk whose syncs take as long as one says. */
class SlowDisk extends MemoryDisk {
  beforeSync: () => Promise<void> = () => Promise.resolve();

  override async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    return {
      write: (bytes, position) => file.write(bytes, position),
      read: (into, position) => file.read(into, position),
      sync: async () => {
        await this.beforeSync();
        await file.sync();
      },
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
    };
  }
}

test('the log tells what waits behind a sync, and how long syncs, flushes and checkpoints took', async () => {
  const disk = new SlowDisk();
  const clock = new SimClock();
  const meters = new Meters();
  const random = new SeededRandom(1);
  const parts = { disk, clock, random, logger: silentLogger, telemetry: meters, machine: new TestMachine() };
  const log = await openEmbeddedLog({ ...parts, durability: 'fsync', limits: { reserveBytes: 0 } });
  const shard = { group: 1, shard: 0 };
  await propose(log, { id: 1, kind: 'provision', ...shard });
  expect(meters).toMatchObject({ commits: 1, batchBytes: 0, recoveredCommits: 0 });

  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    disk.beforeSync = () => {
      resolve();
      return gate;
    };
  });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => namedBatch(shard, name, { records: 2, valueBytes: 100 }));
  const bytes = [a, b, c].reduce((sum, entry) => sum + (entry?.batch.length ?? 0), 0);
  const first = log.append([a as never]);
  await reached;
  const others = [log.append([b as never]), log.append([c as never])];
  expect(meters.levels.queueCalls).toBe(2);
  expect(meters.levels.queueBytes).toBeGreaterThanOrEqual((bytes * 2) / 3);
  expect(meters.levels.queueBytes).toBeLessThan((bytes * 2) / 3 + 100);
  clock.advance(100);
  disk.beforeSync = () => Promise.resolve();
  letGo();
  await Promise.all([first, ...others]);
  expect(meters.levels).toMatchObject({ queueCalls: 0, queueBytes: 0 });
  expect(meters).toMatchObject({ commits: 3, batchBytes: bytes });
  expect(meters.commitCalls.counts.slice(0, 3)).toEqual([2, 1, 0]);
  expect(meters.journalSyncSeconds.sum).toBeCloseTo(0.1, 9);
  expect(meters.levels.tailBytes).toBeGreaterThanOrEqual(bytes);

  // The close writes a checkpoint: one sync of the segment, one of the checkpoint.
  disk.beforeSync = () => Promise.resolve(clock.advance(2000));
  await log.close();
  expect(meters.flushSeconds.sum).toBeCloseTo(2, 9);
  expect(meters.checkpointSeconds.sum).toBeCloseTo(4, 9);
  expect(meters.levels.tailBytes).toBe(0);
});

test('what is above all bounds of a histogram is counted, and times are told in seconds', async () => {
  const meters = new Meters();
  for (const ms of [1, 250, 10_000]) meters.journalSynced(ms);
  const log = { status: () => ({ state: 'ok', damage: [] }) } as unknown as LogEngine;
  const scrape = new Scrape(await makeRegistry({ meters, log, version: '1' }).metrics());
  const bucket = (le: string): number => scrape.value(`millrace_journal_sync_seconds_bucket{le="${le}"}`);
  expect([bucket('0.0005'), bucket('0.001'), bucket('0.25'), bucket('2.5'), bucket('+Inf')]).toEqual([0, 1, 2, 2, 3]);
  expect(scrape.value('millrace_journal_sync_seconds_count')).toBe(3);
  expect(scrape.value('millrace_journal_sync_seconds_sum')).toBeCloseTo(10.251, 9);
});

test('in mode memory nothing is written or synced', async () => {
  await using server = await start({ durability: 'memory', streams: 's:1' });
  await put(server.endpoint, 1000);
  const scrape = await Scrape.of(server.endpoint);
  expect(scrape.value('millrace_payload_bytes_total')).toBeGreaterThan(1000);
  expect(scrape.value('millrace_journal_sync_seconds_count')).toBe(0);
  expect(scrape.value('millrace_open_files')).toBe(0);
  for (const file of ['journal', 'segment', 'index', 'checkpoint', 'other']) expect(scrape.written(file)).toBe(0);
});

test('a log that has failed and has damage says so', async () => {
  const status = { state: 'read-only', reason: 'broken', commits: 3, damage: ['a', 'b'] } as const;
  const log = { status: () => status } as unknown as LogEngine;
  const registry = makeRegistry({ meters: new Meters(), log, version: '1.2.3-"x"' });
  // Twice: a scrape leaves nothing behind that the next one adds to.
  await registry.metrics();
  const scrape = new Scrape(await registry.metrics());
  expect(scrape.value('millrace_damage_total')).toBe(2);
  expect(scrape.value('millrace_log_state{state="ok"}')).toBe(0);
  expect(scrape.value('millrace_log_state{state="disk-full"}')).toBe(0);
  expect(scrape.value('millrace_log_state{state="read-only"}')).toBe(1);
  expect(scrape.families.get('millrace_build_info')?.samples[0]?.labels).toEqual({ version: '1.2.3-\\"x\\"' });
});

test('with --auth it takes a credential, as other routes but health do; without, none; and GET only', async () => {
  using folder = temporaryFolder();
  const auth = join(folder.path, 'credentials');
  writeFileSync(auth, '[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n');
  await using server = await start({ durability: 'memory', auth });
  const url = `${server.endpoint}/_millrace/metrics`;
  const statusWith = async (credential?: string): Promise<number> => {
    const Authorization = `Basic ${Buffer.from(credential ?? '').toString('base64')}`;
    return (await fetch(url, credential === undefined ? {} : { headers: { Authorization } })).status;
  };
  expect(await statusWith()).toBe(403);
  expect(await statusWith('AKIDEXAMPLE:wrong')).toBe(403);
  expect(await statusWith('AKIDEXAMPLE:secret')).toBe(200);
  await using open = await start({ durability: 'memory' });
  expect((await fetch(`${open.endpoint}/_millrace/metrics`)).status).toBe(200);
  expect((await fetch(`${open.endpoint}/_millrace/metrics`, { method: 'POST' })).status).toBe(405);
});
