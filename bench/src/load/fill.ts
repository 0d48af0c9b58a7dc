import { UsageMeter } from '../measure/usage.ts';
import { failedRecords } from './answers.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, FillJob } from './jobs.ts';
import { putRequests } from './requests.ts';

const recordsPerCall = 500;

/** Puts `records` records, or as many as the time allows; tells how many are stored. */
export async function fill(job: FillJob): Promise<Figures> {
  const api = new Api(job.address);
  if (job.shards > 0) await api.createStream(job.streamName, job.shards);
  const requests = putRequests(api.signer, { ...job, recordsPerCall });
  const usage = new UsageMeter(job.serverPid);
  const startedMs = performance.now();
  const endMs = startedMs + job.secondsMax * 1000;
  let sent = 0;
  let stored = 0;
  const loop = async (): Promise<void> => {
    const connection = await Connection.open(job.address);
    while (sent < job.records && performance.now() < endMs) {
      const request = requests[(sent / recordsPerCall) % requests.length] as Buffer;
      sent += recordsPerCall;
      const { status, body } = await connection.send(request);
      if (status !== 200) throw new Error(`PutRecords: ${status} ${body.toString('utf8', 0, 200)}`);
      stored += recordsPerCall - failedRecords(body);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: job.connections }, loop));
  const seconds = (performance.now() - startedMs) / 1000;
  return { records: stored, seconds, recordsPerSecond: stored / seconds, ...usage.stop() };
}
