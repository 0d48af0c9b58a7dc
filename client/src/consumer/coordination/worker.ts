import { pause } from '../../deadline.ts';
import { inParallel } from '../../in-parallel.ts';
import { isEnded, type Lease } from '../leases/lease.ts';
import { balance } from './balance.ts';
import { HeldLease, renewAll } from './held-lease.ts';
import { LeaseTable } from './lease-table.ts';
import type { StartAt } from './lineage.ts';
import { ShardTask, type TaskGround, type TaskShard } from './shard-task.ts';
import { Steward } from './steward.ts';

/** A look at all leases costs what they are long, so many leases are looked at less often. */
const leasesPerLook = 125;
const lookMsMin = 100;
const lookMsMax = 250;
/** Before a renewal is due by the KCL's reckoning, in case the timer is late. */
const epsilonMs = 25;
/** Until the next look while somebody is giving leases back, which takes no longer than that. */
const soonMs = 50;
const leftMsMax = 1000;
/** Then a handler that goes on without a lease is told of. */
const unquietMs = 1000;
/** Between calls for the shards that fail. */
const rangesMs = 1000;
/** Of a shard that has gone, in which nothing can be misplaced. */
const wholeRange = { start: '0'.repeat(32), end: 'f'.repeat(32) };
/** Looks for what a worker that ends has asked others for. */
const returnsMax = 10;

export interface WorkerOptions extends Omit<TaskGround, 'endShard' | 'bytesMax' | 'timestamp'> {
  readonly startAt: StartAt;
  readonly failoverMs: number;
}

/** A lease that this worker has. */
interface Holding {
  readonly held: HeldLease;
  /** Undefined while a parent is being processed. */
  task: ShardTask | undefined;
  /** It is being given back. */
  isLeaving: boolean;
}

/** One member of an application: gets its share of the leases, keeps them, and processes their shards. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #taskGround: TaskGround;
  readonly #steward: Steward;
  readonly #table = new LeaseTable();
  readonly #holdings = new Map<string, Holding>();
  /** Leases that another one is asked for, or that nobody has, since when. Milliseconds of the clock. */
  readonly #waitingSince = new Map<string, number>();
  /** Not to be taken before that: nothing could be fetched here. */
  readonly #barredUntil = new Map<string, number>();
  /** Not to be taken before a handler returns that goes on without the lease: there would be two at a time. */
  readonly #unquiet = new Set<string>();
  /** Of hash keys, where leases do not say them; undefined before they are known. A shard that is not in it has gone. */
  #ranges: ReadonlyMap<string, TaskShard['range']> | undefined;
  #isLearning = false;
  /** The last look has left leases that had become free shortly before. */
  #isSomethingLeft = false;
  readonly #stop = new AbortController();
  /** All has been given back. */
  readonly #ended = new AbortController();
  /** Ends the pause before the next look. */
  #wake = new AbortController();
  #looking: Promise<unknown> | undefined;
  #keeping: Promise<unknown> | undefined;

  constructor(options: WorkerOptions) {
    const { startAt, tuning } = options;
    this.#options = options;
    this.#taskGround = {
      ...options,
      timestamp: startAt instanceof Date ? startAt : undefined,
      bytesMax: () => tuning.bufferBytesMax / Math.max(4, this.#holdings.size),
      endShard: (shardId, children) => this.#steward.endShard(shardId, children),
    };
    this.#steward = new Steward(options, this.#stop.signal);
  }

  /** Makes the leases that the application starts with, unless it has some. @throws what Kinesis and the store throw */
  open(): Promise<void> {
    return this.#steward.open();
  }

  get shardIds(): string[] {
    return [...this.#holdings.keys()];
  }

  get millisBehindLatest(): number {
    return Math.max(0, ...[...this.#holdings.values()].map(({ task }) => task?.millisBehindLatest ?? 0));
  }

  start(): void {
    this.#looking = Promise.all([this.#lookLoop(), this.#steward.run()]);
    this.#keeping = Promise.all([this.#renewLoop(), this.#watchLoop()]);
  }

  /** Ends what has been begun and gives all leases back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    const leaving = [...this.#holdings.values()].map((holding) => this.#leave(holding));
    await this.#looking;
    // One may have been taken meanwhile.
    await Promise.all([...leaving, ...[...this.#holdings.values()].map((holding) => this.#leave(holding))]);
    await this.#returnAsked();
    this.#ended.abort();
    await this.#keeping;
  }

  /** What others are handing over to this worker: they would give it to nobody. */
  async #returnAsked(): Promise<void> {
    const { store, worker, timing, report } = this.#options;
    try {
      for (let look = 0; look < returnsMax; look++) {
        const own = (await store.list({ isFresh: true })).filter((lease) => lease.owner === worker && !isEnded(lease));
        if (own.length === 0) return;
        for (const lease of own) {
          const taken = lease.previousOwner === undefined ? await store.take(lease, worker) : undefined;
          if (taken !== undefined) await store.release(taken, worker);
        }
        await pause(timing, lookMsMin, this.#ended.signal);
      }
    } catch (error) {
      report({ type: 'leasesFailed', error }); // They expire.
    }
  }

  async #lookLoop(): Promise<void> {
    const { timing, report, failoverMs } = this.#options;
    const baseMs = Math.min(Math.max(failoverMs / 40, lookMsMin), lookMsMax);
    while (!this.#stop.signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        if (!this.#stop.signal.aborted) report({ type: 'leasesFailed', error });
      }
      const usualMs = Math.min(failoverMs / 4, baseMs * Math.max(1, this.#table.count / leasesPerLook));
      const lookMs = this.#isSomethingLeft ? Math.min(soonMs, usualMs) : usualMs;
      this.#wake = new AbortController();
      const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal]);
      await pause(timing, lookMs * (0.9 + timing.random() * 0.2), signal);
    }
  }

  async #look(): Promise<void> {
    const { store, timing } = this.#options;
    const leases = await store.list();
    this.#table.observe(leases, timing.now());
    for (const holding of this.#holdings.values()) this.#compare(holding);
    await this.#takeShare();
    if (!this.#stop.signal.aborted) this.#startReady();
  }

  /** Calls for each; what fails does not keep the others, and is tried again at the next look. */
  async #forEach(leases: Iterable<Lease>, call: (lease: Lease) => Promise<unknown>): Promise<void> {
    const { report } = this.#options;
    await inParallel(leases, (lease) => call(lease).catch((error: unknown) => report({ type: 'leasesFailed', error })));
  }

  /** Others may have taken what this worker has, or want it. */
  #compare(holding: Holding): void {
    const { held } = holding;
    const { worker } = this.#options;
    const seen = this.#table.get(held.shardId);
    // What was seen may be older than what this worker has written since.
    if (seen === undefined || seen.fence < held.lease.fence) return;
    if (seen.owner !== worker && seen.previousOwner !== worker) held.lose();
    else if (seen.owner !== worker) void this.#leave(holding);
  }

  async #takeShare(): Promise<void> {
    const { store, worker, tuning, timing, failoverMs } = this.#options;
    const nowMs = timing.now();
    const open = [...this.#table.all].filter((lease) => !isEnded(lease));
    const free = new Set(open.filter((lease) => this.#isFree(lease, nowMs)));
    this.#noteWaiting(open, free, nowMs);
    const waitsFor = (lease: Lease): number => nowMs - (this.#waitingSince.get(lease.shardId) ?? nowMs);
    const isBarred = ({ shardId }: Lease): boolean =>
      this.#holdings.has(shardId) || this.#unquiet.has(shardId) || (this.#barredUntil.get(shardId) ?? 0) > nowMs;
    const step = balance({
      worker,
      leases: open,
      free,
      overdue: new Set([...free].filter((lease) => waitsFor(lease) > failoverMs / 2)),
      isBarred,
      leasesMax: tuning.leasesMax,
      movesMax: tuning.movesMax === 0 ? undefined : tuning.movesMax,
      random: () => timing.random(),
    });
    const isTooLong = (lease: Lease): boolean => waitsFor(lease) > tuning.handOverMs + failoverMs;
    const own = open.filter(
      (lease) =>
        lease.owner === worker &&
        !isBarred(lease) &&
        !step.take.includes(lease) &&
        (lease.previousOwner === undefined || isTooLong(lease)),
    );
    await this.#forEach([...step.take, ...own], (lease) => this.#take(lease));
    // Lost by silence, and this worker's still by the store: it would be nobody's for as long as this worker lives.
    const barred = open.filter(
      (lease) =>
        lease.owner === worker &&
        lease.previousOwner === undefined &&
        !this.#holdings.has(lease.shardId) &&
        isBarred(lease),
    );
    await this.#forEach(barred, (lease) => store.release(lease, worker));
    // A worker that is leaving has its share until it has given back the last of its leases.
    this.#isSomethingLeft = [...free].some((lease) => !isBarred(lease) && waitsFor(lease) < leftMsMax);
    await this.#askFor(step.ask);
  }

  async #askFor(leases: readonly Lease[]): Promise<void> {
    const { store, worker } = this.#options;
    if (!this.#stop.signal.aborted) await this.#forEach(leases, (lease) => store.ask(lease, worker));
    // What somebody waits for, and nobody here knows of: a call had an effect and did not say so.
    const unknown = [...this.#table.all].filter(
      ({ shardId, previousOwner }) => previousOwner === worker && !this.#holdings.has(shardId),
    );
    await this.#forEach(unknown, (lease) => store.release(lease, worker));
  }

  #isFree(lease: Lease, nowMs: number): boolean {
    const { failoverMs } = this.#options;
    return !this.#holdings.has(lease.shardId) && this.#table.isFree(lease, { nowMs, failoverMs });
  }

  /** Since when each lease is free, or waited for by this worker. */
  #noteWaiting(leases: readonly Lease[], free: ReadonlySet<Lease>, nowMs: number): void {
    const { worker } = this.#options;
    const waiting = leases.filter(
      (lease) => free.has(lease) || (lease.owner === worker && lease.previousOwner !== undefined),
    );
    const ids = new Set(waiting.map(({ shardId }) => shardId));
    for (const shardId of this.#waitingSince.keys()) if (!ids.has(shardId)) this.#waitingSince.delete(shardId);
    for (const shardId of ids) if (!this.#waitingSince.has(shardId)) this.#waitingSince.set(shardId, nowMs);
  }

  async #take(seen: Lease): Promise<void> {
    const { store, worker, timing, report } = this.#options;
    if (this.#stop.signal.aborted) return;
    const startedMs = timing.now();
    const lease = await store.take(seen, worker);
    if (lease === undefined) return;
    const held = new HeldLease(lease, startedMs, timing);
    const holding: Holding = { held, task: undefined, isLeaving: false };
    this.#holdings.set(lease.shardId, holding);
    held.lost.addEventListener('abort', () => this.#forget(held, 'leaseLost'), { once: true });
    report({ type: 'leaseTaken', shardId: lease.shardId });
    this.#startIfReady(holding);
  }

  #startReady(): void {
    for (const holding of this.#holdings.values()) this.#startIfReady(holding);
  }

  #startIfReady(holding: Holding): void {
    const { timing, failoverMs } = this.#options;
    const { held } = holding;
    if (holding.task !== undefined || holding.isLeaving || this.#stop.signal.aborted) return;
    if (this.#table.isBlocked(held.lease, { nowMs: timing.now(), absentMs: failoverMs / 10 })) return;
    const range = held.lease.hashKeyRange ?? this.#ranges?.get(held.shardId) ?? (this.#ranges && wholeRange);
    if (range === undefined) return void this.#learnRanges();
    const task = new ShardTask({ held, range, isChild: this.#hasParent(held.lease) }, this.#taskGround);
    holding.task = task;
    void task.done.then((end) => {
      const { shardId } = held;
      const { tuning } = this.#options;
      if (this.#holdings.get(shardId) === holding) this.#holdings.delete(shardId);
      if (end === 'stalled') this.#barredUntil.set(shardId, timing.now() + tuning.stallMs);
      void this.#waitForQuiet(shardId, task);
      this.#wake.abort();
    });
  }

  async #waitForQuiet(shardId: string, task: ShardTask): Promise<void> {
    const { report, timing } = this.#options;
    const cancel = timing.later(unquietMs, () => report({ type: 'handlerGoesOn', shardId }));
    this.#unquiet.add(shardId);
    await task.quiet();
    this.#unquiet.delete(shardId);
    cancel();
  }

  #hasParent({ parentShardIds }: Lease): boolean {
    return parentShardIds.some((parent) => this.#table.get(parent) !== undefined);
  }

  /** Another program may have left them out. */
  async #learnRanges(): Promise<void> {
    if (this.#isLearning) return;
    this.#isLearning = true;
    try {
      const shards = await this.#steward.listShards();
      this.#ranges = new Map(shards.map(({ shardId, start, end }) => [shardId, { start, end }]));
    } catch (error) {
      this.#options.report({ type: 'leasesFailed', error });
      await pause(this.#options.timing, rangesMs, this.#stop.signal);
    }
    this.#isLearning = false;
  }

  /** Ends what has been begun in a shard, and gives its lease to who wants it. */
  async #leave(holding: Holding): Promise<void> {
    const { store, worker, report } = this.#options;
    const { held, task } = holding;
    if (task !== undefined) return void (await task.stop());
    if (holding.isLeaving) return;
    holding.isLeaving = true;
    try {
      await held.write((lease) => store.release(lease, worker));
    } catch (error) {
      report({ type: 'leasesFailed', error }); // It expires.
    }
    this.#forget(held, 'leaseReleased');
  }

  #forget(held: HeldLease, type: 'leaseLost' | 'leaseReleased'): void {
    const { shardId } = held;
    const holding = this.#holdings.get(shardId);
    // One with a task goes with that.
    if (holding?.held !== held || holding.task !== undefined) return;
    this.#holdings.delete(shardId);
    this.#options.report({ type, shardId });
  }

  async #renewLoop(): Promise<void> {
    const { store, worker, timing, report, failoverMs } = this.#options;
    const everyMs = Math.max(failoverMs / 3 - epsilonMs, 10);
    // To the end of the stop: what is being ended is still ours. A round that takes long does not put off the next.
    for (let nextMs = timing.now() + everyMs; !this.#ended.signal.aborted; nextMs += everyMs) {
      nextMs = Math.max(nextMs, timing.now());
      await pause(timing, nextMs - timing.now(), this.#ended.signal);
      const held = [...this.#holdings.values()].map((holding) => holding.held);
      try {
        await renewAll(held, (leases) => store.renew(worker, leases));
      } catch (error) {
        report({ type: 'leasesFailed', error });
      }
    }
  }

  /** A worker that cannot renew its leases has lost them before others may take them. */
  async #watchLoop(): Promise<void> {
    const { timing, failoverMs } = this.#options;
    while (!this.#ended.signal.aborted) {
      await pause(timing, failoverMs / 20, this.#ended.signal);
      for (const { held } of this.#holdings.values()) if (held.silentMs >= failoverMs * 0.9) held.lose();
    }
  }
}
