import { cpuSeconds, machineCpuSeconds, rssMB } from './proc.ts';

const sampleMs = 250;

/** Percent are of one core. */
export interface Usage {
  readonly serverCpuPercent: number;
  readonly serverRssPeakMB: number;
  readonly loadCpuPercent: number;
  /** Neither the server nor the load: somebody else was at work, and the figures beside this are too low. */
  readonly othersCpuPercent: number;
}

/** What the server, the load and everybody else use between construction and `stop`. */
export class UsageMeter {
  readonly #pid: number;
  readonly #startedMs: number = performance.now();
  readonly #serverSeconds: number;
  readonly #machineSeconds: number = machineCpuSeconds();
  readonly #own: NodeJS.CpuUsage = process.cpuUsage();
  readonly #timer: NodeJS.Timeout;
  #rssPeak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#serverSeconds = cpuSeconds(pid);
    this.#timer = setInterval(() => this.#sample(), sampleMs);
  }

  stop(): Usage & Record<string, number> {
    clearInterval(this.#timer);
    this.#sample();
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const { user, system } = process.cpuUsage(this.#own);
    const load = (user + system) / 1e6;
    const server = cpuSeconds(this.#pid) - this.#serverSeconds;
    const others = machineCpuSeconds() - this.#machineSeconds - server - load;
    return {
      serverCpuPercent: (server / seconds) * 100,
      serverRssPeakMB: this.#rssPeak,
      loadCpuPercent: (load / seconds) * 100,
      othersCpuPercent: Math.max(0, (others / seconds) * 100),
    };
  }

  #sample(): void {
    this.#rssPeak = Math.max(this.#rssPeak, rssMB(this.#pid));
  }
}
