import { describe, expect, test } from 'vitest';
import { formatSequenceNumber } from '../../../platform/src/streams/shard/sequence-number.ts';
import { Ledger, shardKey } from './ledger.ts';
import { simulate } from './world.ts';

const numberOf = (offset: number): string => formatSequenceNumber({ shard: 0, createdSecond: 5 }, offset);

describe('the simulation', () => {
  test('finds nothing wrong, and gets somewhere', async () => {
    let crashes = 0;
    let stored = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const report = await simulate({ seed, steps: 600 });
      crashes += report.crashes;
      stored += report.stored;
    }
    expect(crashes).toBeGreaterThan(50);
    expect(stored).toBeGreaterThan(1000);
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
      ledger.putting('a', each);
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
    ledger.putting('a', 'z');
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
    ledger.putting('a', 'x');
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

  test('a record that overtook one known before it was sent', () => {
    const ledger = stored();
    ledger.putting('a', 'late');
    ledger.put('late', 'acknowledged', numberOf(5));
    ledger.putting('a', 'x');
    expect(() => ledger.put('x', 'acknowledged', numberOf(2))).toThrow('has overtaken');
  });
});
