import type { Checks } from '../../harness/checks.ts';
import { Journal } from './journal.ts';

const good = [
  'begun shard-0 TRIM_HORIZON',
  'record 10 shard-0 1 a 0',
  'record 20 shard-0 2 b 0',
  'record 30 shard-0 3 a 1',
  'ended shard-0',
  'record 50 shard-1 4 a 2',
];
const acknowledged = new Map([
  ['a', 3],
  ['b', 1],
]);

/** Shows that the journal finds what a run may have done wrong. */
export function checkTheJournal(checks: Checks): void {
  checks.prefix = 'the checker: ';
  mustFind('takes a good run', good, '');
  mustFind('takes records processed again', [...good, 'record 60 shard-0 3 a 1', 'record 70 shard-1 4 a 2'], '');
  mustFind('takes lines that come late', good.toReversed(), '');
  mustFind('finds a record that nobody has processed', good.slice(0, -1), 'missing a/2');
  mustFind('finds a record that nobody has put', [...good, 'record 60 shard-1 5 b 1'], 'invented b/1');
  const swapped = good.map((line) => (line.endsWith('a 1') ? 'record 60 shard-0 3 a 1' : line));
  mustFind('finds a child that is read before its parent', swapped, 'order a/2 of shard-1 behind 0 of shard-0');
  mustFind('finds a line that no worker should say', [...good, 'what?'], 'strange what?');
  checks.prefix = '';

  function mustFind(name: string, lines: readonly string[], found: string): void {
    const journal = new Journal();
    for (const line of lines) journal.note(line, 'worker-1');
    const findings = [
      ...journal.missing(acknowledged).map((each) => `missing ${each}`),
      ...journal.invented(acknowledged).map((each) => `invented ${each}`),
      ...journal.outOfOrder().map((each) => `order ${each}`),
      ...journal.strange.map((each) => `strange ${each}`),
    ].join(', ');
    checks.record(name, findings.split(', ')[0] === found ? undefined : `found "${findings}"`);
  }
}
