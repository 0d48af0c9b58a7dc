import { expect, it } from 'vitest';
import { hashKeyToDecimal } from '../aggregation/index.ts';
import type { ShardRange } from './calls.ts';
import { type Lane, recordsOf } from './lane.ts';
import { Lanes } from './lanes.ts';
import { ShardMap } from './shard-map.ts';
import { FakeKinesis } from './testing/fake-kinesis.ts';
import { ManualTiming } from '../testing/manual-timing.ts';
import { PendingRecord } from './ticket.ts';
import { defaults } from './tuning.ts';

it('lanes of single keys are forgotten when they are empty and nothing of them is under way', () => {
  const timing = new ManualTiming();
  const signal = new AbortController().signal;
  const map = new ShardMap(new FakeKinesis(timing, 1), { timing, signal, timeoutMs: 1000, onChange: () => undefined });
  const lanes = new Lanes(map, defaults, timing);
  const add = (): Lane => lanes.add(new PendingRecord('p', undefined, Buffer.alloc(1), 0)).lane;
  const lane = add();
  expect(add()).toBe(lane);
  lane.close();
  lane.take();
  lane.inFlight = 1;
  lanes.taken(lane);
  lanes.rested(lane);
  expect([...lanes.active]).toEqual([]);
  expect(add()).toBe(lane);
  lane.close();
  lane.take();
  lane.inFlight = 0;
  lanes.rested(lane);
  expect(add()).not.toBe(lane);
});

it('when shards change, only what is for others moves, and comes in the order of acceptance', async () => {
  const { kinesis, lanes, map, add } = await twoShards();
  const [left, right] = kinesis.openShards.map(({ start }) => hashKeyToDecimal(start)) as [string, string];
  const before = [add(0, left), add(1, right), add(2, left)];
  kinesis.split(kinesis.openShards[0] as never);
  await map.refresh();
  // Not rebuilt yet: this one goes to a shard of which lanes know nothing, in front of those that belong there.
  const early = add(3, left, 'other');
  expect(early).not.toBe(before[0]);
  const back = pendingRecord(-1, right);
  lanes.rebuild();
  expect(add(4, right)).toBe(before[1]);
  expect(numbersIn(lanes)).toEqual([
    [0, 2, 3],
    [1, 4],
  ]);
  lanes.rebuild([back]);
  expect(numbersIn(lanes)).toEqual([
    [0, 2, 3],
    [-1, 1, 4],
  ]);
});

it('of a stream that has been made again, shards of the same names are others', async () => {
  const { kinesis, lanes, map, add } = await twoShards();
  const [, right] = kinesis.openShards.map(({ start }) => hashKeyToDecimal(start)) as [string, string];
  const before = add(0, right);
  const [first, second] = kinesis.openShards as readonly ShardRange[] as [ShardRange, ShardRange];
  const made = [
    { ...first, end: second.start },
    { ...second, start: second.end },
  ];
  kinesis.listShards = () => Promise.resolve(made);
  await map.refresh();
  lanes.rebuild();
  expect(add(1, right)).not.toBe(before);
  expect(numbersIn(lanes)).toEqual([[0, 1]]);
  expect(before.isCurrent).toBe(false);
});

function pendingRecord(number: number, explicitHashKey: string, partitionKey = 'p'): PendingRecord {
  const record = new PendingRecord(partitionKey, explicitHashKey, Buffer.alloc(1), 0);
  record.number = number;
  return record;
}

async function twoShards(): Promise<{
  kinesis: FakeKinesis;
  lanes: Lanes;
  map: ShardMap;
  add: (...facts: Parameters<typeof pendingRecord>) => Lane;
}> {
  const timing = new ManualTiming();
  const { signal } = new AbortController();
  const kinesis = new FakeKinesis(timing, 2);
  const map = new ShardMap(kinesis, { timing, signal, timeoutMs: 1000, onChange: () => undefined });
  const lanes = new Lanes(map, defaults, timing);
  await map.refresh();
  lanes.rebuild();
  return { kinesis, lanes, map, add: (...facts) => lanes.add(pendingRecord(...facts)).lane };
}

/** Of the records in each lane; the lanes are left as they are. */
function numbersIn(lanes: Lanes): number[][] {
  return [...lanes.active]
    .map((lane) => {
      lane.close();
      const entries = Array.from({ length: lane.readyCount }, () => lane.take());
      lane.giveBack(entries);
      return entries.flatMap((entry) => recordsOf(entry).map(({ number }) => number));
    })
    .sort((a, b) => (a.includes(0) ? -1 : 1) - (b.includes(0) ? -1 : 1));
}
