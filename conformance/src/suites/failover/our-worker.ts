import type { ConsumerSettings } from '@millrace/client';
import { BackgroundProcess } from '../../harness/background-process.ts';
import { workspaceFile } from '../../harness/folders.ts';
import type { Account } from './account.ts';

export interface OurApplication {
  readonly kinesis: string;
  readonly stream: string;
  readonly application: string;
  /** Endpoint of DynamoDB, or path of a SQLite file. */
  readonly table: string;
  readonly settings: ConsumerSettings;
  /** That a record takes. */
  readonly recordMs: number;
}

/** A process of `@millrace/client` that consumes. */
export class OurWorker {
  readonly name: string;
  readonly process: BackgroundProcess;
  /** It has given everything back. */
  isStopped = false;

  constructor(application: OurApplication, name: string, account: Account) {
    this.name = name;
    const { kinesis, stream, application: called, table, settings, recordMs } = application;
    const program = workspaceFile('src/suites/takeover/program.ts');
    const args = [kinesis, stream, called, name, table, JSON.stringify(settings), String(recordMs)];
    this.process = new BackgroundProcess(process.execPath, [program, ...args], {
      onLine: (line) => {
        if (line === 'stopped') this.isStopped = true;
        else account.note(line, name);
      },
    });
  }
}
