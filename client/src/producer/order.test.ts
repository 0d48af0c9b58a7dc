import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashKeyOf } from '../aggregation/index.ts';
import { ManualTiming, settled } from '../testing/manual-timing.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import type { KinesisCalls, ShardRange } from './calls.ts';
import { Producer, type ProducerSettings } from './index.ts';
import { FakeKinesis, named } from './testing/fake-kinesis.ts';

const textOf = (data: Uint8Array): string => Buffer.from(data).toString();

function keyIn({ start, end }: ShardRange): string {
  for (let i = 0; ; i++) {
    const hashKey = hashKeyOf(`key-${i}`);
    if (start <= hashKey && hashKey <= end) return `key-${i}`;
  }
}

/** In the order in which a reader sees them, children behind their parents. */
function orderOf(kinesis: FakeKinesis, partitionKey: string): string[] {
  return kinesis
    .consumed()
    .flat()
    .filter((record) => record.partitionKey === partitionKey)
    .map(({ data }) => textOf(data));
}

describe('order per key', () => {
  const settings = { stream: 's', ordering: 'perKey', lingerMs: 5 } as const;

  it('holds when records that landed in the wrong shard wait to be put again, and others come', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 1);
    const [only] = kinesis.openShards as [FakeKinesis['shards'][0]];
    let failures = 0;
    const calls: KinesisCalls = {
      putRecords: (entries, signal) => kinesis.putRecords(entries, signal),
      listShards: async (which) => {
        if (which === 'open' && failures-- > 0) throw named('LimitExceededException');
        return kinesis.listShards(which);
      },
    };
    const producer = await Producer.openOn({ callsOf: () => calls, timing }, settings);
    const put = async (partitionKey: string, text: string): Promise<unknown> => {
      const data = Buffer.from(text);
      const { acknowledged } = await producer.put({ partitionKey, data });
      data.fill('?'); // It was copied.
      return acknowledged;
    };
    kinesis.split(only);
    const [a, b] = kinesis.openShards.map(keyIn) as [string, string];
    failures = 1;
    const all = [put(a, '1'), put(b, 'x')];
    await timing.pass(6);
    all.push(put(a, '2'));
    await timing.pass(5000);
    await Promise.all(all);
    expect(orderOf(kinesis, a)).toEqual(['1', '2']);
  });

  it('holds in a shard that has not changed while the others are not known', async () => {
    const timing = new ManualTiming();
    const kinesis = new FakeKinesis(timing, 2);
    const [left, right] = kinesis.openShards as [FakeKinesis['shards'][0], FakeKinesis['shards'][0]];
    const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, settings);
    const put = async (partitionKey: string, data: string): Promise<unknown> =>
      (await producer.put({ partitionKey, data })).acknowledged;
    const key = keyIn(right);
    const all = [put(key, '1')];
    await timing.pass(10);
    kinesis.delayMs = 300;
    all.push(put(key, '2'));
    await timing.pass(10);
    // What goes to a child lands there with what belongs to the other, and nobody can tell.
    kinesis.delayMs = 20;
    kinesis.split(left);
    const children = kinesis.openShards.map(keyIn);
    kinesis.canList = false;
    all.push(...children.slice(0, 2).map((each) => put(each, 'x')));
    await timing.pass(67);
    kinesis.canList = true;
    all.push(put(key, '3'));
    await timing.pass(60);
    all.push(put(key, '4'));
    await timing.pass(2000);
    await Promise.all(all);
    expect(orderOf(kinesis, key)).toEqual(['1', '2', '3', '4']);
  });

  it('holds in the spool when a put has to wait for memory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
    try {
      const timing = new ManualTiming();
      const kinesis = new FakeKinesis(timing, 1);
      const spooled = { ...settings, spool: { folder }, bufferBytesMax: 2200 };
      const producer = await Producer.openOn({ callsOf: () => kinesis, timing }, spooled);
      const put = (data: string): ReturnType<Producer['put']> => producer.put({ partitionKey: 'k', data });
      const [first] = await Promise.all(['1', '2', '3'].map(put));
      const waiting = put('4');
      const later = first?.acknowledged.then(() => put('5'));
      for (let i = 0; i < 20; i++) {
        await timing.pass(50);
        await new Promise((resolve) => setTimeout(resolve, 5)); // The disk has no manual time.
      }
      await Promise.all([waiting, later]);
      await timing.pass(1000);
      await producer.close();
      expect(orderOf(kinesis, 'k')).toEqual(['1', '2', '3', '4', '5']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/*
 * Reshards, calls that are slow, fail or lose their answers, and lists of shards that fail or are old: what has been put when all is well again? Each
 * seed is another run.
 */
describe('a stream that is hard to put to', () => {
  const narrow = { callsMax: 2, callRecordsMax: 4, breakerFailures: 2, breakerOpenMs: 500 };
  const seeds = 100;

  it.each<[string, ProducerSettings]>([
    ['in order', { ordering: 'perKey' }],
    ['in order, few calls at a time', { ordering: 'perKey', ...narrow }],
    ['in any order', { ordering: 'none' }],
    ['in any order, few calls at a time', { ordering: 'none', ...narrow }],
  ])('gets all records, %s', async (_name, options) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { kinesis, counts } = await run(seed, options);
      for (const [key, count] of counts) {
        const seen = orderOf(kinesis, key).map(Number);
        expect({ seed, key, missing: count - new Set(seen).size }).toEqual({ seed, key, missing: 0 });
        // What was put twice is in order whichever of the two a reader takes.
        const [firsts, lasts] = [[...new Set(seen)], [...new Set(seen.toReversed())].reverse()];
        if (options.ordering !== 'perKey') continue;
        const sorted = firsts.toSorted((a, b) => a - b);
        expect({ seed, key, firsts, lasts }).toEqual({ seed, key, firsts: sorted, lasts: sorted });
      }
    }
  });

  async function run(
    seed: number,
    options: ProducerSettings,
  ): Promise<{ kinesis: FakeKinesis; counts: ReadonlyMap<string, number> }> {
    const random = seededRandom(seed);
    const below = (count: number): number => Math.floor(random() * count);
    const timing = new ManualTiming(random);
    const kinesis = new FakeKinesis(timing, 1 + below(3));
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void timing.after(ms, resolve));
    const chances = { openFails: 0, allFails: 0, isOld: 0 };
    let old: ShardRange[] = kinesis.openShards;
    const calls: KinesisCalls = {
      async putRecords(entries, signal) {
        await wait(random() < 0.3 ? 100 + below(300) : below(30));
        return kinesis.putRecords(entries, signal);
      },
      async listShards(which) {
        const open = random() < chances.isOld ? old : kinesis.openShards;
        const answer = which === 'open' ? open : [...kinesis.shards];
        await wait(below(60));
        if (random() < (which === 'open' ? chances.openFails : chances.allFails)) throw named('LimitExceededException');
        return answer;
      },
    };
    kinesis.fateOf = (entry) => {
      const chance = random();
      if (entry !== undefined) return chance < 0.03 ? 'failed' : 'good';
      return chance < 0.04 ? 'put-but-lost' : chance < 0.07 ? 'lost' : 'good';
    };
    const settings = { lingerMs: 5 + below(30), recordTtlMs: Infinity, aggregateRecordsMax: 1 + below(20), ...options };
    const opening = Producer.openOn({ callsOf: () => calls, timing }, { stream: 's', ...settings });
    await timing.pass(100);
    const producer = await opening;
    const keys = Array.from({ length: 3 + below(8) }, (_, index) => `key-${index}`);
    const counts = new Map<string, number>();
    for (let step = 0; step < 150; step++) {
      const what = random();
      const open = kinesis.openShards;
      const at = below(open.length);
      const [shard, next] = open.slice(at) as [FakeKinesis['shards'][0], FakeKinesis['shards'][0] | undefined];
      if (what < 0.75) {
        for (let left = 1 + below(4); left > 0; left--) {
          const partitionKey = keys[below(keys.length)] as string;
          const number = (counts.get(partitionKey) ?? 0) + 1;
          counts.set(partitionKey, number);
          void producer.put({ partitionKey, data: `${number}` });
        }
        await settled();
      } else if (what < 0.82) {
        old = open;
        chances.isOld = below(2) * 0.7;
        if (what < 0.79 || next === undefined) kinesis.split(shard);
        else kinesis.merge(shard, next);
      } else if (what < 0.86) chances.openFails = below(2) * 0.8;
      else if (what < 0.9) chances.allFails = below(2) * 0.8;
      else if (what < 0.92) chances.isOld = 0;
      await timing.pass(below(25));
    }
    Object.assign(chances, { openFails: 0, allFails: 0, isOld: 0 });
    kinesis.fateOf = () => 'good';
    await timing.pass(120_000);
    expect({ seed, pending: producer.metrics().UserRecordsPending }).toEqual({ seed, pending: 0 });
    return { kinesis, counts };
  }
});
