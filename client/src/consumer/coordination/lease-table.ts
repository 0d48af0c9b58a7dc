import { isEnded, type Lease } from '../leases/lease.ts';
import { isNumbered } from '../record.ts';

interface Seen {
  readonly pulse: number;
  readonly sinceMs: number;
}

/** The leases as they were last seen, and since when each has shown no sign of life: by this worker's own clock, as no other can be trusted. */
export class LeaseTable {
  #leases = new Map<string, Lease>();
  readonly #pulses = new Map<string, Seen>();
  /** Parents that had no lease. */
  readonly #absentSince = new Map<string, number>();

  observe(leases: readonly Lease[], nowMs: number): void {
    this.#leases = new Map(leases.map((lease) => [lease.shardId, lease]));
    for (const shardId of this.#pulses.keys()) if (!this.#leases.has(shardId)) this.#pulses.delete(shardId);
    for (const { shardId, pulse, owner, previousOwner } of leases) {
      if (owner === undefined && previousOwner === undefined) this.#pulses.delete(shardId);
      else if (this.#pulses.get(shardId)?.pulse !== pulse) this.#pulses.set(shardId, { pulse, sinceMs: nowMs });
    }
  }

  get all(): Iterable<Lease> {
    return this.#leases.values();
  }

  get count(): number {
    return this.#leases.size;
  }

  get(shardId: string): Lease | undefined {
    return this.#leases.get(shardId);
  }

  /** Nobody processes it: it has no owner, or one that has shown no sign of life for so long. */
  isFree(
    { shardId, owner, previousOwner }: Lease,
    { nowMs, failoverMs }: { nowMs: number; failoverMs: number },
  ): boolean {
    if (owner === undefined && previousOwner === undefined) return true;
    const seen = this.#pulses.get(shardId);
    return seen !== undefined && nowMs - seen.sinceMs >= failoverMs;
  }

  /**
   * Some parent has records that come first. One without a lease has none any more; but a listing may be old, so that has to be seen for a while, unless
   * the shard was begun already.
   */
  isBlocked({ parentShardIds, checkpoint }: Lease, { nowMs, absentMs }: { nowMs: number; absentMs: number }): boolean {
    return parentShardIds.some((parent) => {
      const lease = this.#leases.get(parent);
      if (lease !== undefined) {
        this.#absentSince.delete(parent);
        return !isEnded(lease);
      }
      if (isNumbered(checkpoint)) return false;
      const sinceMs = this.#absentSince.get(parent) ?? nowMs;
      this.#absentSince.set(parent, sinceMs);
      return nowMs - sinceMs < absentMs;
    });
  }
}
