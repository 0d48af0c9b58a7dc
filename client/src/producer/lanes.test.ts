import { expect, it } from 'vitest';
import type { Lane } from './lane.ts';
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
  const add = (): Lane => {
    const facts = { bytes: 0, number: 0, spoolNumber: undefined, acceptedMs: 0 };
    return lanes.add(new PendingRecord({ partitionKey: 'p', data: Buffer.alloc(1) }, facts)).lane;
  };
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
