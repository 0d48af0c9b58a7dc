import type { Timing } from '../timing.ts';
import { isThrottle } from '../throttles.ts';
import type { PutResult } from './calls.ts';
import { isPermanent, type CallFailure } from './failures.ts';
import { type Entry, type Lane, recordsOf } from './lane.ts';
import { hashKeyOfRecord, type Lanes } from './lanes.ts';
import type { ShardMap } from './shard-map.ts';
import type { KinesisPlace, PendingRecord, Try } from './ticket.ts';
import type { ProducerTuning } from './tuning.ts';

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

/** The newest tries of a record are kept. */
const triesMax = 100;
/** One record of a call can be the cause. */
const codesOfOneRecord: ReadonlySet<string> = new Set([
  'InvalidArgumentException',
  'SerializationException',
  'ValidationException',
]);
const backoffMsFirst = 50;
const backoffMsMax = 5000;

export interface SettlementParts {
  readonly map: ShardMap;
  readonly lanes: Lanes;
  readonly tuning: ProducerTuning;
  readonly timing: Timing;
  readonly outcomes: Outcomes;
  /** Records that have to be put to another shard; before their lanes are told that the call has ended. */
  readonly putElsewhere: (records: readonly PendingRecord[]) => void;
}

/** What becomes of the records of a call that has ended. */
export class Settlement {
  readonly #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** Settles what has been put or cannot be, and gives back the rest. Returns whether something has to be put to another shard. */
  async settle(call: FinishedCall): Promise<boolean> {
    const { lanes, timing, outcomes, putElsewhere } = this.#parts;
    const { entries, results, failure } = call;
    noteTries(call);
    outcomes.called(call);
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
        failAll(outcomes, recordsOf(entry), result.code, result.message);
        continue;
      }
      const given = back.get(lane) ?? [];
      given.push(isMaybeAnother ? { ...entry, goesAlone: true } : entry);
      back.set(lane, given);
    }
    for (const [lane, given] of back) {
      if (lane.isCurrent) continue;
      for (const entry of given) for (const record of recordsOf(entry)) elsewhere.push(record);
      back.delete(lane);
    }
    if (elsewhere.length > 0) putElsewhere(elsewhere);
    for (const { lane } of entries) lane.inFlight--;
    for (const [lane, given] of back) {
      lane.failures++;
      lane.notBeforeMs = timing.now() + timing.random() * backoffOf(lane.failures);
      lane.giveBack(given);
      lanes.returned(lane);
    }
    for (const { lane } of entries) lanes.rested(lane);
    return elsewhere.length > 0;
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
}

/** Fails each of the records. */
export function failAll(outcomes: Outcomes, records: readonly PendingRecord[], code: string, message: string): void {
  for (const record of records) outcomes.failed(record, code, message);
}

/** Longest wait after so many failures, one after the other. */
export function backoffOf(failures: number): number {
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
