import { inTime, pause } from '../../deadline.ts';
import { inParallel } from '../../in-parallel.ts';
import type { Timing } from '../../timing.ts';
import type { ConsumedShard, ConsumerCalls } from '../calls.ts';
import type { Report } from '../events.ts';
import { isEnded, type Lease, type LeaseStore } from '../leases/lease.ts';
import type { ConsumerTuning } from '../tuning.ts';
import {
  checkpointAt,
  filterAt,
  hasHole,
  isDisposable,
  leasesForHole,
  leasesOfChildren,
  newLease,
  type StartAt,
} from './lineage.ts';

/** Audits that find the same hole before it is filled: leases of children come one after the other. */
const holesMax = 2;

export interface StewardOptions {
  readonly store: LeaseStore;
  readonly calls: ConsumerCalls;
  readonly timing: Timing;
  readonly tuning: ConsumerTuning;
  readonly startAt: StartAt;
  readonly report: Report;
}

/** Sees to it that there is a lease for every shard that is to be processed, and for no other. Every worker has one; they agree by what is in the store. */
export class Steward {
  readonly #options: StewardOptions;
  readonly #signal: AbortSignal;
  #holes = 0;

  /** @param signal   ends calls and audits */
  constructor(options: StewardOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Makes the leases that the application starts with, unless it has some. @throws what Kinesis and the store throw */
  async open(): Promise<void> {
    const { store, startAt, timing } = this.#options;
    if ((await store.list({ isFresh: true })).length > 0) return;
    const checkpoint = checkpointAt(startAt, timing.wallMs());
    const shards = await this.listShards(startAt);
    await inParallel(shards, (shard) => store.create(newLease(shard, checkpoint)));
  }

  /** Audits now and then, until the signal fires. */
  async run(): Promise<void> {
    const { timing, tuning, report } = this.#options;
    for (;;) {
      await pause(timing, tuning.auditMs * (0.5 + timing.random() / 2), this.#signal);
      if (this.#signal.aborted) return;
      try {
        await this.#audit();
      } catch (error) {
        report({ type: 'leasesFailed', error });
      }
    }
  }

  /** Makes the leases of the children of a shard that has been processed; looks for them itself where the end does not tell of any. */
  async endShard(shardId: string, told: readonly ConsumedShard[]): Promise<string[]> {
    const { store } = this.#options;
    const isChild = ({ parentShardIds }: ConsumedShard): boolean => parentShardIds.includes(shardId);
    const children = told.length > 0 ? told : (await this.listShards()).filter(isChild);
    const known = new Set((await store.list({ isFresh: true })).map((lease) => lease.shardId));
    for (const lease of leasesOfChildren(children, (id) => known.has(id))) await store.create(lease);
    return children.map((child) => child.shardId);
  }

  /** Those that an application starts with at that place; without one all. */
  listShards(at?: StartAt): Promise<ConsumedShard[]> {
    const { calls, timing, tuning } = this.#options;
    const deadline = { timing, timeoutMs: tuning.requestTimeoutMs, signal: this.#signal };
    return inTime(deadline, (signal) => calls.listShards(at === undefined ? undefined : filterAt(at), signal));
  }

  /** Fills holes, and deletes leases that nobody needs. */
  async #audit(): Promise<void> {
    const { store, startAt, timing } = this.#options;
    const leases = await store.list();
    const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
    this.#holes = hasHole(leases) ? this.#holes + 1 : 0;
    if (this.#holes >= holesMax) {
      const start = { startAt, nowMs: timing.wallMs() };
      for (const lease of leasesForHole(byId, await this.listShards(), start)) await store.create(lease);
    }
    // What fills a hole is known by what has ended before it. Where leases do not say what they have, that may be no hole.
    const saysRange = (lease: Lease): boolean => isEnded(lease) || lease.hashKeyRange !== undefined;
    if (this.#holes > 0 && leases.every(saysRange)) return;
    for (const lease of leases) if (isDisposable(lease, (id) => byId.get(id))) await store.delete(lease);
  }
}
