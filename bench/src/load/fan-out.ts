import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../measure/statistics.ts';
import { UsageMeter } from '../measure/usage.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { FanOutJob, Figures, IdleJob } from './jobs.ts';
import { Subscriber } from './subscriber.ts';

const streamName = 'bench-fan-out';
const settleMs = 500;
const lastRecordsMs = 1500;
const lanes = 8;

interface Reader {
  readonly subscriber: Subscriber;
  readonly delaysMs: number[];
  /** What was received, in order. */
  readonly numbers: string[];
}

/** Producers at a fixed rate; the data of a record is the time it was sent, so both ends share one clock. */
export async function fanOut(job: FanOutJob): Promise<Figures> {
  const api = new Api(job.address);
  await api.createStream(streamName, 1);
  const [shard] = (await api.listShards(streamName)) as [string];
  const arns = await registerConsumers(api, job.consumers + job.stalledConsumers);
  const readers = arns.map((consumerArn) => subscribe(api, consumerArn, shard));
  await Promise.all(readers.map(({ subscriber }) => subscriber.ready));
  const stalled = readers.splice(job.consumers);
  for (const { subscriber } of stalled) subscriber.stopReading();
  await sleep(settleMs);
  const usage = new UsageMeter(job.serverPid);
  const counts = await Promise.all(Array.from({ length: lanes }, (_, lane) => produce(api, job, lane)));
  const used = usage.stop();
  await sleep(lastRecordsMs);
  for (const { subscriber } of [...readers, ...stalled]) subscriber.close();
  const sent = counts.reduce((sum, each) => sum + each, 0);
  check(readers, sent);
  const delays = readers.flatMap(({ delaysMs }) => delaysMs);
  return {
    putToEventMsP50: median(delays),
    putToEventMsP99: percentile(delays, 0.99),
    putToEventMsMax: percentile(delays, 1),
    records: sent,
    ...used,
  };
}

function subscribe(api: Api, consumerArn: string, shard: string): Reader {
  const delaysMs: number[] = [];
  const numbers: string[] = [];
  const subscriber = new Subscriber(api, { consumerArn, shard }, (records) => {
    const nowMs = performance.now();
    for (const { Data, SequenceNumber } of records) {
      delaysMs.push(nowMs - Number.parseFloat(Buffer.from(Data, 'base64').toString('latin1')));
      numbers.push(SequenceNumber);
    }
  });
  return { subscriber, delaysMs, numbers };
}

/** Everybody has everything, once and in order. */
function check(readers: readonly Reader[], sent: number): void {
  for (const { numbers } of readers) {
    if (numbers.length !== sent) throw new Error(`${sent} records put, ${numbers.length} received`);
    // Of one length, so that their order is that of the numbers.
    if (numbers.some((each, i) => i > 0 && each <= (numbers[i - 1] as string))) throw new Error('out of order');
  }
}

async function produce(api: Api, job: FanOutJob, lane: number): Promise<number> {
  const connection = await Connection.open(job.address);
  const stepMs = (1000 * lanes) / job.ratePerSecond;
  const count = Math.floor((job.measureSeconds * job.ratePerSecond) / lanes);
  const startedMs = performance.now() + (lane * stepMs) / lanes;
  for (let i = 0; i < count; i++) {
    const waitMs = startedMs + i * stepMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const Data = Buffer.from(String(performance.now()).padEnd(job.recordBytes)).toString('base64');
    const request = api.signer.request('PutRecord', { StreamName: streamName, PartitionKey: `key-${i}`, Data });
    const { status, body } = await connection.send(request);
    if (status !== 200) throw new Error(`PutRecord: ${status} ${body.toString('utf8', 0, 200)}`);
  }
  connection.close();
  return count;
}

async function registerConsumers(api: Api, count: number): Promise<string[]> {
  const { StreamDescriptionSummary: summary } = (await api.call('DescribeStreamSummary', {
    StreamName: streamName,
  })) as { StreamDescriptionSummary: { StreamARN: string } };
  const arns: string[] = [];
  for (let index = 0; index < count; index++) {
    const input = { StreamARN: summary.StreamARN, ConsumerName: `consumer-${index}` };
    const { Consumer } = (await api.call('RegisterStreamConsumer', input)) as { Consumer: { ConsumerARN: string } };
    arns.push(Consumer.ConsumerARN);
  }
  return arns;
}

/** Many readers of streams that nobody writes to. */
export async function idle(job: IdleJob): Promise<Figures> {
  const api = new Api(job.address);
  const shardCount = Math.ceil(job.readers / job.readersOfShard);
  await api.createStream(streamName, shardCount);
  const shards = await api.listShards(streamName);
  const state = { isStopped: false };
  const ends: (() => unknown)[] = [];
  if (job.how === 'subscriptions') {
    const arns = await registerConsumers(api, job.readersOfShard);
    for (const shard of shards) {
      const subscribers = arns.map((consumerArn) => new Subscriber(api, { consumerArn, shard }, () => undefined));
      await Promise.all(subscribers.map(({ ready }) => ready));
      ends.push(() => subscribers.forEach((each) => each.close()));
    }
  } else {
    for (let index = 0; index < job.readers; index++) {
      const polling = poll(api, shards[index % shards.length] as string, (index * 1000) / job.readers, state);
      ends.push(() => polling);
    }
  }
  await sleep(2 * settleMs + 1000);
  const usage = new UsageMeter(job.serverPid);
  await sleep(job.measureSeconds * 1000);
  const used = usage.stop();
  state.isStopped = true;
  for (const end of ends) await end();
  return { ...used };
}

/** A call a second. */
async function poll(api: Api, shard: string, delayMs: number, state: { readonly isStopped: boolean }): Promise<void> {
  await sleep(delayMs);
  const connection = await Connection.open(api.address);
  let iterator = await api.iterator(streamName, shard, { ShardIteratorType: 'LATEST' });
  while (!state.isStopped) {
    const startedMs = performance.now();
    const { body } = await connection.send(api.signer.request('GetRecords', { ShardIterator: iterator }));
    iterator = (JSON.parse(body.toString()) as { NextShardIterator: string }).NextShardIterator;
    await sleep(Math.max(0, 1000 - (performance.now() - startedMs)));
  }
  connection.close();
}
