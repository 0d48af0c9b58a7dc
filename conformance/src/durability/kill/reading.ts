import { Connection } from '../connection.ts';
import { openBook } from './books.ts';
import { readFacts } from './controlled-stream.ts';
import { checkIterators, getIterator, readPage } from './held-iterators.ts';
import type { ShardBook, ShardReading } from './ledger.ts';
import type { HeldIterator, World } from './world.ts';

const connectionCount = 3;
const pageRecords = 10_000;

export interface ReadingCounts {
  records: number;
  iterators: number;
}

/** After a restart: reads everything, and holds it against what the clients know. */
export async function readEverything(world: World, endpoint: string): Promise<ReadingCounts> {
  const connections = Array.from({ length: connectionCount }, () => new Connection(endpoint));
  const [connection] = connections as [Connection];
  try {
    await compareStreams(world, connection);
    await world.lineage?.verify(connection, world.ledger);
    world.ledger.beginReading();
    const shards = world.streams.flatMap(({ book }) => book?.shards ?? []);
    const readings = new Map<ShardBook, ShardReading>();
    const ends: HeldIterator[] = [];
    const next = shards.values();
    await Promise.all(
      connections.map(async (each) => {
        for (const shard of next) {
          const { reading, end } = await readShard(world, each, shard);
          readings.set(shard, reading);
          ends.push(end);
        }
      }),
    );
    world.ledger.endReading();
    const { checked, kept } = await checkIterators(world.iterators, readings, connection, world.ledger);
    const stable = new Set(world.stable.flatMap(({ book }) => book?.shards ?? []));
    world.iterators = [...kept, ...ends.filter(({ shard }) => stable.has(shard))];
    const records = [...readings.values()].reduce((sum, { sequenceNumbers }) => sum + sequenceNumbers.length, 0);
    return { records, iterators: checked };
  } finally {
    for (const each of connections) each.close();
  }
}

/** Which streams there are, and their facts; opens and closes books accordingly. */
async function compareStreams(world: World, connection: Connection): Promise<void> {
  const { ledger } = world;
  for (const stream of world.streams) {
    stream.compare(await readFacts(connection, stream.name), ledger);
    if (stream.facts === undefined && stream.book !== undefined) {
      world.deadBooks.push(stream.book);
      stream.former = stream.book;
      stream.book = undefined;
    }
    if (stream.facts !== undefined) stream.book ??= await openBook(connection, stream.name, stream.former);
  }
  for (const book of world.deadBooks.splice(0)) ledger.forget(book);
  world.victims = world.victims.filter(({ facts }) => facts !== undefined);
  const wanted = new Set(world.streams.filter(({ facts }) => facts !== undefined).map(({ name }) => name));
  if (world.lineage !== undefined) wanted.add(world.lineage.name);
  for (const name of await listStreams(connection)) {
    if (!wanted.delete(name)) ledger.violate(`ListStreams names ${name}, which should not be there`);
  }
  for (const name of wanted) ledger.violate(`ListStreams does not name ${name}`);
}

async function listStreams(connection: Connection): Promise<string[]> {
  const { StreamNames, HasMoreStreams } = (await connection.mustCall('ListStreams', { Limit: 1000 })) as {
    StreamNames: string[];
    HasMoreStreams: boolean;
  };
  if (HasMoreStreams) throw new Error('there are more streams than this suite ever makes');
  return StreamNames;
}

/** From the first record to the last; with the iterator behind it, to go on after another kill. */
async function readShard(
  world: World,
  connection: Connection,
  shard: ShardBook,
): Promise<{ reading: ShardReading; end: HeldIterator }> {
  const reading = world.ledger.readShard(shard);
  let token = await getIterator(connection, shard, { ShardIteratorType: 'TRIM_HORIZON' });
  for (;;) {
    const { records, next, millisBehindLatest } = await readPage(connection, token, pageRecords);
    for (const record of records) reading.add(record);
    if (next === undefined) throw new Error(`${shard.stream}/${shard.id} is open and gave no next iterator`);
    token = next;
    if (records.length === 0 && millisBehindLatest === 0) break;
  }
  reading.end();
  const after = reading.sequenceNumbers.at(-1) ?? '';
  return {
    reading,
    end: { kind: 'NextShardIterator', token, shard, after, isExact: true, beforeId: Infinity, kills: 0 },
  };
}
