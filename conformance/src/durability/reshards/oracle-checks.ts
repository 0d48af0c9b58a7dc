import type { Checks } from '../../harness/checks.ts';
import { NoAnswerError, type Connection } from '../connection.ts';
import { Resharder } from '../resharder.ts';
import { hashKeyMax, type WireShard } from '../shard-list.ts';
import { ShardTree } from '../shard-tree.ts';
import { Follower, type ChildShard, type ShardReader } from './follower.ts';
import { Oracle, type Attempt, type ReadRecord } from './oracle.ts';

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** What one reader gets of a shard. */
interface View {
  records: Array<Changeable<ReadRecord>>;
  /** Undefined while it is open. */
  children: ChildShard[] | undefined;
}

/** A stream of two shards: the lower was split, and its upper half merged with the other one. */
interface Sample {
  readonly list: WireShard[];
  readonly polled: View[];
  readonly pushed: View[];
}

const quarter = 2n ** 126n;
const half = 2n ** 127n;
const idOf = (number: number): string => `shardId-00000000000${number}`;
const numberOf = (shard: number, offset: number): string => String(1000 * (shard + 1) + offset);

/** By number: first and last hash key, and parents. */
const ranges: ReadonlyArray<readonly [start: bigint, end: bigint, ...parents: number[]]> = [
  [0n, half - 1n],
  [half, hashKeyMax],
  [0n, quarter - 1n, 0],
  [quarter, half - 1n, 0],
  [quarter, hashKeyMax, 3, 1],
];

function shardOf(number: number): WireShard {
  const [start, end, parent, adjacent] = ranges[number] as (typeof ranges)[number];
  return {
    ShardId: idOf(number),
    ...(parent !== undefined && { ParentShardId: idOf(parent) }),
    ...(adjacent !== undefined && { AdjacentParentShardId: idOf(adjacent) }),
    HashKeyRange: { StartingHashKey: String(start), EndingHashKey: String(end) },
    SequenceNumberRange: {
      StartingSequenceNumber: numberOf(number, 0),
      ...(childrenOf(number).length > 0 && { EndingSequenceNumber: numberOf(number, 999) }),
    },
  };
}

function childrenOf(number: number): ChildShard[] {
  return ranges.flatMap(([start, end, ...parents], child) =>
    parents.includes(number)
      ? [
          {
            ShardId: idOf(child),
            ParentShards: parents.map(idOf),
            HashKeyRange: { StartingHashKey: String(start), EndingHashKey: String(end) },
          },
        ]
      : [],
  );
}

/** Keys by their hash, and the shards that their records go to, one after the other. */
const keys: ReadonlyArray<readonly [name: string, hash: bigint, shards: readonly number[]]> = [
  ['low', 0n, [0, 0, 2, 2]],
  ['middle', quarter, [0, 0, 3, 4]],
  ['high', hashKeyMax, [1, 1, 4, 4]],
];

function sampleOf(oracle: Oracle): Sample {
  const views = ranges.map((_, number): View => ({ records: [], children: childrenOf(number) }));
  for (const view of views) if (view.children?.length === 0) view.children = undefined;
  const place = ({ key, text }: Attempt, shard: number): string => {
    const { records } = views[shard] as View;
    const sequenceNumber = numberOf(shard, records.length + 1);
    records.push({ sequenceNumber, partitionKey: key, text });
    return sequenceNumber;
  };
  for (let round = 0; round < 4; round++) {
    for (const [key, hash, shards] of keys) {
      const attempt = oracle.begin(key, hash);
      oracle.acknowledge(attempt, place(attempt, shards[round] as number));
    }
  }
  place(oracle.begin('without an answer', 1n), 2);
  oracle.begin('without an answer', 1n);
  oracle.refuse(oracle.begin('refused', 2n));
  return { list: ranges.map((_, i) => shardOf(i)), polled: views, pushed: structuredClone(views) };
}

const at = <T>(list: readonly T[], index: number): T => list.at(index) as T;

/** In what both readers get. */
function inBoth(change: (views: View[]) => unknown): (sample: Sample) => void {
  return ({ polled, pushed }) => {
    change(polled);
    change(pushed);
  };
}

function swapContents(a: Changeable<ReadRecord>, b: Changeable<ReadRecord>): void {
  [a.text, b.text] = [b.text, a.text];
  [a.partitionKey, b.partitionKey] = [b.partitionKey, a.partitionKey];
}

const recordFaults: Readonly<Record<string, (sample: Sample) => void>> = {
  'a lost record of a parent': inBoth((views) => at(views, 0).records.shift()),
  'a lost last record of a parent': inBoth((views) => at(views, 0).records.pop()),
  'a lost record of a child': inBoth((views) => at(views, 4).records.splice(1, 1)),
  'a record that only subscriptions passed over': ({ pushed }) => at(pushed, 0).records.splice(1, 1),
  'a record that only polling passed over': ({ polled }) => at(polled, 2).records.pop(),
  'a record given again': ({ pushed }) => at(pushed, 2).records.splice(1, 0, at(at(pushed, 2).records, 0)),
  'a record of a parent that is in a child as well': inBoth((views) =>
    at(views, 2).records.push({ ...at(at(views, 0).records, 0), sequenceNumber: numberOf(2, 99) }),
  ),
  'a record nobody put': inBoth((views) =>
    at(views, 2).records.push({ sequenceNumber: numberOf(2, 99), partitionKey: 'low', text: 'low/99' }),
  ),
  'a refused record': inBoth((views) =>
    at(views, 2).records.push({
      sequenceNumber: numberOf(2, 99),
      partitionKey: 'refused',
      text: 'refused/1'.padEnd(37, '.'),
    }),
  ),
  'other content': inBoth((views) => (at(at(views, 0).records, 0).text += '.')),
  'another key': inBoth((views) => (at(at(views, 0).records, 0).partitionKey = 'high')),
  'another sequence number than the other reader got': ({ pushed }) =>
    (at(at(pushed, 2).records, -1).sequenceNumber = numberOf(2, 50)),
  'another sequence number than answered': inBoth(
    (views) => (at(at(views, 4).records, -1).sequenceNumber = numberOf(4, 50)),
  ),
  'a record in a shard that is not its own': inBoth((views) =>
    at(views, 1).records.unshift(at(views, 0).records.shift() as never),
  ),
  'a key out of order in a shard': inBoth((views) =>
    swapContents(at(at(views, 0).records, 0), at(at(views, 0).records, 2)),
  ),
  'a key out of order from parent to child': inBoth((views) =>
    swapContents(at(at(views, 0).records, 0), at(at(views, 2).records, 0)),
  ),
  'an order that is not that of the other reader': ({ pushed }) =>
    swapContents(at(at(pushed, 1).records, 0), at(at(pushed, 1).records, 1)),
  'a shard that names no children': ({ polled }) => (at(polled, 0).children = []),
  'a shard that names one child of two': ({ pushed }) => at(pushed, 0).children?.pop(),
  'a merged shard that names no child': ({ polled }) => (at(polled, 1).children = []),
  'a child of the wrong parents': inBoth(
    (views) => (at(views, 1).children = [{ ...at(childrenOf(1), 0), ParentShards: [idOf(1)] }]),
  ),
  'a closed shard that does not end': ({ pushed }) => (at(pushed, 1).children = undefined),
  'an open shard that ends': ({ pushed }) => (at(pushed, 2).children = []),
  'a record behind the end': inBoth((views) => (at(at(views, 0).records, -1).sequenceNumber = numberOf(0, 1500))),
};

const listFaults: Readonly<Record<string, (list: Array<Changeable<WireShard>>) => void>> = {
  'a shard that is not listed': (list) => list.pop(),
  'hash keys that no shard has': (list) =>
    (at(list, 2).HashKeyRange = { StartingHashKey: '1', EndingHashKey: String(quarter - 1n) }),
  'hash keys that two shards have': (list) =>
    (at(list, 2).HashKeyRange = { StartingHashKey: '0', EndingHashKey: String(quarter) }),
  'an open parent': (list) => (at(list, 0).SequenceNumberRange = { StartingSequenceNumber: numberOf(0, 0) }),
  'a parent that is not there': (list) => (at(list, 4).AdjacentParentShardId = idOf(9)),
  'a merged shard with one parent': (list) => delete at(list, 4).AdjacentParentShardId,
  'a shard of other parents': (list) => (at(list, 4).ParentShardId = idOf(0)),
  'a child that begins before its parent ends': (list) =>
    (at(list, 2).SequenceNumberRange = { StartingSequenceNumber: numberOf(0, 500) }),
};

/** What a later list must not have changed. */
const laterFaults: Readonly<Record<string, (list: Array<Changeable<WireShard>>) => void>> = {
  'another end of a closed shard': (list) =>
    (at(list, 0).SequenceNumberRange = { ...at(list, 0).SequenceNumberRange, EndingSequenceNumber: numberOf(0, 998) }),
  'a shard that is gone': (list) => list.shift(),
};

interface Fault {
  readonly sample?: (sample: Sample) => void;
  readonly list?: (list: WireShard[]) => void;
  readonly later?: (list: WireShard[]) => void;
}

async function judge({ sample: change, list: changeList, later }: Fault): Promise<readonly string[]> {
  const oracle = new Oracle();
  const tree = new ShardTree();
  const first = [0, 1].map(shardOf);
  const followers = ['polling', 'subscriptions'].map((name) => new Follower(oracle, name, first));
  const sample = sampleOf(oracle);
  change?.(sample);
  changeList?.(sample.list);
  const life = { endpoint: '', isOver: true };
  for (const [i, views] of [sample.polled, sample.pushed].entries()) {
    await followers[i]?.follow(life, ({ shardId, take }: ShardReader) => {
      const view = at(views, Number(shardId.slice(-1)));
      take(view.records);
      return Promise.resolve(view.children);
    });
  }
  for (const sentence of tree.take(sample.list)) oracle.violate(sentence);
  oracle.settle();
  for (const each of followers) each.compare(tree, sample.list);
  if (later !== undefined) {
    const list = structuredClone(sample.list);
    later(list);
    for (const sentence of tree.take(list)) oracle.violate(sentence);
  }
  return oracle.violations;
}

/** A split of two open shards into three that has no answer, and after which the shards are these. */
async function outcomeOf(after: readonly WireShard[]): Promise<string | undefined> {
  const connection = {
    mustCall: () => Promise.resolve({ Shards: [0, 1].map(openShardOf) }),
    call: () => Promise.reject(new NoAnswerError('cut')),
  } as unknown as Connection;
  const resharder = await Resharder.of(connection, { streamName: 'sample', openMin: 2, openMax: 4 });
  const isDone = (starts: readonly bigint[]): boolean => starts.join() === [0n, quarter, half].join();
  await resharder.make(connection, { operation: 'SplitShard', input: {}, isDone }).catch(() => undefined);
  return resharder.settle(after);
}

function openShardOf(number: number): WireShard {
  return { ...shardOf(number), SequenceNumberRange: { StartingSequenceNumber: numberOf(number, 0) } };
}

/** Shows that what judges reshards can fail. */
export async function checkTheOracle(checks: Checks): Promise<void> {
  const expect = async (name: string, fault: Fault, isWrong: boolean): Promise<void> => {
    await checks.check(name, async () => {
      const violations = await judge(fault);
      if (violations.length > 0 !== isWrong) throw new Error(isWrong ? 'it did not' : violations.join('; '));
    });
  };
  await expect('the oracle of reshards accepts what is right', {}, false);
  await expect('the oracle of reshards accepts the same list again', { later: () => undefined }, false);
  const notices = (name: string): string => `the oracle of reshards notices ${name}`;
  for (const [name, sample] of Object.entries(recordFaults)) await expect(notices(name), { sample }, true);
  for (const [name, list] of Object.entries(listFaults)) await expect(notices(name), { list }, true);
  for (const [name, later] of Object.entries(laterFaults)) await expect(notices(name), { later }, true);
  await checks.check('a reshard without an answer has happened wholly, or not at all', async () => {
    const outcomes: unknown[] = [];
    for (const after of [
      [0, 1],
      [2, 3, 1],
      [3, 1],
    ])
      outcomes.push(await outcomeOf(after.map(openShardOf)));
    if (outcomes.join() !== 'not applied,applied,wrong') throw new Error(outcomes.join());
  });
}
