import { resolve } from 'node:path';
import { Catalog } from '../catalog/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { isFolderLocked } from '../kernel/folder-lock-probe.ts';
import { readOnlyDisk } from '../kernel/read-only-disk.ts';
import { inspectFolder, inspectRunning, type FolderReport, type LostRange } from '../log/index.ts';
import { resolveConfig } from '../server/config.ts';
import { formatShardId } from '../streams/shard/shard-id.ts';
import { StreamsDomain } from '../streams/state/domain.ts';

/** A data folder as commands see it that only read it. */
export interface ReadFolder {
  readonly path: string;
  /** Undefined when it cannot be told. */
  readonly isServerRunning: boolean | undefined;
  readonly report: FolderReport;
  /** As the newest command in the journal leaves it. */
  readonly streams: StreamsDomain;
}

/** The folder that the flag, the environment or the configuration file names. */
export function dataFolderOf(values: Readonly<Record<string, unknown>>): string {
  const flags = values['data-dir'] === undefined ? {} : { 'data-dir': values['data-dir'] };
  return resolve(resolveConfig(flags, process.env).dataDir);
}

/** @throws DataFolderError, FolderDamagedError   as `inspectFolder` does */
export async function readFolder(
  path: string,
  options: { readonly isThorough: boolean; readonly onProgress?: (done: number, total: number) => void },
): Promise<ReadFolder> {
  const disk = readOnlyDisk(path);
  let streams = new StreamsDomain();
  const inspect = (): Promise<FolderReport> => {
    streams = new StreamsDomain();
    return inspectFolder({ disk, machine: new Catalog(systemClock, [streams]), ...options });
  };
  const isServerRunning = isFolderLocked(path);
  const report = await (isServerRunning === false ? inspect() : inspectRunning(inspect));
  return { path, isServerRunning, report, streams };
}

/** Records of a stream's shard that are lost, as people know the stream. */
export interface NamedRange extends LostRange {
  /** Undefined when no stream of this number exists any more. */
  readonly stream: string | undefined;
  readonly account: string | undefined;
  readonly region: string | undefined;
  readonly shardId: string;
}

export function named(range: LostRange, streams: StreamsDomain): NamedRange {
  const record = streams.findByIncarnation(range.group)?.record;
  const { name: stream, account, region } = record ?? {};
  return { stream, account, region, shardId: formatShardId(range.shard), ...range };
}

/** `orders (us-east-1, account 000000000000) shardId-000000000002: records 5 to 9`. */
export function rangeText({ stream, region, account, shardId, group, fromOffset, endOffset }: NamedRange): string {
  const name = stream === undefined ? `stream number ${group}, whose name is not known,` : stream;
  const scope = stream === undefined ? '' : ` (${region}, account ${account})`;
  const records = endOffset - fromOffset === 1 ? `record ${fromOffset}` : `records ${fromOffset} to ${endOffset - 1}`;
  return `${name}${scope} ${shardId}: ${records}`;
}

/** 1,234 as people read it. */
export function countText(count: number): string {
  return count.toLocaleString('en');
}

export function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${countText(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

export function timeText(ms: number | undefined): string {
  return ms === undefined ? '-' : new Date(ms).toISOString();
}
