import { pause } from '../deadline.ts';
import { isThrottle } from '../throttles.ts';
import { CircuitBreaker } from './breaker.ts';
import type { KinesisCalls, PutResult } from './calls.ts';
import { readFailure, type CallFailure } from './failures.ts';
import { type Entry, type Lane, recordsOf } from './lane.ts';
import { backoffOf, failAll, Settlement, type SettlementParts } from './settlement.ts';
import type { PendingRecord } from './ticket.ts';

export interface DispatcherParts extends Omit<SettlementParts, 'putElsewhere'> {
  readonly calls: KinesisCalls;
}

/** A call goes before the linger time is over when a shard has so much, or all together have so many times more. Source: the KPL's collector. */
const laneBytesEnough = 256 * 1024;
/** A lane that waits is looked at again so often: what it waits for may come sooner. */
const lookAgainMs = 250;
/** Then it is not known any more which shards there are. */
const unheardMs = 30_000;
/** What Node's timers take. */
const timerMsMax = 2 ** 31 - 1;

/** Gathers entries into PutRecords calls, and sends them. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #settlement: Settlement;
  readonly #breaker: CircuitBreaker;
  /** One each: `AbortSignal.any` keeps all that listen to it for as long as its sources live. */
  readonly #callsUnderWay = new Set<AbortController>();
  #isAborted = false;
  #cancelTimer: (() => void) | undefined;
  #timerMs = Infinity;
  /** Everything is due: somebody waits for the end. */
  #isFlushing = false;
  /** Order per key: what is under way has to end before other shards are written to, and what comes meanwhile waits. */
  #isSettling = false;
  /** Is in no lane: what has to be put elsewhere, and what waits until that is settled. */
  readonly #held: PendingRecord[] = [];
  /** Calls, one after the other, that put something elsewhere although the shards have not changed. */
  #misplacements = 0;
  #isPumping = false;
  /** When a call has ended last. */
  #heardMs: number;
  /** When what has come during the pump is due: records that fail in it make room for others. */
  #pumpedMs = Infinity;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#heardMs = parts.timing.now();
    this.#settlement = new Settlement({ ...parts, putElsewhere: (records) => this.#putElsewhere(records) });
    const { breakerFailures, breakerOpenMs } = parts.tuning;
    this.#breaker = new CircuitBreaker(parts.timing, { failures: breakerFailures, openMs: breakerOpenMs });
  }

  /** Takes a record that has been accepted, whose data is copied. */
  add(record: PendingRecord): void {
    if (record.acceptedMs - this.#heardMs > unheardMs) this.#forgetShards(record.acceptedMs);
    if (this.#isSettling) {
      record.data = Uint8Array.from(record.data as Uint8Array);
      this.#held.push(record);
    } else {
      const { lane, isReady } = this.#parts.lanes.add(record);
      this.#added(lane, isReady);
    }
    if (this.#isAborted) this.abort();
  }

  /** Nothing has been heard of the stream for long: it may be another one of that name, with shards of the same names. */
  #forgetShards(nowMs: number): void {
    const { map } = this.#parts;
    this.#heardMs = nowMs;
    if (map.isKnown && this.#callsUnderWay.size === 0) map.forget();
  }

  #added(lane: Lane, isReady: boolean): void {
    const { tuning, timing } = this.#parts;
    if (!isReady && !this.#isFlushing) this.#wakeBy(lane.closesMs);
    else if (this.#isPumping) this.#wakeBy(timing.now());
    else if (this.#callsUnderWay.size < tuning.callsMax && this.#breaker.waitMs === 0) this.#pump();
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
    this.#rebuild();
    this.#pump();
  }

  /** Ends the calls under way; fails what has not been put. */
  abort(): void {
    const { lanes, outcomes } = this.#parts;
    this.#isAborted = true;
    for (const call of this.#callsUnderWay) call.abort();
    this.#cancelTimer?.();
    const fail = (records: readonly PendingRecord[]): void =>
      failAll(outcomes, records, 'Aborted', 'The producer was closed.');
    fail(this.#held.splice(0));
    for (const lane of lanes.active) fail(lane.drain());
  }

  #putElsewhere(records: readonly PendingRecord[]): void {
    for (const record of records) this.#held.push(record);
    // Nothing that came later may go before.
    if (this.#parts.tuning.ordering === 'perKey') this.#isSettling = true;
  }

  /** Brings what waits to the lanes of the shards as they are known; for order per key when no call is under way. */
  #rebuild(): void {
    if (this.#parts.tuning.ordering === 'perKey' && this.#callsUnderWay.size > 0) this.#isSettling = true;
    else this.#parts.lanes.rebuild(this.#held.splice(0));
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
    const { calls, timing, tuning, map } = this.#parts;
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
    this.#heardMs = endedMs;
    const call = { entries, startedMs, endedMs, results, failure };
    if (await this.#settlement.settle(call)) {
      // As long as nothing else is known of the shards, they may go the same way again.
      const misplacements = map.version === mapVersion ? ++this.#misplacements : 0;
      if (misplacements > 0) await pause(timing, timing.random() * backoffOf(misplacements), abort.signal);
      this.#misplacements = misplacements;
      this.#rebuild();
    }
    if (this.#isAborted) this.abort();
    this.#callsUnderWay.delete(abort);
    this.#pump();
  }

  /** Fails what is at the head of a lane and too old. */
  #expire(lane: Lane, nowMs: number): void {
    const { recordTtlMs } = this.#parts.tuning;
    for (let { head } = lane; head !== undefined; { head } = lane) {
      const youngest = head.records.at(-1) as PendingRecord;
      if (youngest.acceptedMs + recordTtlMs > nowMs) return;
      failAll(this.#parts.outcomes, recordsOf(lane.take()), 'Expired', `It was not put within ${recordTtlMs} ms.`);
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
