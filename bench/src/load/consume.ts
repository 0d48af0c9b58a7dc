import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { Consumer, MemoryLeaseStore, Producer } from '@millrace/client';
import { deaggregate } from '@millrace/client/aggregation';
import { UsageMeter } from '../measure/usage.ts';
import { Api } from './api.ts';
import { clientOf } from './client-of.ts';
import type { ConsumeJob, Figures } from './jobs.ts';

const streamName = 'bench-consume';

/** User records out of stored aggregates, through a client library of this process. */
export async function consume(job: ConsumeJob): Promise<Figures> {
  await new Api(job.address).createStream(streamName, job.shards);
  await fill(job);
  const client = clientOf(job.address, job.how === 'fan-out' ? 'http2' : 'http1');
  const usage = new UsageMeter(job.serverPid);
  const startedMs = performance.now();
  await (job.how === 'sdk' ? withSdk(client, job) : withConsumer(client, job, job.how));
  const seconds = (performance.now() - startedMs) / 1000;
  const used = usage.stop();
  const loadRssMB = process.memoryUsage.rss() / 1e6;
  client.destroy();
  const recordsPerSecond = job.records / seconds;
  return { recordsPerSecond, megabytesPerSecond: (recordsPerSecond * job.recordBytes) / 1e6, loadRssMB, ...used };
}

async function fill({ address, records, recordBytes, keys }: ConsumeJob): Promise<void> {
  const client = clientOf(address);
  const producer = await Producer.open({ client, stream: streamName });
  const data = Buffer.alloc(recordBytes, 'x');
  for (let i = 0; i < records; i++) await producer.put({ partitionKey: `user-${i % keys}`, data });
  await producer.close();
  client.destroy();
}

async function withConsumer(client: KinesisClient, job: ConsumeJob, retrieval: 'polling' | 'fan-out'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const leases = new MemoryLeaseStore();
  const where = { client, stream: streamName, application: 'bench', leases, startAt: 'TRIM_HORIZON' } as const;
  const consumer = await Consumer.open({ ...where, retrieval });
  let processed = 0;
  const each = (): void => void (++processed === job.records && resolve());
  const running = consumer.run({ each });
  await Promise.race([promise, running]);
  await consumer.close();
  if (processed !== job.records) throw new Error(`${processed} records were processed, of ${job.records}`);
}

/** What the SDK and the codec alone take: no leases, no checkpoints, no order. */
async function withSdk(client: KinesisClient, job: ConsumeJob): Promise<void> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: streamName }));
  let processed = 0;
  await Promise.all(
    Shards.map(async ({ ShardId }) => {
      const from = { StreamName: streamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' as const };
      let { ShardIterator } = await client.send(new GetShardIteratorCommand(from));
      for (;;) {
        const answer = await client.send(new GetRecordsCommand({ ShardIterator }));
        for (const { Data } of answer.Records ?? []) processed += deaggregate(Data as Uint8Array)?.length ?? 1;
        ShardIterator = answer.NextShardIterator;
        if (answer.MillisBehindLatest === 0) return;
      }
    }),
  );
  if (processed !== job.records) throw new Error(`${processed} records were read, of ${job.records}`);
}
