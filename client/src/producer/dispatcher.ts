import { pause } from '../deadline.ts';
import { isThrottle } from '../throttles.ts';
import type { Timing } from '../timing.ts';
import { CircuitBreaker } from './breaker.ts';
import type { KinesisCalls, PutResult } from './calls.ts';
import { isPermanent, readFailure, type CallFailure } from './failures.ts';
import { type Entry, type Lane, recordsOf } from './lane.ts';
import { hashKeyOfRecord, type Lanes } from './lanes.ts';
import type { ProducerTuning } from './tuning.ts';
import type { ShardMap } from './shard-map.ts';
import type { KinesisPlace, PendingRecord, Try } from './ticket.ts';

/** How it went with a record, for whoever accepted it. */
export interface Outcomes {
  /** @param subSequenceNumber   place in the aggregate that was put; undefined when it is none */
  put(record: PendingRecord, where: KinesisPlace, subSequenceNumber: number | undefined): void;
  failed(record: PendingRecord, code: string, message: string): void;
  /** After each call, before its records are settled. */
  called(call: FinishedCall): void;
}

/** A PutRecords call that has ended. */
export interface FinishedCall {
  readonly entries: readonly Entry[];
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined when the call as a whole failed. */
  readonly results: readonly PutResult[] | undefined;
  readonly failure: CallFailure | undefined;
}

export interface DispatcherParts {
  readonly calls: KinesisCalls;
  readonly map: ShardMap;
  readonly lanes: Lanes;
  readonly tuning: ProducerTuning;
  readonly timing: Timing;
  readonly outcomes: Outcomes;
}

/** A call goes before the linger time is over when a shard has so much, or all together have so many times more. Source: the KPL's collector. */
const laneBytesEnough = 256 * 1024;
const backoffMsFirst = 50;
/** A lane that waits is looked at again so often: what it waits for may come sooner. */
const lookAgainMs = 250;
/** What Node's timers take. */
const timerMsMax = 2 ** 31 - 1;
/** The newest tries of a record are kept. */
const triesMax = 100;
/** One record of a call can be the cause. */
const codesOfOneRecord: ReadonlySet<string> = new Set([
  'InvalidArgumentException',
  'SerializationException',
  'ValidationException',
]);
const backoffMsMax = 5000;

/** Gathers entries into PutRecords calls, sends them, and sorts out the answers. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #breaker: CircuitBreaker;
  /** One each: `AbortSignal.any` keeps all that listen to it for as long as its sources live. */
  readonly #callsUnderWay = new Set<AbortController>();
  #isAborted = false;
  #cancelTimer: (() => void) | undefined;
  #timerMs = Infinity;
  /** Everything is due: somebody waits for the end. */
  #isFlushing = false;
  /** Order per key: what is under way has to end before other shards are written to. */
  #isSettling = false;
  /** To be put again when that is over. */
  readonly #held: PendingRecord[] = [];
  /** Calls, one after the other, that put something elsewhere although the shards have not changed. */
  #misplacements = 0;
  #isPumping = false;
  /** When what has come during the pump is due: records that fail in it make room for others. */
  #pumpedMs = Infinity;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    const { breakerFailures, breakerOpenMs } = parts.tuning;
    this.#breaker = new CircuitBreaker(parts.timing, { failures: breakerFailures, openMs: breakerOpenMs });
  }

  /** To be called when a record has come to a lane. */
  added(lane: Lane, isReady: boolean): void {
    const { tuning, timing } = this.#parts;
    if (this.#isAborted) this.abort();
    else if (!isReady && !this.#isFlushing) this.#wakeBy(lane.closesMs);
    else if (this.#isPumping) this.#wakeBy(timing.now());
    else if (!this.#isSettling && this.#callsUnderWay.size < tuning.callsMax && this.#breaker.waitMs === 0)
      this.#pump();
    else this.#wakeBy(timing.now() + tuning.recordTtlMs);
  }

  #wakeBy(atMs: number): void {
    if (this.#isPumping) this.#pumpedMs = Math.min(this.#pumpedMs, atMs);
    else if (atMs < this.#timerMs) this.#wakeAt(atMs);
  }

  /** Whether nothing waits for others to go with. */
  set isFlushing(isFlushing: boolean) {
    this.#isFlushing = isFlushing;
    if (isFlushing) this.#pump();
  }

  /** To be called when the shards have turned out to be others. */
  shardsChanged(): void {
    this.#rebuild([]);
    this.#pump();
  }

  /** Ends the calls under way; fails what has not been put. */
  abort(): void {
    this.#isAborted = true;
    for (const call of this.#callsUnderWay) call.abort();
    this.#cancelTimer?.();
    this.#parts.lanes.rebuild(this.#held.splice(0));
    for (const lane of this.#parts.lanes.active) this.#fail(lane.drain(), 'Aborted', 'The producer was closed.');
  }

  /** Brings what waits, and `records`, to the lanes of the shards as they are known; for order per key when no call is under way. */
  #rebuild(records: readonly PendingRecord[]): void {
    if (this.#parts.tuning.ordering === 'perKey' && this.#callsUnderWay.size > 0) {
      this.#isSettling = true;
      for (const record of records) this.#held.push(record);
    } else this.#parts.lanes.rebuild(records);
  }

  #pump(): void {
    if (this.#isPumping || this.#isAborted) return;
    this.#isPumping = true;
    this.#pumpedMs = Infinity;
    if (this.#isSettling && this.#callsUnderWay.size === 0) {
      this.#isSettling = false;
      this.#parts.lanes.rebuild(this.#held.splice(0));
    }
    let wakeMs = Infinity;
    while (!this.#isSettling) {
      const next = this.#gather();
      wakeMs = next.wakeMs;
      if (next.entries.length === 0) break;
      void this.#call(next.entries);
    }
    this.#isPumping = false;
    this.#wakeAt(Math.min(wakeMs, this.#pumpedMs));
  }

  #wakeAt(atMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerMs = atMs;
    if (atMs === Infinity) return;
    this.#cancelTimer = this.#parts.timing.after(
      Math.min(timerMsMax, Math.max(0, atMs - this.#parts.timing.now())),
      () => {
        this.#timerMs = Infinity;
        this.#pump();
      },
    );
  }

  /** What goes now; none when it is better, or necessary, to wait: then the time to look again. */
  #gather(): { entries: Entry[]; wakeMs: number } {
    const { tuning, timing, lanes } = this.#parts;
    const nowMs = timing.now();
    if (this.#callsUnderWay.size >= tuning.callsMax) return { entries: [], wakeMs: Infinity };
    const breakerMs = this.#breaker.waitMs;
    if (breakerMs > 0) return { entries: [], wakeMs: Math.min(nowMs + breakerMs, this.#expireAll(nowMs)) };
    let wakeMs = Infinity;
    let isDue = this.#isFlushing;
    let bytes = 0;
    let count = 0;
    const eligible: Lane[] = [];
    for (const lane of lanes.active) {
      if (this.#isFlushing || lane.closesMs <= nowMs) lane.close();
      wakeMs = Math.min(wakeMs, lane.closesMs);
      this.#expire(lane, nowMs);
      lanes.rested(lane);
      const { head } = lane;
      if (head === undefined || (tuning.ordering === 'perKey' && lane.inFlight > 0)) continue;
      const waitMs = Math.max(lane.notBeforeMs - nowMs, lane.pacer.waitMs);
      if (waitMs > 0) {
        wakeMs = Math.min(wakeMs, nowMs + Math.min(waitMs, lookAgainMs));
        continue;
      }
      eligible.push(lane);
      isDue ||= head.dueMs <= nowMs || lane.readyBytes >= laneBytesEnough;
      wakeMs = Math.min(wakeMs, head.dueMs);
      bytes += lane.readyBytes;
      count += lane.readyCount;
    }
    isDue ||= bytes >= tuning.callBytesMax || count >= tuning.callRecordsMax;
    return isDue ? { entries: this.#take(eligible), wakeMs } : { entries: [], wakeMs };
  }

  #take(eligible: readonly Lane[]): Entry[] {
    const { tuning, lanes } = this.#parts;
    const entries: Entry[] = [];
    let bytes = 0;
    for (const lane of eligible) {
      let { head } = lane;
      while (head !== undefined && entries.length < tuning.callRecordsMax && lane.pacer.waitMs === 0) {
        if (entries.length > 0 && (bytes + head.bytes > tuning.callBytesMax || head.goesAlone)) break;
        lane.take();
        lane.inFlight++;
        lane.pacer.spend(head.bytes);
        bytes += head.bytes;
        entries.push(head);
        if (head.goesAlone) {
          lanes.taken(lane);
          return entries;
        }
        // Of entries with one shard in a call the first may fail and the second be put.
        head = tuning.ordering === 'perKey' ? undefined : lane.head;
      }
      // One of which nothing fitted keeps its turn.
      if (entries.at(-1)?.lane === lane) lanes.taken(lane);
      if (entries.length >= tuning.callRecordsMax) break;
    }
    return entries;
  }

  async #call(entries: readonly Entry[]): Promise<void> {
    const { calls, timing, tuning, outcomes, map } = this.#parts;
    const startedMs = timing.now();
    const mapVersion = map.version;
    const abort = new AbortController();
    this.#callsUnderWay.add(abort);
    this.#breaker.starts();
    let results: readonly PutResult[] | undefined;
    let failure: CallFailure | undefined;
    let isTimedOut = false;
    const cancelTimeOut = timing.after(tuning.requestTimeoutMs, () => {
      isTimedOut = true;
      abort.abort();
    });
    try {
      results = await calls.putRecords(entries, abort.signal);
      if (results.length !== entries.length) throw new Error(`${results.length} results for ${entries.length} records`);
      this.#breaker.succeeded();
    } catch (error) {
      results = undefined;
      failure = readFailure(error, isTimedOut);
      if (isThrottle(failure.code)) this.#breaker.succeeded();
      else this.#breaker.failed();
      // If it is made again, its shards are others.
      if (failure.code === 'ResourceNotFoundException' && map.isKnown) map.forget();
    }
    cancelTimeOut();
    const endedMs = timing.now();
    const call = { entries, startedMs, endedMs, results, failure };
    noteTries(call);
    outcomes.called(call);
    const elsewhere = await this.#sortOut(call);
    if (elsewhere.length > 0) {
      // As long as nothing else is known of the shards, they may go the same way again.
      const misplacements = map.version === mapVersion ? ++this.#misplacements : 0;
      if (misplacements > 0) await pause(timing, timing.random() * backoffOf(misplacements), abort.signal);
      this.#misplacements = misplacements;
      this.#rebuild(elsewhere);
    }
    if (this.#isAborted) this.abort();
    this.#callsUnderWay.delete(abort);
    this.#pump();
  }

  /** Settles what has been put or cannot be, and gives back the rest. Returns what has to be put to another shard. */
  async #sortOut({ entries, results, failure }: FinishedCall): Promise<PendingRecord[]> {
    const { lanes, timing } = this.#parts;
    const back = new Map<Lane, Entry[]>();
    const elsewhere: PendingRecord[] = [];
    for (const [index, entry] of entries.entries()) {
      const { lane } = entry;
      const result = results?.[index] ?? { isPut: false as const, ...(failure as CallFailure) };
      if (result.isPut) {
        lane.failures = 0;
        lane.pacer.put(entry.bytes);
        if (lane.shardId === undefined || lane.shardId === result.shardId) this.#settlePut(entry, result);
        else for (const record of await this.#settleElsewhere(entry, result)) elsewhere.push(record);
        continue;
      }
      if (isThrottle(result.code)) lane.pacer.throttled();
      const isMaybeAnother = failure !== undefined && entries.length > 1 && codesOfOneRecord.has(failure.code);
      if (this.#isFinal(result.code) && !isMaybeAnother) {
        this.#fail(recordsOf(entry), result.code, result.message);
        continue;
      }
      const given = back.get(lane) ?? [];
      given.push(isMaybeAnother ? { ...entry, goesAlone: true } : entry);
      back.set(lane, given);
    }
    for (const { lane } of entries) lane.inFlight--;
    for (const [lane, given] of back) {
      lane.failures++;
      lane.notBeforeMs = timing.now() + timing.random() * backoffOf(lane.failures);
      if (lane.isCurrent) {
        lane.giveBack(given);
        lanes.returned(lane);
      } else for (const entry of given) for (const record of recordsOf(entry)) elsewhere.push(record);
    }
    for (const { lane } of entries) lanes.rested(lane);
    return elsewhere;
  }

  #settlePut({ records }: Entry, result: PutResult & { isPut: true }): void {
    const { outcomes } = this.#parts;
    if (records.length === 1) return outcomes.put(records[0] as PendingRecord, result, undefined);
    for (let index = 0; index < records.length; index++) outcomes.put(records[index] as PendingRecord, result, index);
  }

  /**
   * An entry that went to another shard than it was for: the shards are not those that were known. When the keys of all its records belong to that
   * shard, all is well. Else the KCL drops the aggregate there, the records that do belong included, and they are put again. Returns those.
   */
  async #settleElsewhere(entry: Entry, result: PutResult & { isPut: true }): Promise<readonly PendingRecord[]> {
    const { map } = this.#parts;
    const refreshed = map.refresh();
    if (entry.records.length === 1) {
      this.#settlePut(entry, result);
      return [];
    }
    await refreshed;
    const range = await map.rangeOf(result.shardId);
    // The first record has decided the shard, so those with its key belong there whatever its range is.
    const firstKey = hashKeyOfRecord(entry.records[0] as PendingRecord);
    const { start, end } = range ?? { start: firstKey, end: firstKey };
    const belongs = (record: PendingRecord): boolean => {
      const hashKey = hashKeyOfRecord(record);
      return start <= hashKey && hashKey <= end;
    };
    if (entry.records.every(belongs)) {
      this.#settlePut(entry, result);
      return [];
    }
    // Or the same would go there again.
    if (range === undefined) map.forget();
    const records = recordsOf(entry);
    const errorMessage = `It was put into ${result.shardId} with records that belong to other shards.`;
    for (const record of records) {
      const last = record.tries.at(-1) as Try;
      record.tries = [...record.tries.slice(0, -1), { ...last, errorCode: 'WrongShard', errorMessage }];
    }
    return records;
  }

  #isFinal(code: string): boolean {
    return isPermanent(code) || (isThrottle(code) && this.#parts.tuning.failsIfThrottled);
  }

  #fail(records: readonly PendingRecord[], code: string, message: string): void {
    for (const record of records) this.#parts.outcomes.failed(record, code, message);
  }

  /** Fails what is at the head of a lane and too old. */
  #expire(lane: Lane, nowMs: number): void {
    const { recordTtlMs } = this.#parts.tuning;
    for (let { head } = lane; head !== undefined; { head } = lane) {
      const youngest = head.records.at(-1) as PendingRecord;
      if (youngest.acceptedMs + recordTtlMs > nowMs) return;
      this.#fail(recordsOf(lane.take()), 'Expired', `It was not put within ${recordTtlMs} ms.`);
    }
  }

  /** The same for all lanes; returns when the next will be too old. */
  #expireAll(nowMs: number): number {
    let nextMs = Infinity;
    for (const lane of this.#parts.lanes.active) {
      if (lane.closesMs <= nowMs) lane.close();
      this.#expire(lane, nowMs);
      this.#parts.lanes.rested(lane);
      const youngest = lane.head?.records.at(-1);
      if (youngest !== undefined) nextMs = Math.min(nextMs, youngest.acceptedMs + this.#parts.tuning.recordTtlMs);
    }
    return nextMs;
  }
}

/** Longest wait after so many failures, one after the other. */
function backoffOf(failures: number): number {
  return Math.min(backoffMsMax, backoffMsFirst * 2 ** Math.min(failures, 20));
}

function noteTries({ entries, startedMs, endedMs, results, failure }: FinishedCall): void {
  for (const [index, { records }] of entries.entries()) {
    const result = results?.[index];
    const wrong = result === undefined ? failure : result.isPut ? undefined : result;
    const latest: Try = { startedMs, endedMs, errorCode: wrong?.code, errorMessage: wrong?.message };
    let before: readonly Try[] | undefined;
    let tries: readonly Try[] = [];
    for (const record of records) {
      if (record.tries !== before) {
        before = record.tries;
        tries = [...before.slice(1 - triesMax), latest];
      }
      record.tries = tries;
    }
  }
}
