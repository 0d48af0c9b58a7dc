import { ClientError, InvalidArgumentError } from '../../errors.ts';
import { systemTiming } from '../../timing.ts';
import type { Checkpoint, Lease, LeaseStore, NewLease } from './lease.ts';
import * as rules from './rules.ts';
import { LeaseFile } from './sqlite-file.ts';

export interface SqliteLeaseStoreOptions {
  /** On a disk of this machine: SQLite's locks do not work over a network. Made if absent, its folder is not. `-wal` and `-shm` files stand beside it. */
  readonly file: string;
  /** Default 2000. */
  readonly failoverMs?: number | undefined;
}

/** How often one waits while others write. */
const triesMax = 20;
/** When many make a new file at once, each waits for some syncs of each other. */
const openTriesMax = 300;
const pauseMsMax = 25;

/**
 * Leases of the processes of one machine, in a SQLite file that any number of them, and of applications, share. Each consumer has a store of its
 * own. A checkpoint is synced to disk when its call resolves: it survives a power cut. Each write, also a renewal of all leases of a worker, is one sync,
 * for which the thread stands still.
 *
 * Calls reject with a {@link ClientError}: `MR_LEASES_BUSY`, retryable, when others wrote for about half a second; `MR_LEASES_FAILED`, retryable
 * when the disk was full or had an error; `MR_LEASES_CLOSED`.
 *
 * Signs of life are kept by worker: a renewal of one lease is one of all that the worker processes. A lease of a living worker that does not know of it
 * (the call that took it was rejected) does therefore not expire; that worker sees it in the list, and takes it again or releases it.
 */
export class SqliteLeaseStore implements LeaseStore {
  readonly failoverMs: number;
  readonly #path: string;
  #file: LeaseFile | undefined;
  #isClosed = false;

  constructor({ file, failoverMs = 2000 }: SqliteLeaseStoreOptions) {
    this.#path = file;
    this.failoverMs = failoverMs;
  }

  /** @throws ClientError also `MR_LEASES_VERSION`, when a later version has written the file; `MR_LEASES_FOREIGN`, when something else has */
  async open(application: string): Promise<void> {
    await this.#try(openTriesMax, () => {
      if (this.#isClosed) throw this.#closedError();
      if (this.#file !== undefined)
        throw new InvalidArgumentError('this lease store is in use by another consumer: give each one of its own');
      this.#file = new LeaseFile({ file: this.#path, application });
    });
  }

  async list(): Promise<readonly Lease[]> {
    return this.#try(triesMax, () => this.#opened.read().list());
  }

  async create(lease: NewLease): Promise<boolean> {
    return this.#write((transaction) => rules.create(transaction, lease));
  }

  async renew(worker: string, held: readonly Lease[]): Promise<ReadonlyMap<string, Lease | undefined>> {
    return this.#write((transaction) => rules.renew(transaction, worker, held));
  }

  async take(seen: Lease, worker: string): Promise<Lease | undefined> {
    return this.#write((transaction) => rules.take(transaction, seen, worker));
  }

  async ask(seen: Lease, worker: string): Promise<Lease | undefined> {
    return this.#write((transaction) => rules.ask(transaction, seen, worker));
  }

  async checkpoint(held: Lease, checkpoint: Checkpoint, childShardIds?: readonly string[]): Promise<Lease | undefined> {
    return this.#write((transaction) => rules.checkpoint(transaction, held, { checkpoint, childShardIds }));
  }

  async release(held: Lease, worker: string): Promise<Lease | undefined> {
    return this.#write((transaction) => rules.release(transaction, held, worker));
  }

  async delete(seen: Lease): Promise<boolean> {
    return this.#write((transaction) => rules.remove(transaction, seen));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#file?.close();
    this.#file = undefined;
  }

  get #opened(): LeaseFile {
    if (this.#file === undefined) throw this.#closedError();
    return this.#file;
  }

  #write<T>(work: (transaction: rules.LeaseTransaction) => T): Promise<T> {
    return this.#try(triesMax, () => this.#opened.write(work));
  }

  async #try<T>(tries: number, work: () => T): Promise<T> {
    for (let count = 1; ; count++) {
      try {
        return work();
      } catch (error) {
        const failure = failureOf(error, this.#path);
        if (count === tries || !(failure instanceof ClientError) || failure.code !== 'MR_LEASES_BUSY') throw failure;
      }
      await pause();
    }
  }

  #closedError(): ClientError {
    return new ClientError('MR_LEASES_CLOSED', `the lease file ${this.#path} is not open`);
  }
}

/** Result codes of SQLite, without what extends them. Source: sqlite.org/rescode.html */
const sqliteCode = { busy: 5, ioError: 10, full: 13, protocol: 15 } as const;

function failureOf(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const code = error.errcode & 0xff;
  if (code === sqliteCode.busy || code === sqliteCode.protocol)
    return new ClientError('MR_LEASES_BUSY', `the lease file ${file} is being written by others`, {
      cause: error,
      isRetryable: true,
    });
  return new ClientError('MR_LEASES_FAILED', `the lease file ${file} could not be used: ${error.message}`, {
    cause: error,
    isRetryable: code === sqliteCode.ioError || code === sqliteCode.full,
  });
}

function pause(): Promise<void> {
  return new Promise((resolve) => void systemTiming.after(systemTiming.random() * pauseMsMax, resolve));
}
