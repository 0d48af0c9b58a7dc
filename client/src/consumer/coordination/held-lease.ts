import type { Timing } from '../../timing.ts';
import type { Lease } from '../leases/lease.ts';

/** A lease that this worker has, with one write at a time. */
export class HeldLease {
  readonly shardId: string;
  readonly #timing: Timing;
  readonly #lost = new AbortController();
  #lease: Lease;
  /** By then at the latest the store knew that we live. */
  #renewedMs: number;
  #writing: Promise<unknown> | undefined;

  /** @param startedMs   when the call that took it was made */
  constructor(lease: Lease, startedMs: number, timing: Timing) {
    this.shardId = lease.shardId;
    this.#lease = lease;
    this.#renewedMs = startedMs;
    this.#timing = timing;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Fires when it is somebody else's. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** Since the last sign of life. Milliseconds. */
  get silentMs(): number {
    return this.#timing.now() - this.#renewedMs;
  }

  lose(): void {
    this.#lost.abort(new Error(`the lease of ${this.shardId} has been lost`));
  }

  /** Writes after what is being written. Whether it is still ours; when the store cannot say, rejects, and it may be tried again. */
  async write(call: (lease: Lease) => Promise<Lease | undefined>): Promise<boolean> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#lost.signal.aborted) return false;
    const startedMs = this.#timing.now();
    const done = Promise.withResolvers<void>();
    this.#writing = done.promise;
    try {
      const written = await call(this.#lease);
      this.#note(written, startedMs);
      return written !== undefined;
    } finally {
      this.#writing = undefined;
      done.resolve();
    }
  }

  #note(lease: Lease | undefined, startedMs: number): void {
    if (lease === undefined) return this.lose();
    this.#lease = lease;
    this.#renewedMs = startedMs;
  }
}

/** One sign of life for all of them that are not being written anyway; those that are lost say so. */
export async function renewAll(
  held: readonly HeldLease[],
  renew: (leases: readonly Lease[]) => Promise<ReadonlyMap<string, Lease | undefined>>,
): Promise<void> {
  const quiet = held.filter((each) => !each.isWriting && !each.lost.aborted);
  if (quiet.length === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, Lease | undefined>>();
  const writes = quiet.map((each) =>
    each.write(async (lease) => {
      const answers = await promise;
      if (!answers.has(each.shardId)) throw new Error('it is not known whether the lease was renewed');
      return answers.get(lease.shardId);
    }),
  );
  const settled = Promise.allSettled(writes);
  renew(quiet.map(({ lease }) => lease)).then(resolve, reject);
  const unknown = (await settled).filter(({ status }) => status === 'rejected').length;
  await promise;
  if (unknown > 0) throw new Error(`${unknown} of ${quiet.length} leases could not be renewed`);
}
