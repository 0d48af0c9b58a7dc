import { median, percentile } from '../measure/statistics.ts';
import { UsageMeter } from '../measure/usage.ts';
import { countRecords, firstSequenceNumber, nextShardIterator } from './answers.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, ReadJob } from './jobs.ts';

const pageRecords = 10_000;
/** JSON of one 100-byte record is never shorter than this, whatever the server's spelling. */
const recordBytesMin = 200;
const emptyPagesMax = 2;

/** One page as a reader saw it. */
export interface Page {
  readonly records: number;
  readonly bytes: number;
  readonly ms: number;
  /** Sequence number of its first record. */
  readonly first: string | undefined;
}

/** Full read, one reader and one connection a shard. */
export async function read(job: ReadJob): Promise<Figures> {
  const api = new Api(job.address);
  const shards = await api.listShards(job.streamName);
  const usage = new UsageMeter(job.serverPid);
  const startedMs = performance.now();
  const endMs = startedMs + job.secondsMax * 1000;
  const pages = (await Promise.all(shards.map((shard) => readShard(api, job.streamName, shard, endMs)))).flat();
  const seconds = (performance.now() - startedMs) / 1000;
  const used = usage.stop();
  const records = pages.reduce((sum, page) => sum + page.records, 0);
  const times = pages.map((page) => page.ms);
  return {
    records,
    seconds,
    recordsPerSecond: records / seconds,
    megabytesPerSecond: pages.reduce((sum, page) => sum + page.bytes, 0) / seconds / 1e6,
    cpuMicrosPerRecord: (used.serverCpuPercent * 1e4 * seconds) / records,
    callMsP50: median(times),
    callMsP99: percentile(times, 0.99),
    ...used,
  };
}

/** Reads one shard from TRIM_HORIZON until it is empty, closed or the time is over. */
export async function readShard(api: Api, streamName: string, shardId: string, endMs: number): Promise<Page[]> {
  const connection = await Connection.open(api.address);
  const pages: Page[] = [];
  let iterator: string | undefined = await api.iterator(streamName, shardId, { ShardIteratorType: 'TRIM_HORIZON' });
  let emptyPages = 0;
  while (iterator !== undefined && emptyPages < emptyPagesMax && performance.now() < endMs) {
    const page = await readPage(api, connection, iterator);
    emptyPages = page.records === 0 ? emptyPages + 1 : 0;
    if (page.records > 0) pages.push(page);
    iterator = page.next;
  }
  connection.close();
  return pages;
}

/** One GetRecords call of up to 10,000 records. */
export async function readPage(
  api: Api,
  connection: Connection,
  iterator: string,
): Promise<Page & { readonly next: string | undefined }> {
  const request = api.signer.request('GetRecords', { ShardIterator: iterator, Limit: pageRecords });
  const sentMs = performance.now();
  const { status, body } = await connection.send(request);
  const ms = performance.now() - sentMs;
  if (status !== 200) throw new Error(`GetRecords: ${status} ${body.toString('utf8', 0, 200)}`);
  return {
    records: countRecords(body, recordBytesMin),
    bytes: body.length,
    ms,
    first: firstSequenceNumber(body),
    next: nextShardIterator(body),
  };
}
