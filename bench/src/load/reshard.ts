import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, ReshardJob } from './jobs.ts';

interface WireShard {
  readonly ShardId: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
}

/** Splits, merges and scales a stream, again and again; the slowest call of each kind. */
export async function reshard(job: ReshardJob): Promise<Figures> {
  const api = new Api(job.address);
  const connection = await Connection.open(job.address);
  const slowest = { SplitShard: 0, MergeShards: 0, UpdateShardCount: 0 };
  const timed = async (operation: keyof typeof slowest, input: object): Promise<void> => {
    const request = api.signer.request(operation, { StreamName: job.streamName, ...input });
    const startedMs = performance.now();
    const { status, body } = await connection.send(request);
    slowest[operation] = Math.max(slowest[operation], performance.now() - startedMs);
    if (status !== 200) throw new Error(`${operation}: ${status} ${body.toString('utf8', 0, 300)}`);
  };
  for (let round = 0; round < job.rounds; round++) {
    const [first] = (await openShards(api, job.streamName)) as [WireShard];
    const { StartingHashKey: start, EndingHashKey: end } = first.HashKeyRange;
    const NewStartingHashKey = String((BigInt(start) + BigInt(end)) / 2n);
    await timed('SplitShard', { ShardToSplit: first.ShardId, NewStartingHashKey });
    const [lower, upper] = (await openShards(api, job.streamName)) as [WireShard, WireShard];
    await timed('MergeShards', { ShardToMerge: lower.ShardId, AdjacentShardToMerge: upper.ShardId });
    const { length } = await openShards(api, job.streamName);
    for (const TargetShardCount of [length * 2, length]) {
      await timed('UpdateShardCount', { TargetShardCount, ScalingType: 'UNIFORM_SCALING' });
    }
  }
  connection.close();
  const { SplitShard: splitMs, MergeShards: mergeMs, UpdateShardCount: scaleMs } = slowest;
  return { slowestMs: Math.max(splitMs, mergeMs, scaleMs), splitMs, mergeMs, scaleMs };
}

/** In the order of their ranges. */
async function openShards(api: Api, StreamName: string): Promise<WireShard[]> {
  const filter = { StreamName, ShardFilter: { Type: 'AT_LATEST' } };
  const { Shards } = (await api.call('ListShards', filter)) as { Shards: WireShard[] };
  const start = ({ HashKeyRange }: WireShard): bigint => BigInt(HashKeyRange.StartingHashKey);
  return Shards.sort((a, b) => (start(a) < start(b) ? -1 : 1));
}
