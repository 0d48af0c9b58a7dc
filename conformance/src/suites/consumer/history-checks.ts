import type { Checks } from '../../harness/checks.ts';
import { History } from './history.ts';

type Said = readonly [worker: string, line: string];

const first: readonly Said[] = [
  ['worker-1', 'begun shard-0 10'],
  ['worker-1', 'record 20 shard-0 1/0 a 0'],
  ['worker-1', 'saved shard-0 30 1/0'],
  ['worker-1', 'record 40 shard-0 1/1 a 1'],
];
const second: readonly Said[] = [
  ['worker-2', 'begun shard-0 50'],
  ['worker-2', 'record 60 shard-0 1/1 a 1'],
];

/** Shows that the history finds what comes again without a reason, and a shard that nobody has ended; whatever is heard first. */
export function checkTheHistory(checks: Checks): void {
  checks.prefix = 'the checker: ';
  const both = [...first, ...second];
  const lost: Said = ['worker-1', 'lost shard-0'];
  const savedAll: Said = ['worker-1', 'saved shard-0 45 1/1'];
  again('takes what comes again after a kill', { said: both, killed: 'worker-1' }, 0);
  again('takes what comes again after a lost lease, told late', { said: [...both, lost] }, 0);
  again('takes it when the later one is heard first', { said: [...second, ...first], killed: 'worker-1' }, 0);
  again('takes what was saved after it had come again', { said: [...both, savedAt(70)], killed: 'worker-1' }, 0);
  again('finds what comes again without a reason', { said: both }, 1);
  again('finds it also when the later one was killed', { said: [...second, ...first], killed: 'worker-2' }, 1);
  again('finds what comes again and was saved', { said: [...first, savedAll, ...second], killed: 'worker-1' }, 1);
  again('finds it when the later one is heard first', { said: [...second, ...first, savedAll], killed: 'worker-1' }, 1);

  ended('takes a shard that has ended', { said: [...both, ['worker-2', 'ended shard-0']] }, true);
  ended('takes one whose last worker was killed', { said: [...second, ...first], killed: 'worker-2' }, true);
  ended('finds one that has not ended', { said: both }, false);
  ended(
    'finds one of which another than the last was killed',
    { said: [...second, ...first], killed: 'worker-1' },
    false,
  );
  checks.prefix = '';

  function again(name: string, run: { said: readonly Said[]; killed?: string }, count: number): void {
    const found = historyOf(run).unexplained();
    checks.record(name, found.length === count ? undefined : `found "${found.join(', ')}"`);
  }

  function ended(name: string, run: { said: readonly Said[]; killed?: string }, isEnded: boolean): void {
    checks.record(name, historyOf(run).hasEnded('shard-0') === isEnded ? undefined : `found ${!isEnded}`);
  }
}

function savedAt(nanos: number): Said {
  return ['worker-1', `saved shard-0 ${nanos} 1/1`];
}

function historyOf({ said, killed }: { said: readonly Said[]; killed?: string }): History {
  const history = new History();
  for (const [worker, line] of said) history.note(line, worker);
  if (killed !== undefined) history.killed.add(killed);
  return history;
}
