import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../measure/statistics.ts';
import { UsageMeter } from '../measure/usage.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, LatencyJob } from './jobs.ts';

const streamName = 'bench-latency';
const settleMs = 500;
const lastRecordsMs = 1_000;
const timeDigits = 24;

/** One producer at a fixed rate; the data of a record is the time it was sent, so both ends share one clock. */
export async function latency(job: LatencyJob): Promise<Figures> {
  const api = new Api(job.address);
  await api.createStream(streamName, job.shards);
  const shards = await api.listShards(streamName);
  const putToGet: number[] = [];
  const state = { isStopped: false };
  const pollers = Promise.all(shards.map((shard) => poll({ api, shard, job, state, putToGet })));
  await sleep(settleMs);
  const usage = new UsageMeter(job.serverPid);
  const putTimes = await produce(api, job);
  const used = usage.stop();
  await sleep(lastRecordsMs);
  state.isStopped = true;
  await pollers;
  if (putToGet.length !== putTimes.length)
    throw new Error(`${putTimes.length} records put, ${putToGet.length} received`);
  return {
    putToGetMsP50: median(putToGet),
    putToGetMsP99: percentile(putToGet, 0.99),
    putMsP50: median(putTimes),
    putMsP99: percentile(putTimes, 0.99),
    records: putToGet.length,
    ...used,
  };
}

async function produce(api: Api, job: LatencyJob): Promise<number[]> {
  const connection = await Connection.open(job.address);
  const times: number[] = [];
  const startedMs = performance.now();
  const count = Math.floor(job.measureSeconds * job.ratePerSecond);
  for (let i = 0; i < count; i++) {
    const waitMs = startedMs + (i * 1000) / job.ratePerSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const sentMs = performance.now();
    const Data = Buffer.from(String(sentMs).padEnd(timeDigits)).toString('base64');
    const request = api.signer.request('PutRecord', { StreamName: streamName, PartitionKey: `key-${i}`, Data });
    const { status, body } = await connection.send(request);
    if (status !== 200) throw new Error(`PutRecord: ${status} ${body.toString('utf8', 0, 200)}`);
    times.push(performance.now() - sentMs);
  }
  connection.close();
  return times;
}

interface Poller {
  readonly api: Api;
  readonly shard: string;
  readonly job: LatencyJob;
  readonly state: { readonly isStopped: boolean };
  readonly putToGet: number[];
}

async function poll({ api, shard, job, state, putToGet }: Poller): Promise<void> {
  const connection = await Connection.open(job.address);
  let iterator = await api.iterator(streamName, shard, { ShardIteratorType: 'LATEST' });
  while (!state.isStopped) {
    const startedMs = performance.now();
    const { status, body } = await connection.send(api.signer.request('GetRecords', { ShardIterator: iterator }));
    if (status !== 200) throw new Error(`GetRecords: ${status} ${body.toString('utf8', 0, 200)}`);
    const receivedMs = performance.now();
    const answer = JSON.parse(body.toString()) as { Records: { Data: string }[]; NextShardIterator: string };
    for (const { Data } of answer.Records) putToGet.push(receivedMs - Number(Buffer.from(Data, 'base64').toString()));
    iterator = answer.NextShardIterator;
    const restMs = job.pollMs - (performance.now() - startedMs);
    if (restMs > 0) await sleep(restMs);
  }
  connection.close();
}
