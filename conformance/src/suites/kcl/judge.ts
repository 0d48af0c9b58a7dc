import type { Checks } from '../../harness/checks.ts';
import type { Journal } from './journal.ts';
import type { ProducedStream } from './stream.ts';

/** Everything put has been processed, in the order of its key, and every closed shard to its end. */
export async function judgeJournal(journal: Journal, stream: ProducedStream, checks: Checks): Promise<void> {
  const { acknowledged } = stream;
  await checks.check(`every one of ${stream.total} acknowledged records is processed`, () =>
    mustBeEmpty(journal.missing(acknowledged)),
  );
  await checks.check('the records of each key are processed in order, across shards and workers', () =>
    mustBeEmpty(journal.outOfOrder()),
  );
  await checks.check('nothing else is processed', () =>
    mustBeEmpty([...journal.invented(acknowledged), ...journal.strange]),
  );
  const closed = await stream.closedShards();
  await checks.check(`every one of ${closed.length} closed shards is read to its end`, () =>
    mustBeEmpty(closed.filter((shard) => !journal.ended.has(shard))),
  );
}

/** @throws Error that names the first of what was found */
export function mustBeEmpty(found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${found.length}, the first ${found.slice(0, 5).join(', ')}`);
}
