import { InvalidArgumentError } from '../../errors.ts';
import type { Checkpoint, Lease, LeaseStore, NewLease } from './lease.ts';
import { LeaseRows } from './rows.ts';
import * as rules from './rules.ts';

export interface MemoryLeaseStoreOptions {
  /** Default 2000. */
  readonly failoverMs?: number | undefined;
}

/** Leases of one process, gone with it: for tests, and for consumers that begin anew each time. All consumers that share leases get the same store. */
export class MemoryLeaseStore implements LeaseStore {
  readonly failoverMs: number;
  readonly #rows = new LeaseRows();
  #application: string | undefined;
  #version = 0;

  constructor({ failoverMs = 2000 }: MemoryLeaseStoreOptions = {}) {
    this.failoverMs = failoverMs;
  }

  /** Once by each consumer. @throws InvalidArgumentError for a second application */
  async open(application: string): Promise<void> {
    this.#application ??= application;
    if (this.#application !== application)
      throw new InvalidArgumentError(`these leases are of the application ${this.#application}, not ${application}`);
  }

  async list(): Promise<readonly Lease[]> {
    return this.#rows.list();
  }

  async create(lease: NewLease): Promise<boolean> {
    return this.#change((transaction) => rules.create(transaction, lease));
  }

  async renew(worker: string, held: readonly Lease[]): Promise<ReadonlyMap<string, Lease | undefined>> {
    return this.#change((transaction) => rules.renew(transaction, worker, held));
  }

  async take(seen: Lease, worker: string): Promise<Lease | undefined> {
    return this.#change((transaction) => rules.take(transaction, seen, worker));
  }

  async ask(seen: Lease, worker: string): Promise<Lease | undefined> {
    return this.#change((transaction) => rules.ask(transaction, seen, worker));
  }

  async checkpoint(held: Lease, checkpoint: Checkpoint, childShardIds?: readonly string[]): Promise<Lease | undefined> {
    return this.#change((transaction) => rules.checkpoint(transaction, held, { checkpoint, childShardIds }));
  }

  async release(held: Lease, worker: string): Promise<Lease | undefined> {
    return this.#change((transaction) => rules.release(transaction, held, worker));
  }

  async delete(seen: Lease): Promise<boolean> {
    return this.#change((transaction) => rules.remove(transaction, seen));
  }

  /** Does nothing: others may go on. */
  async close(): Promise<void> {}

  #change<T>(work: (transaction: rules.LeaseTransaction) => T): T {
    const rows = this.#rows;
    const version = ++this.#version;
    return work({
      version,
      caller: '',
      row: (shardId) => rows.row(shardId),
      pulseOf: (worker) => rows.pulseOf(worker),
      put: (row) => rows.put(row),
      remove: (shardId) => rows.remove(shardId),
      beat: (worker) => rows.setPulse(worker, version),
    });
  }
}
