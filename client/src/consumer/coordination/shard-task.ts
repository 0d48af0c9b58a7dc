import type { HashKey } from '../../aggregation/index.ts';
import { inTime, pause } from '../../deadline.ts';
import type { Timing } from '../../timing.ts';
import type { ConsumedShard, ConsumerCalls, Fetched, ReadFrom } from '../calls.ts';
import type { Report } from '../events.ts';
import { type Checkpoint, type LeaseStore, shardEnd } from '../leases/lease.ts';
import type { Counts } from '../metrics.ts';
import type { HandlerContext } from '../processing/handler.ts';
import type { GivenUp, Processor, ProcessorGround } from '../processing/processor.ts';
import { compareCheckpoints, formatPosition, isNumbered, parsePosition } from '../record.ts';
import type { Positions } from '../settings.ts';
import { type FanOutConsumer, fanOut } from '../sources/fan-out.ts';
import { Cursor, StalledError } from '../sources/ground.ts';
import { poll } from '../sources/polling.ts';
import type { ConsumerTuning } from '../tuning.ts';
import { Unpacker } from '../unpack.ts';
import type { HeldLease } from './held-lease.ts';

/** What all shards of a consumer have in common. */
export interface TaskGround {
  readonly calls: ConsumerCalls;
  readonly store: LeaseStore;
  readonly worker: string;
  readonly timing: Timing;
  readonly tuning: ConsumerTuning;
  readonly report: Report;
  readonly counts: Counts;
  readonly positions: Positions | undefined;
  /** Undefined: records are polled for. */
  readonly fanOutConsumer: FanOutConsumer | undefined;
  readonly timestamp: Date | undefined;
  readonly giveUp: (given: GivenUp) => Promise<void>;
  readonly processorOf: (ground: ProcessorGround, context: HandlerContext, after: Checkpoint | undefined) => Processor;
  /** Of each shard. */
  readonly bytesMax: () => number;
  /** Makes the leases of the children of a shard that has been processed; returns which these are. */
  readonly endShard: (shardId: string, children: readonly ConsumedShard[]) => Promise<string[]>;
}

/** Which shard. */
export interface TaskShard {
  readonly held: HeldLease;
  /** Of its hash keys. */
  readonly range: { readonly start: HashKey; readonly end: HashKey };
  /** The application has processed a parent, so it starts at the beginning. */
  readonly isChild: boolean;
}

/** How the processing of a shard has ended. */
export type TaskEnd = 'ended' | 'released' | 'lost' | 'stalled';

/** Records that Kinesis has for a fetch of so many bytes, as long as nothing else is known. */
const recordBytesGuess = 1024;
const retryMs = 500;

/** Processes one shard, from the checkpoint of its lease on, while the lease is held. */
export class ShardTask {
  /** Never rejects. The lease has been given back by then, or is lost. */
  readonly done: Promise<TaskEnd>;
  millisBehindLatest = 0;
  readonly #held: HeldLease;
  readonly #ground: TaskGround;
  readonly #shard: TaskShard;
  readonly #stop = new AbortController();
  /** Fires when handlers have had their time, or the lease is lost. */
  readonly #abort = new AbortController();
  /** Ends the reading. */
  readonly #fetching: AbortSignal;
  #processor: Processor | undefined;
  #saved: Checkpoint;
  #cancelSave: (() => void) | undefined;
  #cancelTimeUp: (() => void) | undefined;
  /** Nothing more is processed. */
  #isOver = false;
  #recordBytes = recordBytesGuess;

  constructor(shard: TaskShard, ground: TaskGround) {
    const { held } = shard;
    this.#held = held;
    this.#shard = shard;
    this.#ground = ground;
    this.#saved = held.lease.checkpoint;
    this.#fetching = AbortSignal.any([this.#stop.signal, this.#abort.signal]);
    held.lost.addEventListener('abort', () => this.#abort.abort(held.lost.reason), { once: true });
    if (held.lost.aborted) this.#abort.abort(held.lost.reason);
    this.done = this.#run();
  }

  /** Ends what has been begun, within its time, and gives the lease back. */
  stop(): Promise<TaskEnd> {
    this.#stop.abort();
    void this.#stopProcessor();
    return this.done;
  }

  /** To be called when it is done: resolves when no handler is at work, which may ignore that it is told to end. */
  async quiet(): Promise<void> {
    await this.#processor?.quiet();
  }

  async #run(): Promise<TaskEnd> {
    let end: Fetched | undefined;
    let isStalled = false;
    try {
      end = await this.#read();
      if (end !== undefined) await this.#processor?.drained();
    } catch (error) {
      // Anything else is a mistake in here: another worker may have more luck.
      isStalled = true;
      const { shardId } = this.#held;
      if (error instanceof StalledError) this.#ground.report({ type: 'stalled', shardId });
      else this.#ground.report({ type: 'fetchFailed', shardId, error });
    }
    const isEnded = end !== undefined && !this.#fetching.aborted;
    if (!isEnded) await this.#stopProcessor();
    this.#isOver = true;
    this.#cancelSave?.();
    this.#cancelTimeUp?.();
    const isKept = await this.#giveBack(isEnded ? (end as Fetched).children : undefined);
    this.#abort.abort(new Error('the shard is no longer processed here'));
    this.#ground.report({ type: isKept ? 'leaseReleased' : 'leaseLost', shardId: this.#held.shardId });
    if (!isKept) return 'lost';
    return isEnded ? 'ended' : isStalled ? 'stalled' : 'released';
  }

  /** The last of a closed shard, when that has been reached. */
  async #read(): Promise<Fetched | undefined> {
    const { calls, timing, tuning, report, fanOutConsumer } = this.#ground;
    const { shardId } = this.#held;
    const { after, own } = await this.#startAfter();
    if (this.#fetching.aborted) return undefined;
    const processor = this.#processorFrom(own);
    this.#processor = processor;
    const { isStrictKclRange: isStrict } = tuning;
    const unpacker = new Unpacker({
      shardId,
      range: this.#shard.range,
      after,
      isStrict,
      onMisplaced: (aggregate) => report({ type: 'misplacedAggregate', ...aggregate }),
    });
    const cursor = new Cursor(this.#readFrom(after), timing);
    const recordsMax = (): number => this.#recordsMax();
    const ground = { calls, shardId, cursor, timing, signal: this.#fetching, report, tuning, recordsMax };
    const source = fanOutConsumer === undefined ? poll(ground) : fanOut(ground, fanOutConsumer);
    for await (const fetched of source) {
      this.#noteSize(fetched);
      this.millisBehindLatest = fetched.millisBehindLatest;
      const records = unpacker.unpack(fetched.records);
      await processor.offer(records);
      if (this.#fetching.aborted) return undefined;
      if (fetched.next === undefined) return fetched;
    }
    return undefined;
  }

  /**
   * The record behind which reading starts (undefined: where the lease says), and the one that the handler is told: its own position, where it keeps one.
   * That may be older, as records that were given up change the checkpoint only.
   */
  async #startAfter(): Promise<{ after: Checkpoint | undefined; own: Checkpoint | undefined }> {
    const { positions, report, timing } = this.#ground;
    const { checkpoint } = this.#held.lease;
    const saved = isNumbered(checkpoint) ? checkpoint : undefined;
    while (positions !== undefined && !this.#fetching.aborted) {
      try {
        const own = await this.#ownPosition(positions);
        const isOwnNewer = own !== undefined && (saved === undefined || compareCheckpoints(own, saved) > 0);
        return { after: isOwnNewer ? own : saved, own };
      } catch (error) {
        report({ type: 'positionsFailed', shardId: this.#held.shardId, error });
        await pause(timing, retryMs, this.#fetching);
      }
    }
    return { after: saved, own: saved };
  }

  async #ownPosition(positions: Positions): Promise<Checkpoint | undefined> {
    const { timing, tuning } = this.#ground;
    const deadline = { timing, timeoutMs: tuning.requestTimeoutMs, signal: this.#abort.signal };
    const position = await inTime(deadline, async () => positions.read(this.#held.shardId));
    return position === undefined ? undefined : parsePosition(position);
  }

  #readFrom(after: Checkpoint | undefined): ReadFrom {
    if (after !== undefined) return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: after.sequenceNumber };
    const { sequenceNumber, subSequenceNumber } = this.#held.lease.checkpoint;
    const { timestamp, timing } = this.#ground;
    if (sequenceNumber === 'LATEST' && !this.#shard.isChild) {
      // One moment: reading may have to begin anew before a record has come. Another program does not say which; then it is this one.
      const momentMs = subSequenceNumber > 0 ? subSequenceNumber : timing.wallMs();
      return { type: 'AT_TIMESTAMP', timestamp: new Date(momentMs), isLatest: true };
    }
    if (sequenceNumber === 'AT_TIMESTAMP' && timestamp !== undefined) return { type: 'AT_TIMESTAMP', timestamp };
    return { type: 'TRIM_HORIZON' };
  }

  #processorFrom(after: Checkpoint | undefined): Processor {
    const { timing, report, tuning, counts, positions, giveUp, bytesMax, processorOf } = this.#ground;
    const { shardId, lease } = this.#held;
    const { signal } = this.#abort;
    const onProgress = (): void => this.#saveSoon();
    const ownPosition = positions && ((): Promise<Checkpoint | undefined> => this.#ownPosition(positions));
    const ground = {
      shardId,
      timing,
      signal,
      report,
      counts,
      retries: tuning,
      ownPosition,
      giveUp,
      bytesMax,
      onProgress,
    };
    return processorOf(ground, { shardId, signal, fence: lease.fence }, after);
  }

  /** As many as there is room for. */
  #recordsMax(): number {
    const { bytesMax, tuning } = this.#ground;
    return Math.max(1, Math.min(tuning.recordsMax, Math.ceil(bytesMax() / this.#recordBytes)));
  }

  #noteSize({ records }: Fetched): void {
    if (records.length === 0) return;
    let bytes = 0;
    for (const { data } of records) bytes += data.length;
    this.#recordBytes = Math.max(1, (this.#recordBytes + bytes / records.length) / 2);
  }

  #saveSoon(): void {
    this.#cancelSave ??= this.#ground.timing.later(this.#ground.tuning.checkpointMs, () => {
      this.#cancelSave = undefined;
      void this.#save().catch((error: unknown) => {
        this.#ground.report({ type: 'leasesFailed', error });
        this.#saveSoon();
      });
    });
  }

  async #save(): Promise<void> {
    const { store, report } = this.#ground;
    let processed = this.#processor?.processed;
    if (processed === undefined || processed === this.#saved) return;
    const isKept = await this.#held.write((lease) => {
      // Now, and not before the write could begin: an older one must not come behind a newer.
      processed = this.#processor?.processed as Checkpoint;
      const { sequenceNumber, subSequenceNumber } = processed;
      return store.checkpoint(lease, { sequenceNumber, subSequenceNumber });
    });
    if (!isKept) return;
    this.#saved = processed;
    report({ type: 'checkpointed', shardId: this.#held.shardId, position: formatPosition(processed) });
  }

  /** Handlers have `handOverMs` from the first call on. */
  async #stopProcessor(): Promise<void> {
    const { timing, tuning } = this.#ground;
    const timeUp = new Error('the time of the stop is up');
    if (this.#isOver) return;
    this.#cancelTimeUp ??= timing.after(tuning.handOverMs, () => this.#abort.abort(timeUp));
    await this.#processor?.stop();
  }

  /** Saves how far it has come and gives the lease to who comes. Whether it was still ours. */
  async #giveBack(children: readonly ConsumedShard[] | undefined): Promise<boolean> {
    const { store, worker, report, timing } = this.#ground;
    while (!this.#held.lost.aborted) {
      try {
        // A stop does not wait for what cannot be made: the next one comes to the end again.
        if (children === undefined || this.#stop.signal.aborted) await this.#save();
        else await this.#end(children);
        return await this.#held.write((lease) => store.release(lease, worker));
      } catch (error) {
        report({ type: 'leasesFailed', error });
        // The lease is lost when this goes on for too long.
        await pause(timing, retryMs, this.#held.lost);
      }
    }
    return false;
  }

  /** Children first: a shard that has ended without them would be the end of what comes behind it. */
  async #end(children: readonly ConsumedShard[]): Promise<void> {
    const { endShard, store, report } = this.#ground;
    const { shardId } = this.#held;
    const ids = await endShard(shardId, children);
    if (await this.#held.write((lease) => store.checkpoint(lease, shardEnd, ids)))
      report({ type: 'shardEnded', shardId });
  }
}
