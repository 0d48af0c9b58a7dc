import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ClientError } from '../../../errors.ts';
import { inParallel } from '../../../in-parallel.ts';
import { systemTiming } from '../../../timing.ts';
import { type Checkpoint, holderOf, type Lease, type LeaseStore, type NewLease } from '../lease.ts';
import { TableCalls } from './calls.ts';
import type { Change } from './changes.ts';
import { checkpointItem, itemOf, leaseOf, pendingCheckpoint } from './items.ts';
import { openTable } from './table.ts';

export interface DynamoDbLeaseStoreOptions {
  /** Of the official SDK, with its own retries. Not closed by the store. */
  readonly client: DynamoDBClient;
  /** Default: named as the application, as the KCL does it. */
  readonly table?: string | undefined;
  /** Default 10,000, as the KCL's. */
  readonly failoverMs?: number | undefined;
}

/** Of one write of a holder: its own that had landed before, and one who asked meanwhile, make two. */
const attemptsMax = 4;

/**
 * Leases in a table of DynamoDB, item by item as the KCL for Java keeps them: either can go on where the other has ended. Side by side in one
 * application they do not hurt one another, but a leader of KCL 3 gives nothing to workers whose figures it does not see.
 *
 * `fence` and `pulse` are both `leaseCounter`.
 */
export class DynamoDbLeaseStore implements LeaseStore {
  readonly failoverMs: number;
  readonly #options: DynamoDbLeaseStoreOptions;
  #calls: TableCalls | undefined;
  /** The last write for each lease, until it is known that it has had no effect. */
  readonly #last = new Map<string, OwnWrite>();

  constructor(options: DynamoDbLeaseStoreOptions) {
    this.failoverMs = options.failoverMs ?? 10_000;
    this.#options = options;
  }

  async open(application: string, failoverMs: number = this.failoverMs): Promise<void> {
    const { client, table = application } = this.#options;
    const calls = new TableCalls({ client, table, failoverMs });
    await openTable(calls, systemTiming);
    this.#calls = calls;
  }

  async list({ isFresh = false }: { readonly isFresh?: boolean } = {}): Promise<readonly Lease[]> {
    const items = await this.#table.scan(isFresh);
    const foreign = items.find((item) => item['streamName'] !== undefined && leaseOf(item) !== undefined);
    if (foreign !== undefined) {
      throw new ClientError(
        'MR_LEASES_MULTI_STREAM',
        `The lease table ${this.#table.table} is of a KCL application for several streams, with leases such as ${foreign['leaseKey']?.S}: those cannot be taken over.`,
      );
    }
    return items.map(leaseOf).filter((lease) => lease !== undefined);
  }

  create(lease: NewLease): Promise<boolean> {
    return this.#table.put(itemOf(lease));
  }

  async renew(worker: string, held: readonly Lease[]): Promise<ReadonlyMap<string, Lease | undefined>> {
    const now = new Map<string, Lease | undefined>();
    const failures: unknown[] = [];
    await inParallel(held, async (lease) => {
      try {
        now.set(lease.shardId, await this.#writeHeld(lease, worker, () => ({})));
      } catch (error) {
        failures.push(error);
      }
    });
    if (now.size === 0 && failures.length > 0) throw failures[0];
    return now;
  }

  take(seen: Lease, worker: string): Promise<Lease | undefined> {
    const change: Change = {
      set: { leaseOwner: { S: worker } },
      remove: ['checkpointOwner'],
      isSwitch: ![undefined, worker].includes(holderOf(seen)),
    };
    return this.#write(seen, {
      changeOf: () => change,
      hasLanded: (now) => now.owner === worker && now.previousOwner === undefined,
      goesOn: never,
      isTake: true,
    });
  }

  async ask(seen: Lease, worker: string): Promise<Lease | undefined> {
    if (seen.owner === undefined || seen.owner === worker || seen.previousOwner !== undefined) return undefined;
    const { isDone, lease } = await this.#table.update(seen, {
      set: { leaseOwner: { S: worker }, checkpointOwner: { S: seen.owner } },
      isUncounted: true,
    });
    const hasLanded = lease?.owner === worker && lease.previousOwner === seen.owner;
    return isDone || hasLanded ? lease : undefined;
  }

  async checkpoint(
    held: Lease,
    checkpoint: Checkpoint,
    childShardIds: readonly string[] = [],
  ): Promise<Lease | undefined> {
    const children = childShardIds.length > 0 && { childShardIds: { SS: [...childShardIds] } };
    const set = { ...checkpointItem(checkpoint), ...children };
    return this.#writeHeld(held, holderOf(held), () => ({ set, remove: pendingCheckpoint }));
  }

  release(held: Lease, worker: string): Promise<Lease | undefined> {
    const changeOf = ({ previousOwner }: Lease): Change => ({
      remove: [previousOwner === undefined ? 'leaseOwner' : 'checkpointOwner'],
    });
    return this.#writeHeld(held, worker, changeOf, (now, from) => {
      const successor = from.previousOwner === undefined ? undefined : from.owner;
      return now.owner === successor && now.previousOwner === undefined;
    });
  }

  async delete(seen: Lease): Promise<boolean> {
    const { isDone, lease } = await this.#table.delete(seen);
    const isGone = isDone || lease === undefined;
    if (isGone) this.#last.delete(seen.shardId);
    return isGone;
  }

  async close(): Promise<void> {}

  get #table(): TableCalls {
    if (this.#calls === undefined) throw new Error('the store is not open');
    return this.#calls;
  }

  /** Goes on while `worker` holds the lease. What has landed before is not believed as it is: it was no sign of life of now. */
  async #writeHeld(
    held: Lease,
    worker: string | undefined,
    changeOf: Write['changeOf'],
    hasLanded: Write['hasLanded'] = never,
  ): Promise<Lease | undefined> {
    if (worker === undefined || holderOf(held) !== worker) return undefined;
    return this.#write(held, { changeOf, hasLanded, goesOn: (now) => holderOf(now) === worker, isTake: false });
  }

  /**
   * Refused, it tells what there is now. That may be an own write whose answer was lost, with a counter of one more; or somebody has asked for
   * the lease, and the counter is the same.
   */
  async #write(known: Lease, { changeOf, hasLanded, goesOn, isTake }: Write): Promise<Lease | undefined> {
    const { shardId, fence } = known;
    const last = this.#last.get(shardId);
    let isRepeated = last?.known === fence && last.isTake === isTake;
    let from = isRepeated ? (last as OwnWrite).from : known;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      this.#last.set(shardId, { known: fence, from, isTake });
      const { isDone, lease, isRetried } = await this.#table.update(from, changeOf(from));
      if (isDone) return lease;
      const isOwn = (isRepeated || isRetried) && lease?.fence === from.fence + 1;
      if (isOwn && hasLanded(lease, from)) return lease;
      if (lease === undefined || !goesOn(lease) || !(isOwn || lease.fence === from.fence)) break;
      from = lease;
      isRepeated = false;
    }
    this.#last.delete(shardId);
    return undefined;
  }
}

interface OwnWrite {
  /** The fence of what the caller has given. */
  readonly known: number;
  /** What it was made from; that is later, after writes whose answers were lost. */
  readonly from: Lease;
  /** Then what was held before is lost, even to a worker that has taken its own. */
  readonly isTake: boolean;
}

interface Write {
  readonly changeOf: (from: Lease) => Change;
  /** Of what may be an own write: whether it is this one. */
  readonly hasLanded: (now: Lease, from: Lease) => boolean;
  /** Whether to try it again with what there is now. */
  readonly goesOn: (now: Lease) => boolean;
  readonly isTake: boolean;
}

function never(): boolean {
  return false;
}
