import { holderOf, type Lease } from './lease.ts';

/** A lease in a store that keeps pulses by worker: a sign of life of one that has a thousand leases is one number then. */
export interface LeaseRow extends Omit<Lease, 'pulse'> {
  /** What the fence was before its last change. */
  readonly fenceBefore: number;
  /** Who has made that change, see {@link LeaseTransaction.caller}; a call that is made again finds its own write by these two. */
  readonly fenceBy: string;
}

export function leaseOf(row: LeaseRow, pulse: number): Lease {
  const { fenceBefore: _before, fenceBy: _by, ...lease } = row;
  return { ...lease, pulse };
}

interface Entry {
  readonly row: LeaseRow;
  lease: Lease | undefined;
}

/** The leases of an application and the pulses of its workers, in memory. */
export class LeaseRows {
  readonly #entries = new Map<string, Entry>();
  readonly #pulses = new Map<string, number>();
  #list: readonly Lease[] | undefined;

  row(shardId: string): LeaseRow | undefined {
    return this.#entries.get(shardId)?.row;
  }

  /** 0 of nobody, and of one who has never given a sign of life. */
  pulseOf(worker: string | undefined): number {
    return worker === undefined ? 0 : (this.#pulses.get(worker) ?? 0);
  }

  put(row: LeaseRow): void {
    this.#entries.set(row.shardId, { row, lease: undefined });
    this.#list = undefined;
  }

  remove(shardId: string): void {
    this.#entries.delete(shardId);
    this.#list = undefined;
  }

  setPulse(worker: string, pulse: number): void {
    this.#pulses.set(worker, pulse);
    this.#list = undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#pulses.clear();
    this.#list = undefined;
  }

  /** The same array until something changes, and in the next one the same objects for what has not. */
  list(): readonly Lease[] {
    this.#list ??= Array.from(this.#entries.values(), (entry) => {
      const pulse = this.pulseOf(holderOf(entry.row));
      if (entry.lease?.pulse !== pulse) entry.lease = leaseOf(entry.row, pulse);
      return entry.lease;
    });
    return this.#list;
  }
}
