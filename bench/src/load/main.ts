import { fanOut, idle } from './fan-out.ts';
import { fill } from './fill.ts';
import { codec } from './codec.ts';
import { consume } from './consume.ts';
import type { Figures, Job, JobAnswer } from './jobs.ts';
import { latency } from './latency.ts';
import { probe } from './probe.ts';
import { produce } from './produce.ts';
import { put } from './put.ts';
import { read } from './read.ts';
import { reshard } from './reshard.ts';

/** The load process: takes one job at a time over the channel of its parent. */
process.on('message', (job: Job) => {
  run(job).then(
    (figures) => answer({ figures }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
  );
});

function run(job: Job): Promise<Figures> {
  switch (job.kind) {
    case 'put':
      return put(job);
    case 'fill':
      return fill(job);
    case 'read':
      return read(job);
    case 'probe':
      return probe(job);
    case 'latency':
      return latency(job);
    case 'fan-out':
      return fanOut(job);
    case 'idle':
      return idle(job);
    case 'reshard':
      return reshard(job);
    case 'produce':
      return produce(job);
    case 'consume':
      return consume(job);
    case 'codec':
      return codec(job);
  }
}

function answer(message: JobAnswer): void {
  process.send?.(message);
}
