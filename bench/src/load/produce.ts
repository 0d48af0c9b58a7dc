import { setTimeout as sleep } from 'node:timers/promises';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { Producer } from '@millrace/client';
import { UsageMeter } from '../measure/usage.ts';
import { Api } from './api.ts';
import { clientOf } from './client-of.ts';
import type { Figures, ProduceJob } from './jobs.ts';

const streamName = 'bench-produce';
const callsOfSdk = 8;
const recordsOfCall = 500;

/** What both ways have in common: records that differ in their keys. */
interface Load {
  readonly job: ProduceJob;
  readonly client: KinesisClient;
  readonly keys: readonly string[];
  readonly data: Buffer;
  isStopped: boolean;
  /** Acknowledged one by one. */
  acknowledged: number;
}

/** Records through a client library of this process, each with an acknowledgement that somebody waits for. */
export async function produce(job: ProduceJob): Promise<Figures> {
  await new Api(job.address).createStream(streamName, job.shards);
  const client = clientOf(job.address);
  const keys = Array.from({ length: job.keys }, (_, i) => `user-${i}`);
  const load = { job, client, keys, data: Buffer.alloc(job.recordBytes, 'x'), isStopped: false, acknowledged: 0 };
  const running = job.how === 'producer' ? withProducer(load) : withSdk(load);
  await sleep(job.warmUpSeconds * 1000);
  const usage = new UsageMeter(job.serverPid);
  const startedMs = performance.now();
  const before = load.acknowledged;
  await sleep(job.measureSeconds * 1000);
  const records = load.acknowledged - before;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = usage.stop();
  const loadRssMB = process.memoryUsage.rss() / 1e6;
  load.isStopped = true;
  await running;
  client.destroy();
  return {
    recordsPerSecond: records / seconds,
    megabytesPerSecond: (records * job.recordBytes) / seconds / 1e6,
    loadRssMB,
    ...used,
  };
}

async function withProducer(load: Load): Promise<void> {
  const { client, keys, data } = load;
  const producer = await Producer.open({ client, stream: streamName });
  const count = (): void => void load.acknowledged++;
  let failure: unknown;
  const fail = (error: unknown): void => void (failure = error);
  for (let i = 0; !load.isStopped && failure === undefined; i++) {
    const { acknowledged } = await producer.put({ partitionKey: keys[i % keys.length] as string, data });
    acknowledged.then(count, fail);
  }
  await producer.close();
  if (failure !== undefined) throw failure as Error;
}

async function withSdk(load: Load): Promise<void> {
  const { client, keys, data } = load;
  let next = 0;
  await Promise.all(
    Array.from({ length: callsOfSdk }, async () => {
      while (!load.isStopped) {
        const Records = Array.from({ length: recordsOfCall }, () => ({
          PartitionKey: keys[next++ % keys.length],
          Data: data,
        }));
        const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName: streamName, Records }));
        if (FailedRecordCount !== 0) throw new Error(`${FailedRecordCount} records failed`);
        load.acknowledged += recordsOfCall;
      }
    }),
  );
}
