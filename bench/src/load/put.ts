import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../measure/statistics.ts';
import { UsageMeter } from '../measure/usage.ts';
import { failedRecords } from './answers.ts';
import { Api } from './api.ts';
import { Connection } from './connection.ts';
import type { Figures, PutJob } from './jobs.ts';
import { putRequests } from './requests.ts';

const streamName = 'bench-put';
const badCallsMax = 50;
const drainMsMax = 3_000;

/** What the connections share. Only answers that arrive within the measured time count. */
class Tally {
  isMeasuring = false;
  isStopped = false;
  nextRequest = 0;
  failedRecords = 0;
  badCalls = 0;
  firstError: string | undefined;
  readonly latencies: number[] = [];

  bad(error: string): void {
    this.firstError ??= error;
    this.badCalls++;
    if (this.badCalls > badCallsMax) this.isStopped = true;
  }
}

/** Runs the closed loop: each connection sends its next request when the answer is there. */
export async function put(job: PutJob): Promise<Figures> {
  const api = new Api(job.address);
  if (job.shards !== undefined) await api.createStream(streamName, job.shards);
  const requests = putRequests(api.signer, { streamName, ...job });
  const tally = new Tally();
  const loops = Promise.all(Array.from({ length: job.connections }, () => loop(job, requests, tally)));
  await sleep(job.warmUpSeconds * 1000);
  const usage = new UsageMeter(job.serverPid);
  const startedMs = performance.now();
  tally.isMeasuring = true;
  await sleep(job.measureSeconds * 1000);
  tally.isMeasuring = false;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = usage.stop();
  tally.isStopped = true;
  // A slow server may hold calls for longer; it is killed with the cell.
  await Promise.race([loops, sleep(drainMsMax, undefined, { ref: false })]);
  if (tally.badCalls > badCallsMax || tally.latencies.length === 0)
    throw new Error(`${tally.badCalls} calls failed, first: ${tally.firstError ?? 'no answer in the measured time'}`);
  const records = tally.latencies.length * job.recordsPerCall - tally.failedRecords;
  return {
    recordsPerSecond: records / seconds,
    megabytesPerSecond: (records * job.recordBytes) / seconds / 1e6,
    cpuMicrosPerRecord: (used.serverCpuPercent * 1e4 * seconds) / records,
    callMsP50: median(tally.latencies),
    callMsP99: percentile(tally.latencies, 0.99),
    failedRecords: tally.failedRecords,
    badCalls: tally.badCalls,
    ...used,
  };
}

async function loop(job: PutJob, requests: readonly Buffer[], tally: Tally): Promise<void> {
  const connection = new Connection(job.address);
  while (!tally.isStopped) {
    const request = requests[tally.nextRequest++ % requests.length] as Buffer;
    const sentMs = performance.now();
    try {
      const { status, body } = await connection.send(request);
      if (status !== 200) tally.bad(`${status} ${body.toString('utf8', 0, 200)}`);
      else if (tally.isMeasuring) {
        tally.latencies.push(performance.now() - sentMs);
        if (job.recordsPerCall > 1) tally.failedRecords += failedRecords(body);
      }
    } catch (error) {
      // After the end the server may go away under a call.
      if (tally.isStopped) return;
      tally.bad(String(error));
      await sleep(50);
    }
  }
  connection.close();
}
