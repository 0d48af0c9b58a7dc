import { median } from '../measure/statistics.ts';
import { Api, type Position } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, ProbeJob } from './jobs.ts';
import { readPage, readShard } from './read.ts';

const pageRecords = 10_000;
const warmUpRounds = 2;
const walkMsMax = 120_000;

interface Spot {
  readonly name: string;
  readonly streamName: string;
  readonly shardId: string;
  readonly position: Position;
  readonly times: number[];
}

/**
 * Times one call at each spot, round after round in turn, so that a disturbance of the machine meets all spots alike.
 * The spots are page starts found by reading each stream once; in a stream of one page all three are the same.
 */
export async function probe(job: ProbeJob): Promise<Figures> {
  const api = new Api(job.address);
  const spots = (await Promise.all(job.streamNames.map((name) => spotsOf(api, name)))).flat();
  const connection = await Connection.open(job.address);
  for (let round = 0; round < warmUpRounds + job.rounds; round++) {
    for (const spot of spots) {
      const iterator = await api.iterator(spot.streamName, spot.shardId, spot.position);
      const { records, ms } = await readPage(api, connection, iterator);
      if (records !== pageRecords) throw new Error(`${spot.name}: ${records} records instead of ${pageRecords}`);
      if (round >= warmUpRounds) spot.times.push(ms);
    }
  }
  connection.close();
  const medians = spots.map((spot) => [spot.name, median(spot.times)] as const);
  const values = medians.map(([, ms]) => ms);
  return { ...Object.fromEntries(medians), spotRatio: Math.max(...values) / Math.min(...values) };
}

async function spotsOf(api: Api, streamName: string): Promise<Spot[]> {
  const [shardId] = await api.listShards(streamName);
  if (shardId === undefined) throw new Error(`stream ${streamName} has no shard`);
  const pages = await readShard(api, streamName, shardId, performance.now() + walkMsMax);
  const full = pages.filter((page) => page.records === pageRecords);
  const at = { head: 0, middle: Math.floor(full.length / 2), end: full.length - 1 };
  return Object.entries(at).map(([place, index]) => {
    const first = full[index]?.first;
    if (first === undefined) throw new Error(`stream ${streamName} has no page of ${pageRecords} records`);
    const position: Position =
      index === 0
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: first };
    return { name: `${streamName} ${place} ms`, streamName, shardId, position, times: [] };
  });
}
