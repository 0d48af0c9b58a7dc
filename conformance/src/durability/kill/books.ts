import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../connection.ts';
import type { StreamBook } from './ledger.ts';

interface WireShard {
  readonly ShardId: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
}

/**
 * Opens the book of a stream that exists.
 *
 * @param former   of the stream of that name before it was deleted: the new one's sequence numbers are above its
 */
export async function openBook(connection: Connection, name: string, former?: StreamBook): Promise<StreamBook> {
  const { Shards } = (await connection.mustCall('ListShards', { StreamName: name })) as { Shards: WireShard[] };
  const shards = Shards.map(({ ShardId: id, HashKeyRange: { StartingHashKey: start, EndingHashKey: end } }) => {
    const newest = former?.shards.find((each) => each.id === id)?.newest ?? '';
    return { stream: name, id, startHash: BigInt(start), endHash: BigInt(end), newest, storedCount: 0 };
  });
  return { name, shards };
}

/** Makes a stream and opens its book when it takes records. */
export async function makeStream(connection: Connection, name: string, shardCount: number): Promise<StreamBook> {
  await connection.mustCall('CreateStream', { StreamName: name, ShardCount: shardCount });
  for (;;) {
    const { StreamDescriptionSummary } = await connection.mustCall('DescribeStreamSummary', { StreamName: name });
    if ((StreamDescriptionSummary as { StreamStatus: string }).StreamStatus === 'ACTIVE') break;
    await sleep(50);
  }
  return openBook(connection, name);
}
