import { describe, expect, test } from 'vitest';
import { formatSequenceNumber } from '../../../platform/src/streams/shard/sequence-number.ts';
import { Ledger, shardKey, type ListedShard } from './ledger.ts';
import { LineageReading, type FollowedShard, type Given } from './lineage.ts';
import { simulate } from './world.ts';

const numberOf = (offset: number): string => formatSequenceNumber({ shard: 0, createdSecond: 5 }, offset);

describe('the simulation', () => {
  test('finds nothing wrong, and gets somewhere', async () => {
    let crashes = 0;
    let stored = 0;
    let followed = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const report = await simulate({ seed, steps: 600 });
      crashes += report.crashes;
      stored += report.stored;
      followed += report.followed;
    }
    expect(crashes).toBeGreaterThan(50);
    expect(stored).toBeGreaterThan(1000);
    expect(followed).toBeGreaterThan(2000);
  }, 60_000);

  test('has the same history for the same seed, and another for another', async () => {
    const [first, second, other] = [3, 3, 4].map((seed) => simulate({ seed, steps: 300 }));
    const digest = (await first)?.history.digest;
    expect((await second)?.history.digest).toBe(digest);
    expect((await other)?.history.digest).not.toBe(digest);
  }, 60_000);

  test('a shorter run is the beginning of a longer one', async () => {
    const long = (await simulate({ seed: 5, steps: 200 })).history.lines;
    const short = (await simulate({ seed: 5, steps: 100 })).history.lines;
    const common = long.findIndex((line) => line.startsWith('100 '));
    expect(common).toBeGreaterThan(100);
    expect(short.slice(0, common)).toEqual(long.slice(0, common));
  }, 60_000);
});

describe('the ledger finds', () => {
  function stored(...data: string[]): Ledger {
    const ledger = new Ledger(['a', 'b']);
    ledger.created('a', 'acknowledged', false);
    data.forEach((each, offset) => {
      ledger.putting('a', each, 'key');
      ledger.put(each, 'acknowledged', numberOf(offset));
    });
    return ledger;
  }
  const read = (ledger: Ledger, data: readonly string[], from = 0, isAll = true): void =>
    ledger.read(
      'a',
      data.map((each, i) => ({ data: each, sequenceNumber: numberOf(from + i) })),
      isAll,
      shardKey('a', 5, 0),
    );

  test('nothing where all is well', () => {
    const ledger = stored('x', 'y');
    ledger.putting('a', 'z', 'key');
    ledger.put('z', 'unknown');
    read(ledger, ['x', 'y']);
    read(ledger, ['x', 'y', 'z']);
    ledger.found('a', 5, new Map(), true);
    ledger.found('b', undefined, new Map(), true);
  });

  test.each([
    ['a lost record', (ledger: Ledger) => read(ledger, ['x']), '2 records are known and 1 are there'],
    ['an invented record', (ledger: Ledger) => read(ledger, ['x', 'y', 'w']), 'nobody has put w'],
    ['a record that moved', (ledger: Ledger) => read(ledger, ['y', 'x']), 'is at'],
    ['a record twice', (ledger: Ledger) => read(ledger, ['x', 'y', 'x']), 'is at'],
    ['a beginning that is none', (ledger: Ledger) => read(ledger, ['y'], 1), 'begins at 1'],
    ['a lost stream', (ledger: Ledger) => ledger.found('a', undefined, new Map(), true), 'is not there'],
    ['an invented stream', (ledger: Ledger) => ledger.found('b', 5, new Map(), true), 'absent by all'],
    ['an invented tag', (ledger: Ledger) => ledger.found('a', 5, new Map([['k', 'v']]), true), 'cannot be'],
    ['a stream made twice', (ledger: Ledger) => ledger.created('a', 'acknowledged', false), 'made twice'],
    ['a stream that is gone', (ledger: Ledger) => ledger.deleted('a', 'refused', true), 'existed and is gone'],
  ])('%s', (_, look, message) => {
    expect(() => look(stored('x', 'y'))).toThrow(message);
  });

  test('a refused record that is there', () => {
    const ledger = stored();
    ledger.putting('a', 'x', 'key');
    ledger.put('x', 'refused');
    expect(() => read(ledger, ['x'])).toThrow('was refused and is there');
  });

  test('a lost tag, and a stream that is another', () => {
    const ledger = stored();
    ledger.tagged('a', 'k', 'v', 'acknowledged');
    expect(() => ledger.found('a', 5, new Map(), true)).toThrow('tag k is gone');
    ledger.found('a', 5, new Map([['k', 'v']]), true);
    expect(() => ledger.found('a', 6, new Map([['k', 'v']]), true)).toThrow('another stream');
  });

  test('shards that are open again, and hash keys that no shard has', () => {
    const [half, end] = [2n ** 127n, 2n ** 128n - 1n];
    const shardOf = (number: number, startHash: bigint, endHash: bigint): ListedShard => {
      const key = shardKey('a', 5, number);
      return { id: `${number}`, key, parents: [], isOpen: true, startHash, endHash };
    };
    const ledger = stored();
    ledger.foundShards('a', [shardOf(2, half, end), shardOf(1, 0n, half - 1n)]);
    ledger.closed([shardKey('a', 5, 0)]);
    expect(() => ledger.foundShards('a', [shardOf(0, 0n, end)])).toThrow('was closed, and is open');
    expect(() => ledger.foundShards('a', [shardOf(1, 0n, half - 1n)])).toThrow('each hash key once');
    expect(() => ledger.foundShards('a', [shardOf(1, 0n, half), shardOf(2, half, end)])).toThrow('each hash key once');
  });

  test('a record that overtook one known before it was sent', () => {
    const ledger = stored();
    ledger.putting('a', 'late', 'key');
    ledger.put('late', 'acknowledged', numberOf(5));
    ledger.putting('a', 'x', 'key');
    expect(() => ledger.put('x', 'acknowledged', numberOf(2))).toThrow('has overtaken');
  });
});

describe('a reader that follows lineage is found to get', () => {
  const numberIn = (shard: number, offset: number): string =>
    formatSequenceNumber({ shard, createdSecond: 5 + shard }, offset);
  const idOf = (shard: number): string => `shardId-00000000000${shard}`;
  const children = [1, 2].map((shard) => ({ ShardId: idOf(shard), ParentShards: [idOf(0)] }));
  const given = (shard: number, names: readonly string[], from = 0): Given => ({
    records: names.map((data, i) => ({ data, sequenceNumber: numberIn(shard, from + i) })),
  });

  /** Shard 0 was split into 1 and 2; the records of a key have one letter. */
  class Sample {
    readonly ledger = new Ledger(['a']);
    readonly reading = new LineageReading(this.ledger, 'a', [idOf(0)]);

    constructor() {
      const places = { x1: [0, 0], y1: [0, 1], x2: [0, 2], x3: [1, 0], y2: [2, 0] } as const;
      for (const [data, [shard, offset]] of Object.entries(places)) {
        this.ledger.putting('a', data, data.slice(0, 1));
        this.ledger.put(data, 'acknowledged', numberIn(shard, offset));
      }
    }

    take(shard: number, what: Given): void {
      const place = this.reading.unfinished.find(({ id }) => id === idOf(shard));
      this.reading.take(place ?? { id: idOf(shard), count: 0, after: undefined }, what);
    }

    parent(names = ['x1', 'y1', 'x2'], named = children): void {
      this.take(0, { ...given(0, names), children: named });
    }

    compare(change: (shards: ListedShard[]) => unknown = () => undefined): void {
      const shards = [0, 1, 2].map((shard) => ({
        id: idOf(shard),
        key: shardKey('a', 5 + shard, shard),
        parents: shard === 0 ? [] : [idOf(0)],
        isOpen: shard > 0,
        startHash: 0n,
        endHash: 0n,
      }));
      change(shards);
      this.reading.compare(shards);
    }
  }

  test('nothing wrong where all is well', () => {
    const sample = new Sample();
    sample.parent();
    sample.take(1, given(1, ['x3']));
    sample.take(2, given(2, ['y2']));
    sample.compare();
  });

  test.each([
    ['a record less in the middle', (sample: Sample) => sample.take(0, given(0, ['y1'], 1)), 'gives 1 where 0 is next'],
    [
      'a record again after a restart',
      (sample: Sample) => {
        sample.take(0, given(0, ['x1', 'y1']));
        sample.take(0, given(0, ['y1', 'x2'], 1));
      },
      'gives 1 where 2 is next',
    ],
    [
      'a record less at the end of a parent',
      (sample: Sample) => {
        sample.parent(['x1', 'y1']);
        sample.compare();
      },
      '2 of 3 records',
    ],
    ['a child before its parent has ended', (sample: Sample) => sample.take(1, given(1, ['x3'])), 'goes on'],
    [
      'records of a shard that has ended',
      (sample: Sample) => {
        sample.parent();
        sample.parent();
      },
      'goes on',
    ],
    [
      'no children',
      (sample: Sample) => {
        sample.parent(undefined, []);
        sample.compare();
      },
      'as its children',
    ],
    [
      'one child of two',
      (sample: Sample) => {
        sample.parent(undefined, children.slice(1));
        sample.compare();
      },
      'as its children',
    ],
    [
      'no end of a closed shard',
      (sample: Sample) => {
        sample.take(0, given(0, ['x1', 'y1', 'x2']));
        sample.compare((shards) => shards.splice(1));
      },
      'does not end',
    ],
    [
      'the end of an open shard',
      (sample: Sample) => {
        sample.parent();
        sample.compare(([parent]) => Object.assign(parent as object, { isOpen: true }));
      },
      'ended',
    ],
    ['a record nobody put', (sample: Sample) => sample.take(0, given(0, ['z'])), 'nobody has put z'],
  ])('%s', (_, go, message) => {
    expect(() => go(new Sample())).toThrow(message);
  });

  test('a key out of order from parent to child', () => {
    const ledger = new Ledger(['a']);
    for (const [data, number] of [
      ['x1', numberIn(1, 0)],
      ['x2', numberIn(0, 0)],
    ] as const) {
      ledger.putting('a', data, 'x');
      ledger.put(data, 'acknowledged', number);
    }
    const reading = new LineageReading(ledger, 'a', [idOf(0)]);
    const [root] = reading.unfinished;
    reading.take(root as FollowedShard, { ...given(0, ['x2']), children });
    expect(() => reading.take(reading.unfinished[0] as FollowedShard, given(1, ['x1']))).toThrow('x1 comes after x2');
  });
});
