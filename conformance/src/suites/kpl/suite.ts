import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { ServerProcess } from '../../durability/server-process.ts';
import { type Checks, UnavailableError } from '../../harness/checks.ts';
import { freshFolder } from '../../harness/folders.ts';
import { freshName, type Target } from '../../harness/target.ts';
import { type FoundRecord, readAll } from '../producer/reader.ts';
import { type KplOptions, KplProgram } from './program.ts';

const shards = 4;
const openMin = 2;
const openMax = 12;
const reshardEveryMs = 300;
const kills = 3;
/** So that there is time for something to happen meanwhile. */
const steadily = 4000;
const asFastAsItCan = 1_000_000;

/** The Kinesis Producer Library for Java, with its own program underneath, unmodified. */
export async function kplSuite(target: Target, checks: Checks): Promise<void> {
  const { endpoint } = target.transport;
  const tls = target.transports.find((transport) => transport.name === 'https');
  if (tls === undefined) throw new UnavailableError('The KPL speaks nothing but TLS, and the endpoint has none.');
  const at = { url: new URL(tls.endpoint), certificateFile: tls.pemFile };
  const { records } = target;
  for (const isAggregating of [true, false]) {
    const how = isAggregating ? 'aggregated' : 'one by one';
    await checks.check(`${records} records, ${how}, are where it was told, once each`, async () => {
      const found = await putAndFind(endpoint, { ...at, records, isAggregating, recordsPerSecond: asFastAsItCan });
      const packed = new Set(found.map(({ shardId, sequenceNumber }) => `${shardId} ${sequenceNumber}`)).size;
      checks.say(`${found.length} records in ${packed} of the stream's`);
      if (found.length !== records || packed < found.length !== isAggregating) {
        throw new Error(`${found.length} records in ${packed} of the stream's`);
      }
    });
  }
  const moderate = { records, isAggregating: true, recordsPerSecond: steadily };
  await checks.check('what it was told is so while shards are split and merged', async () => {
    let reshards = 0;
    const found = await putAndFind(endpoint, { ...at, ...moderate }, async (program, connection, stream) => {
      reshards = await reshardUntilDone(program, connection, stream);
    });
    const dropped = found.filter(({ isDropped }) => isDropped).length;
    checks.say(
      `${reshards} reshards, ${found.length - records} records put again, ${dropped} where the KCL drops them`,
    );
    if (reshards === 0) throw new Error('no reshards');
  });
  if (!target.isOwn) return;
  await checks.check(`what it was told is so through ${kills} kills of the server`, () => killServers(moderate));
}

type Load = Pick<KplOptions, 'records' | 'isAggregating' | 'recordsPerSecond'>;

type Meanwhile = (program: KplProgram, connection: Connection, stream: string) => Promise<void>;

/** Puts records, and finds each one where the producer was told that it is. */
async function putAndFind(
  endpoint: string,
  options: Omit<KplOptions, 'stream'>,
  meanwhile?: Meanwhile,
): Promise<readonly FoundRecord[]> {
  const connection = new Connection(endpoint);
  const stream = freshName('kpl');
  await connection.mustCall('CreateStream', { StreamName: stream, ShardCount: shards });
  const program = await KplProgram.start({ ...options, stream });
  try {
    await Promise.all([program.told(), meanwhile?.(program, connection, stream)]);
    const found = await readAll(connection, stream);
    mustHold(found, program, options.records);
    return found;
  } finally {
    await program.stop();
    connection.close();
  }
}

function mustHold(found: readonly FoundRecord[], { puts, failures }: KplProgram, records: number): void {
  if (failures.length > 0) throw new Error(`${failures.length} records failed: ${failures[0]}`);
  if (puts.size !== records) throw new Error(`it was told of ${puts.size} records, not ${records}`);
  const places = new Set(found.map((record) => placeOf(record.text.split(' ')[1], record)));
  for (const [number, put] of puts) {
    const place = placeOf(String(number), put);
    if (!places.has(place)) throw new Error(`record ${place} is not there`);
  }
}

function placeOf(number: string | undefined, at: { shardId: string; sequenceNumber: string }): string {
  return `${number} at ${at.shardId} ${at.sequenceNumber}`;
}

async function reshardUntilDone(program: KplProgram, connection: Connection, streamName: string): Promise<number> {
  const random = new SeededRandom(Date.now());
  const resharder = await Resharder.of(connection, { streamName, openMin, openMax });
  await program.told(1);
  let reshards = 0;
  for (; !program.isDone; reshards++) {
    const fault = await resharder.make(connection, await resharder.plan(connection, random));
    if (fault !== undefined) throw new Error(fault);
    await sleep(reshardEveryMs);
  }
  return reshards;
}

async function killServers(options: Load): Promise<void> {
  const folder = freshFolder('kpl');
  const data = join(folder.path, 'data');
  let server = await ServerProcess.start({ folder: data });
  const { endpoint } = server;
  const flags = ['--port', new URL(endpoint).port];
  try {
    await putAndFind(endpoint, { ...options, url: new URL(endpoint) }, async (program) => {
      for (let kill = 1; kill <= kills; kill++) {
        await program.told((options.records * kill) / (kills + 1));
        await server.kill();
        await sleep(200);
        // Not after the producer has failed: nobody would end it.
        if (program.isRunning) server = await ServerProcess.start({ folder: data, flags });
      }
    });
  } finally {
    await server.kill();
    folder.remove();
  }
}
