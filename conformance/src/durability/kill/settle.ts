import { Connection } from '../connection.ts';
import type { ServerProcess } from '../server-process.ts';
import { makeStream } from './books.ts';
import { ControlledStream, readFacts } from './controlled-stream.ts';
import { Lineage } from './lineage.ts';
import { readEverything, type ReadingCounts } from './reading.ts';
import type { World } from './world.ts';

const stableStreams: ReadonlyArray<readonly [name: string, shards: number]> = [
  ['stable-one', 1],
  ['stable-two', 2],
  ['stable-four', 4],
];

/** Makes the streams that stay. */
export async function settle(world: World, server: ServerProcess): Promise<void> {
  const connection = new Connection(server.endpoint);
  for (const [name, shards] of stableStreams) {
    const stream = new ControlledStream(name);
    stream.book = await makeStream(connection, name, shards);
    stream.facts = await readFacts(connection, name);
    world.stable.push(stream);
  }
  world.lineage = await Lineage.make(connection);
  connection.close();
}

/** Reads everything, and asks the server how it is; what is wrong is noted in the ledger. */
export async function verify(world: World, server: ServerProcess): Promise<ReadingCounts> {
  const read = await readEverything(world, server.endpoint);
  const { status, damage = [] } = await server.health();
  if (status !== 'ok') world.ledger.violate(`the server says it is ${status}`);
  for (const sentence of damage) world.ledger.violate(`the server reports damage: ${sentence}`);
  return read;
}
