import { fork, type ChildProcess } from 'node:child_process';
import type { Figures, Job, JobAnswer } from './jobs.ts';

const answerMsMax = 10 * 60_000;

/** The load, in a process of its own so that neither its garbage nor its CPU time is the bench's or the server's. */
export class LoadProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(new URL('./main.ts', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** One job at a time. @throws Error when the job failed or the process ended */
  run(job: Job): Promise<Figures> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const onExit = (code: number | null): void => done(() => reject(new Error(`the load process ended (${code})`)));
      const onMessage = (answer: JobAnswer): void =>
        done(() => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.figures)));
      const timer = setTimeout(() => done(() => reject(new Error('the load took too long'))), answerMsMax);
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        child.off('exit', onExit);
        child.off('message', onMessage);
        settle();
      };
      child.on('exit', onExit);
      child.on('message', onMessage);
      child.send(job);
    });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
