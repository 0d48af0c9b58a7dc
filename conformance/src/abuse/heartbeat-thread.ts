import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Heartbeat } from './good-calls.ts';

interface Options {
  readonly port: number;
  readonly everyMs: number;
  /** Whether being told to slow down is an answer. */
  readonly mayThrottle: boolean;
}

/** What a heartbeat has seen. */
export type Pulse = Pick<Heartbeat, 'latenciesMs' | 'failures' | 'throttledCount' | 'put'>;

/** A heartbeat in a thread of its own: what this process does meanwhile is not taken for the server's delay. */
export class HeartbeatThread {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Resolves after the first beat. */
  static async start(port: number, everyMs: number, mayThrottle = false): Promise<HeartbeatThread> {
    const options: Options = { port, everyMs, mayThrottle };
    const worker = new Worker(new URL(import.meta.url), { workerData: options });
    await once(worker, 'message');
    return new HeartbeatThread(worker);
  }

  /** Ends it after the beat under way. */
  async stop(): Promise<Pulse> {
    const told = once(this.#worker, 'message') as Promise<[Pulse]>;
    const exit = once(this.#worker, 'exit');
    this.#worker.postMessage('stop');
    const [[pulse]] = await Promise.all([told, exit]);
    return pulse;
  }
}

async function beat(): Promise<void> {
  const { port, everyMs, mayThrottle } = workerData as Options;
  const heartbeat = new Heartbeat(port, everyMs, mayThrottle);
  await heartbeat.beat();
  heartbeat.start();
  parentPort?.postMessage('started');
  await once(parentPort as NonNullable<typeof parentPort>, 'message');
  await heartbeat.stop();
  const { latenciesMs, failures, throttledCount, put } = heartbeat;
  parentPort?.postMessage({ latenciesMs, failures, throttledCount, put } satisfies Pulse);
}

if (!isMainThread) await beat();
