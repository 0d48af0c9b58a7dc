import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { ServerProcess, type ServerOptions } from '../server-process.ts';
import { changeStable, makeAndDelete, raiseAgain } from './control.ts';
import { holdIterators } from './held-iterators.ts';
import { write, type WriterParts } from './load.ts';
import { pickTrigger } from './trigger.ts';
import type { Load, World } from './world.ts';

const writers: readonly ConnectionOptions[] = [
  { encoding: 'cbor' },
  { encoding: 'cbor' },
  { encoding: 'cbor' },
  { encoding: 'json' },
  { encoding: 'json' },
  { protocol: 'HTTP/2', encoding: 'cbor' },
  { protocol: 'HTTP/2', encoding: 'json' },
];
/** Rounds of one folder times what a round has of connections stays below. */
const connectionsOfRound = 100;

/** Loads a server with concurrent calls of all kinds, kills it at a moment, and resolves when nothing is under way any more. */
export async function loadAndKill(
  world: World,
  server: ServerProcess,
  random: SeededRandom,
  trigger = pickTrigger(random),
): Promise<{ killed: string; acknowledgedBytes: number }> {
  const { endsByItself = false } = trigger;
  const load: Load = {
    world,
    isStopped: false,
    isHeavy: trigger.isHeavy,
    endsByItself,
    acknowledgedBytes: 0,
  };
  const opened: Connection[] = [];
  const parts = (options: ConnectionOptions = {}): WriterParts => {
    const connection = new Connection(server.endpoint, options);
    opened.push(connection);
    return { load, connection, number: world.rounds * connectionsOfRound + opened.length, random: random.fork() };
  };
  const readers = parts();
  const workers = [
    ...writers.map((options) => write(parts(options))),
    changeStable(parts({ encoding: 'json' })),
    makeAndDelete(parts({ encoding: 'json' })),
    ...world.phoenixes.map((each) => raiseAgain(parts(), each)),
    ...(world.lineage === undefined
      ? []
      : [world.lineage.write(parts()), world.lineage.reshard(parts({ encoding: 'json' }))]),
    holdIterators(load, readers.connection, readers.random),
  ];
  const all = Promise.all(workers);
  await Promise.race([trigger.wait(world.folder, load), all]);
  load.isStopped = true;
  if (server.hasEnded && !(endsByItself && server.wasKilled))
    world.ledger.violate(`the server ended by itself: ${server.stderr.slice(-1000)}`);
  await server.kill();
  await all;
  for (const each of opened) each.close();
  world.rounds++;
  world.acknowledgedBytes += load.acknowledgedBytes;
  return { killed: trigger.name, acknowledgedBytes: load.acknowledgedBytes };
}

/** Starts again; now and then a start or two are killed as well. */
export async function restart(
  options: ServerOptions,
  random: SeededRandom,
): Promise<{ server: ServerProcess; killedStarts: number }> {
  let killedStarts = 0;
  while (random.chance(0.2) && killedStarts < 3) {
    const server = ServerProcess.spawn(options);
    await sleep(random.int(50, 450));
    await server.kill();
    killedStarts++;
  }
  return { server: await ServerProcess.start(options), killedStarts };
}
