import { hashKeyFromDecimal, type HashKey, hashKeyOf } from '../aggregation/index.ts';
import type { Timing } from '../timing.ts';
import type { ShardRange } from './calls.ts';
import { Lane } from './lane.ts';
import type { ProducerTuning } from './tuning.ts';
import type { ShardMap } from './shard-map.ts';
import type { PendingRecord } from './ticket.ts';

/** Keys whose lane is remembered, since most streams have few. */
const knownKeysMax = 65_536;

/** Brings each record to the lane of its shard. */
export class Lanes {
  readonly #map: ShardMap;
  readonly #tuning: ProducerTuning;
  readonly #timing: Timing;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneOfKey = new Map<string, Lane>();
  /** Those that hold something. */
  readonly #active = new Set<Lane>();

  constructor(map: ShardMap, tuning: ProducerTuning, timing: Timing) {
    this.#map = map;
    this.#tuning = tuning;
    this.#timing = timing;
  }

  /** Those that hold records which are not in a call. The longest idle one first. */
  get active(): Iterable<Lane> {
    return this.#active;
  }

  add(record: PendingRecord): { lane: Lane; isReady: boolean } {
    const lane = this.#laneOf(record);
    this.#active.add(lane);
    return { lane, isReady: lane.add(record) };
  }

  /** To be told when a lane has been taken from. The next turn is that of others. */
  taken(lane: Lane): void {
    this.#active.delete(lane);
    if (!lane.isEmpty) this.#active.add(lane);
  }

  /** To be told when a lane may hold nothing any more. That of a single key is not kept: there may be any number of them. */
  rested(lane: Lane): void {
    if (!lane.isEmpty) return;
    this.#active.delete(lane);
    if (lane.shardId === undefined && lane.inFlight === 0 && lane.isCurrent) this.#lanes.delete(lane.name);
  }

  /** Something has been put back. */
  returned(lane: Lane): void {
    this.#active.add(lane);
  }

  /**
   * Brings what is not in a call, and `more`, to the lanes of the shards as they are known now; in the order of acceptance. What is on its way to a
   * shard that has not changed stays: everything else would take as long as all that waits is long, at each change.
   */
  rebuild(more: readonly PendingRecord[] = []): void {
    const records = [...more];
    const drain = (lane: Lane): void => {
      for (const record of lane.drain()) records.push(record);
      this.#lanes.delete(lane.name);
      this.#active.delete(lane);
    };
    for (const lane of this.#lanes.values()) if (lane.shard === undefined || !this.#map.isOpen(lane.shard)) drain(lane);
    for (const [key, lane] of this.#laneOfKey) if (!lane.isCurrent) this.#laneOfKey.delete(key);
    // What comes back belongs before what came later. There may be more in each turn.
    for (const record of records) {
      const lane = this.#laneOf(record);
      if (lane.lastNumber > record.number) drain(lane);
    }
    for (const record of records.sort((a, b) => a.number - b.number)) this.add(record);
  }

  #laneOf(record: PendingRecord): Lane {
    const { partitionKey, explicitHashKey } = record;
    // Without a map only records of one key may share an aggregate: they belong together whatever the shards are.
    if (!this.#map.isKnown) return this.#laneNamed(`\n${explicitHashKey ?? ''}\n${partitionKey}`, undefined);
    const known = explicitHashKey === undefined ? this.#laneOfKey.get(partitionKey) : undefined;
    if (known?.isCurrent === true) return known;
    const shard = this.#map.shardOf(hashKeyOfRecord(record));
    const lane = this.#laneNamed(shard?.shardId ?? `\n${explicitHashKey ?? ''}\n${partitionKey}`, shard);
    if (explicitHashKey === undefined && shard !== undefined) {
      if (this.#laneOfKey.size >= knownKeysMax) this.#laneOfKey.clear();
      this.#laneOfKey.set(partitionKey, lane);
    }
    return lane;
  }

  #laneNamed(name: string, shard: ShardRange | undefined): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new Lane(name, shard, { tuning: this.#tuning, timing: this.#timing });
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}

/** What decides the shard of a record. */
export function hashKeyOfRecord({ partitionKey, explicitHashKey }: PendingRecord): HashKey {
  return explicitHashKey === undefined ? hashKeyOf(partitionKey) : hashKeyFromDecimal(explicitHashKey);
}
