import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { descriptors, mebibytes, residentBytes } from '../../abuse/vitals.ts';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { Connection } from '../connection.ts';
import { ServerProcess } from '../server-process.ts';

export interface ChurnOptions {
  readonly seconds: number;
  /** A stream is deleted and made again when it has taken so much. */
  readonly streamBytes: number;
}

const connectionCount = 16;
const recordBytes = 1000;
const callRecords = 500;
const residentBytesMax = 300e6;
/** Journal, reserve, and a deleted stream whose files are being removed. */
const diskBytesBesides = 600e6;
const filesMax = 100;
const sampleMs = 500;
/** Of the last third against the second third. */
const growthMax = 1.1;

/** Full write load on a stream that is deleted and made again: memory stays flat, disk and open files stay bounded. */
export async function churnSuite({ seconds, streamBytes }: ChurnOptions, checks: Checks): Promise<void> {
  const fresh = freshFolder('churn');
  const folder = join(fresh.path, 'data');
  const server = await ServerProcess.start({ folder });
  const endMs = Date.now() + seconds * 1000;
  const seen: Sample[] = [];
  const totals = { bytes: 0, streams: 0 };
  try {
    const sampling = sample(server, folder, { endMs, seen });
    while (Date.now() < endMs)
      totals.bytes += await fillAndDelete(server, `churn-${totals.streams++}`, { endMs, streamBytes });
    await sampling;
    checks.say(
      `${(totals.bytes / 1e9).toFixed(1)} GB into ${totals.streams} streams in ${seconds} s: ${(totals.bytes / 1e6 / seconds).toFixed(0)} MB/s; ` +
        `resident ${spread(seen.map(({ resident }) => resident))}; disk ${spread(seen.map(({ disk }) => disk))}`,
    );
    const third = Math.floor(seen.length / 3);
    const resident = (from: number, to: number): number =>
      Math.max(...seen.slice(from, to).map((each) => each.resident));
    const [middle, last] = [resident(third, 2 * third), resident(2 * third, seen.length)];
    const most = Math.max(...seen.map((each) => each.resident));
    checks.record(
      `memory stays at ${mebibytes(residentBytesMax)} or less (at most ${mebibytes(most)})`,
      most <= residentBytesMax ? undefined : mebibytes(most),
    );
    checks.record(
      `memory is flat: at most ${mebibytes(middle)} in the second third, ${mebibytes(last)} in the last`,
      last <= middle * growthMax ? undefined : 'it grows',
    );
    const disk = Math.max(...seen.map((each) => each.disk));
    const diskMax = 2 * streamBytes + diskBytesBesides;
    checks.record(
      `the disk holds at most ${(disk / 1e9).toFixed(2)} GB, of ${(diskMax / 1e9).toFixed(2)} GB allowed`,
      disk <= diskMax ? undefined : 'more',
    );
    const files = Math.max(...seen.map((each) => each.files));
    checks.record(`at most ${files} open files`, files <= filesMax ? undefined : `more than ${filesMax}`);
    checks.record('more than one stream was filled', totals.streams > 1 ? undefined : 'too slow for this');
    const { status, damage = [] } = await server.health();
    checks.record(
      'the server is well',
      status === 'ok' && damage.length === 0 ? undefined : `${status} ${damage.join('; ')}`,
    );
  } finally {
    await server.kill();
    fresh.remove();
  }
}

interface Sample {
  readonly resident: number;
  readonly disk: number;
  readonly files: number;
}

async function sample(
  server: ServerProcess,
  folder: string,
  { endMs, seen }: { endMs: number; seen: Sample[] },
): Promise<void> {
  while (Date.now() < endMs) {
    await sleep(sampleMs);
    seen.push({ resident: residentBytes(server.pid), disk: bytesIn(folder), files: descriptors(server.pid).others });
  }
}

/** Apparent sizes; files come and go meanwhile. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

async function fillAndDelete(
  server: ServerProcess,
  StreamName: string,
  { endMs, streamBytes }: { endMs: number; streamBytes: number },
): Promise<number> {
  const control = new Connection(server.endpoint);
  await control.mustCall('CreateStream', { StreamName, ShardCount: 4 });
  const Data = new Uint8Array(recordBytes).fill(7);
  let bytes = 0;
  const worker = async (number: number): Promise<void> => {
    const connection = new Connection(server.endpoint, { encoding: number % 2 === 0 ? 'json' : 'cbor' });
    const Records = Array.from({ length: callRecords }, (_, i) => ({ Data, PartitionKey: `${number}-${i}` }));
    const body = connection.encode({ StreamName, Records });
    while (bytes < streamBytes && Date.now() < endMs) {
      const { status } = await connection.callEncoded('PutRecords', body);
      if (status !== 200) throw new Error(`a put answered ${status}`);
      bytes += callRecords * recordBytes;
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connectionCount }, (_, i) => worker(i)));
  await control.mustCall('DeleteStream', { StreamName });
  control.close();
  return bytes;
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    .map((each) => mebibytes(each ?? NaN))
    .join(' / ');
}
