import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../measure/statistics.ts';
import { UsageMeter } from '../measure/usage.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { FanOutJob, Figures, IdleJob } from './jobs.ts';
import { Subscriber } from './subscriber.ts';

const streamName = 'bench-fan-out';
const settleMs = 500;
/** At a call a millisecond V8 takes so long until it has compiled what polls run; idle pollers go on for days. */
const pollsSettleMs = 40_000;
const lastRecordsMs = 1500;
const lanes = 8;

interface Reader {
  readonly subscriber: Subscriber;
  /** Milliseconds from put to event, by the record's number. */
  readonly delaysMs: number[];
  /** What was received, in order. */
  readonly sequenceNumbers: string[];
}

/** What was put: the data of a record is its number, which says when it was sent; both ends share one clock. */
interface Sent {
  readonly atMs: number[];
  readonly answeredMs: number[];
}

/** Producers at a fixed rate, readers that are told of each record. Signing a request is not part of the time. */
export async function fanOut(job: FanOutJob): Promise<Figures> {
  const api = new Api(job.address);
  const sent: Sent = { atMs: [], answeredMs: [] };
  const readers = job.consumers === 0 ? [] : await subscribeAll(api, job, sent);
  const stalled = readers.splice(job.consumers);
  for (const { subscriber } of stalled) subscriber.stopReading();
  await sleep(settleMs);
  await produce(api, job, sent, job.warmUpSeconds);
  const warmUpRecords = sent.atMs.length;
  const usage = new UsageMeter(job.serverPid);
  await produce(api, job, sent, job.measureSeconds);
  const used = usage.stop();
  await sleep(lastRecordsMs);
  for (const { subscriber } of [...readers, ...stalled]) subscriber.close();
  const records = sent.atMs.length;
  check(readers, records);
  const puts = sent.answeredMs.map((answeredMs, i) => answeredMs - (sent.atMs[i] as number)).slice(warmUpRecords);
  const events = readers.flatMap(({ delaysMs }) => delaysMs.slice(warmUpRecords));
  const delays = readers.length === 0 ? puts : events;
  return {
    putToEventMsP50: median(delays),
    putToEventMsP99: percentile(delays, 0.99),
    putToEventMsMax: percentile(delays, 1),
    putMsP50: median(puts),
    putMsP99: percentile(puts, 0.99),
    records: records - warmUpRecords,
    ...used,
  };
}

async function subscribeAll(api: Api, job: FanOutJob, sent: Sent): Promise<Reader[]> {
  await api.createStream(streamName, 1);
  const [shard] = (await api.listShards(streamName)) as [string];
  const arns = await registerConsumers(api, job.consumers + job.stalledConsumers);
  const readers = arns.map((consumerArn) => subscribe(api, { consumerArn, shard }, sent));
  await Promise.all(readers.map(({ subscriber }) => subscriber.ready));
  return readers;
}

function subscribe(api: Api, place: { readonly consumerArn: string; readonly shard: string }, sent: Sent): Reader {
  const delaysMs: number[] = [];
  const sequenceNumbers: string[] = [];
  const subscriber = new Subscriber(api, place, (records) => {
    const nowMs = performance.now();
    for (const { Data, SequenceNumber } of records) {
      const number = Number.parseInt(Buffer.from(Data, 'base64').toString('latin1'), 10);
      delaysMs[number] = nowMs - (sent.atMs[number] as number);
      sequenceNumbers.push(SequenceNumber);
    }
  });
  return { subscriber, delaysMs, sequenceNumbers };
}

/** Everybody has everything, once and in order. */
function check(readers: readonly Reader[], records: number): void {
  for (const { sequenceNumbers, delaysMs } of readers) {
    const distinct = Object.keys(delaysMs).length;
    if (sequenceNumbers.length !== records || distinct !== records)
      throw new Error(`${records} records put, ${sequenceNumbers.length} received, ${distinct} of them different`);
    // Of one length, so that their order is that of the numbers.
    if (sequenceNumbers.some((each, i) => i > 0 && each <= (sequenceNumbers[i - 1] as string)))
      throw new Error('out of order');
  }
}

/** Puts for so many seconds, on several connections that take turns. */
async function produce(api: Api, job: FanOutJob, sent: Sent, seconds: number): Promise<void> {
  const startedMs = performance.now();
  const first = sent.atMs.length;
  const count = Math.floor(seconds * job.ratePerSecond);
  const lane = async (laneNumber: number): Promise<void> => {
    const connection = await Connection.open(job.address);
    for (let i = laneNumber; i < count; i += lanes) {
      const waitMs = startedMs + (i * 1000) / job.ratePerSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const number = first + i;
      const Data = Buffer.from(String(number).padEnd(job.recordBytes)).toString('base64');
      const input = { StreamName: streamName, PartitionKey: `key-${number}`, Data };
      const request = api.signer.request('PutRecord', input);
      sent.atMs[number] = performance.now();
      const { status, body } = await connection.send(request);
      sent.answeredMs[number] = performance.now();
      if (status !== 200) throw new Error(`PutRecord: ${status} ${body.toString('utf8', 0, 200)}`);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: lanes }, (_, laneNumber) => lane(laneNumber)));
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
  const state = { isStopped: false };
  const ends = job.how === 'subscriptions' ? await subscribeIdle(api, job) : await pollIdle(api, job, state);
  await sleep(job.how === 'subscriptions' ? 2 * settleMs + 1000 : pollsSettleMs);
  const usage = new UsageMeter(job.serverPid);
  await sleep(job.measureSeconds * 1000);
  const used = usage.stop();
  state.isStopped = true;
  for (const end of ends) await end();
  return { ...used };
}

type End = () => unknown;

async function createIdleShards(api: Api, job: IdleJob): Promise<readonly string[]> {
  await api.createStream(streamName, Math.ceil(job.readers / job.readersOfShard));
  return api.listShards(streamName);
}

async function subscribeIdle(api: Api, job: IdleJob): Promise<End[]> {
  const ends: End[] = [];
  const shards = await createIdleShards(api, job);
  const arns = await registerConsumers(api, job.readersOfShard);
  for (const shard of shards) {
    const subscribers = arns.map((consumerArn) => new Subscriber(api, { consumerArn, shard }, () => undefined));
    await Promise.all(subscribers.map(({ ready }) => ready));
    ends.push(() => subscribers.forEach((each) => each.close()));
  }
  return ends;
}

async function pollIdle(api: Api, job: IdleJob, state: { readonly isStopped: boolean }): Promise<End[]> {
  const shards = job.how === 'calls' ? [] : await createIdleShards(api, job);
  return Array.from({ length: job.readers }, (_, index) => {
    const polling = poll(api, shards[index % shards.length], (index * 1000) / job.readers, state);
    return () => polling;
  });
}

/** A call a second. */
async function poll(
  api: Api,
  shard: string | undefined,
  delayMs: number,
  state: { readonly isStopped: boolean },
): Promise<void> {
  await sleep(delayMs);
  const connection = await Connection.open(api.address);
  let iterator = shard && (await api.iterator(streamName, shard, { ShardIteratorType: 'LATEST' }));
  while (!state.isStopped) {
    const startedMs = performance.now();
    const input = { ShardIterator: iterator ?? 'of no shard'.repeat(16) };
    const { body } = await connection.send(api.signer.request('GetRecords', input));
    iterator &&= (JSON.parse(body.toString()) as { NextShardIterator: string }).NextShardIterator;
    await sleep(Math.max(0, 1000 - (performance.now() - startedMs)));
  }
  connection.close();
}
