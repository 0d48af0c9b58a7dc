import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Producer, type Acknowledgement } from '@millrace/client';
import { Connection } from '../../durability/connection.ts';
import { Resharder } from '../../durability/resharder.ts';
import { SeededRandom } from '../../durability/seeded-random.ts';
import { ServerProcess } from '../../durability/server-process.ts';
import { BackgroundProcess } from '../../harness/background-process.ts';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder, workspaceFile } from '../../harness/folders.ts';
import { clientEnvironment, credentials, freshName, region, type Target } from '../../harness/target.ts';
import { type FoundRecord, readAll } from './reader.ts';

const keys = 48;
/** Of the stream that is resharded. */
const openMin = 2;
const openMax = 12;

export interface ProducerRun {
  /** Splits, merges and scalings under load. */
  readonly reshards: number;
  /** Of the server, and as many of a producer with a spool. */
  readonly kills: number;
}

/** The producer of `@millrace/client` at the size for every change. */
export async function producerSuite(target: Target, checks: Checks): Promise<void> {
  await runProducer(target, { reshards: 40, kills: 3 }, checks);
}

export async function producerSuiteAtFullSize(target: Target, checks: Checks): Promise<void> {
  await runProducer(target, { reshards: 1000, kills: 50 }, checks);
}

async function runProducer(target: Target, run: ProducerRun, checks: Checks): Promise<void> {
  const { endpoint } = target.transport;
  await checks.check(`${target.records} records are where their acknowledgements say`, () =>
    putAndFind(endpoint, target.records),
  );
  for (const ordering of ['none', 'perKey'] as const) {
    await checks.check(`${run.reshards} reshards under an aggregating producer, ordering ${ordering}`, () =>
      putWhileResharding(endpoint, ordering, run.reshards),
    );
  }
  await checks.check(`${run.kills} kills of the server lose nothing that was accepted`, () => killServers(run.kills));
  await checks.check(`${run.kills} kills of a producer with a spool lose nothing that was accepted`, () =>
    killProducers(endpoint, run.kills),
  );
  await checks.check('memory stays within its bound while there is no server', () => fillMemory(checks));
}

function clientOf(endpoint: string): KinesisClient {
  return new KinesisClient({ endpoint, region, credentials, maxAttempts: 1, requestHandler: new NodeHttpHandler() });
}

async function withStream<Result>(
  endpoint: string,
  shards: number,
  use: (connection: Connection, stream: string) => Promise<Result>,
): Promise<Result> {
  const connection = new Connection(endpoint);
  const stream = freshName('producer');
  try {
    await connection.mustCall('CreateStream', { StreamName: stream, ShardCount: shards });
    return await use(connection, stream);
  } finally {
    connection.close();
  }
}

async function putAndFind(endpoint: string, records: number): Promise<void> {
  await withStream(endpoint, 4, async (connection, stream) => {
    const client = clientOf(endpoint);
    const acknowledged = new Map<string, Acknowledgement>();
    const producer = await Producer.open({ client, stream });
    for (let number = 0; number < records; number++) {
      const text = `key-${number % keys} ${number}`;
      const ticket = await producer.put({ partitionKey: `key-${number % keys}`, data: text });
      void ticket.acknowledged.then((put) => acknowledged.set(text, put));
    }
    await producer.close();
    client.destroy();
    const found = await readAll(connection, stream);
    mustBe('records found', found.length, records);
    for (const record of found) {
      const put = acknowledged.get(record.text);
      const isThere =
        put?.shardId === record.shardId &&
        put.sequenceNumber === record.sequenceNumber &&
        put.subSequenceNumber === record.subSequenceNumber;
      if (!isThere || record.isDropped)
        throw new Error(`${record.text} is at ${placeOf(record)}, not ${JSON.stringify(put)}`);
      acknowledged.delete(record.text);
    }
  });
}

async function putWhileResharding(endpoint: string, ordering: 'none' | 'perKey', reshards: number): Promise<void> {
  await withStream(endpoint, 4, async (connection, stream) => {
    const client = clientOf(endpoint);
    const producer = await Producer.open({ client, stream, ordering, lingerMs: 5, aggregateRecordsMax: 20 });
    let accepted = 0;
    let isOver = false;
    const failures: unknown[] = [];
    const load = (async (): Promise<void> => {
      for (; !isOver; accepted++) {
        const ticket = await producer.put({
          partitionKey: `key-${accepted % keys}`,
          data: `key-${accepted % keys} ${accepted}`,
        });
        ticket.acknowledged.catch((error: unknown) => failures.push(error));
        if (accepted % 100 === 0) await sleep(5);
      }
    })();
    const resharder = await Resharder.of(connection, { streamName: stream, openMin, openMax });
    const random = new SeededRandom(Date.now());
    for (let i = 0; i < reshards; i++) {
      const fault = await resharder.make(connection, await resharder.plan(connection, random));
      if (fault !== undefined) throw new Error(fault);
      await sleep(20);
    }
    isOver = true;
    await load;
    await producer.close();
    client.destroy();
    mustBe('records that failed', failures.length, 0);
    // What the KCL drops the producer has put again.
    const found = (await readAll(connection, stream)).filter(({ isDropped }) => !isDropped).map(({ text }) => text);
    mustBe('records found', new Set(found).size, accepted);
    mustBe('records found again', found.length - accepted, 0);
    if (ordering === 'perKey') mustBeInOrder(found);
  });
}

/** Records come once each here, so the order in which a key's are found must be that of acceptance. */
function mustBeInOrder(texts: readonly string[]): void {
  const last = new Map<string, number>();
  for (const text of texts) {
    const [key, number] = text.split(' ') as [string, string];
    const before = last.get(key) ?? -1;
    if (Number(number) < before) throw new Error(`${text} comes behind ${before}`);
    last.set(key, Number(number));
  }
}

async function killServers(kills: number): Promise<void> {
  const folder = freshFolder('producer');
  let server = await ServerProcess.start({ folder: join(folder.path, 'data') });
  const { endpoint } = server;
  const flags = ['--port', new URL(endpoint).port];
  const producer = new Produced(endpoint, freshName('producer'), '-');
  try {
    const connection = new Connection(endpoint);
    await connection.mustCall('CreateStream', { StreamName: producer.stream, ShardCount: 3 });
    connection.close();
    producer.start(0);
    for (let i = 0; i < kills; i++) {
      await producer.goesOnBy(10_000);
      await server.kill();
      await sleep(200);
      server = await ServerProcess.start({ folder: join(folder.path, 'data'), flags });
    }
    await producer.ends();
    await producer.mustFindAccepted();
  } finally {
    await producer.stop();
    await server.kill();
    folder.remove();
  }
}

async function killProducers(endpoint: string, kills: number): Promise<void> {
  const folder = freshFolder('spool');
  await withStream(endpoint, 3, async (_, stream) => {
    const producer = new Produced(endpoint, stream, folder.path);
    try {
      let first = 0;
      for (let i = 0; i < kills; i++) {
        producer.start(first);
        await producer.goesOnBy(5000 + Math.floor(Math.random() * 5000));
        await producer.stop();
        first = producer.accepted + 10_000;
      }
      producer.start(first);
      await producer.goesOnBy(100);
      await producer.ends();
      await producer.mustFindAccepted();
    } finally {
      await producer.stop();
      rmSync(folder.path, { recursive: true, force: true });
    }
  });
}

async function fillMemory(checks: Checks): Promise<void> {
  const bound = 32 * 1024 * 1024;
  const folder = freshFolder('producer');
  const server = await ServerProcess.start({ folder: join(folder.path, 'data') });
  const stream = freshName('producer');
  const connection = new Connection(server.endpoint);
  await connection.mustCall('CreateStream', { StreamName: stream, ShardCount: 4 });
  connection.close();
  const settings = JSON.stringify({ bufferBytesMax: bound });
  const program = workspaceFile('src/suites/producer/program.ts');
  let told: string[] = [];
  const child = new BackgroundProcess(
    process.execPath,
    ['--expose-gc', program, server.endpoint, stream, 'memory', '0', settings],
    {
      env: clientEnvironment,
      onLine: (line) => {
        if (line === 'open') void server.kill();
        told = line.split(' ');
      },
    },
  );
  await child.ended;
  await server.kill();
  folder.remove();
  const [, accepted, bytes] = told.map(Number) as [number, number, number];
  if (!(accepted > 10_000)) throw new Error(`accepted ${accepted}: ${child.stderr}`);
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
  checks.say(`${accepted} records of 100 B accepted: ${megabytes(bytes)} for a bound of ${megabytes(bound)}`);
  if (bytes > bound) throw new Error(`${bytes} bytes for a bound of ${bound}`);
}

/** A process that produces, and what it says. */
class Produced {
  readonly stream: string;
  /** All records below it were accepted, but for the gaps between processes. */
  accepted = 0;
  readonly #endpoint: string;
  readonly #spool: string;
  readonly #ranges: Array<{ first: number; accepted: number }> = [];
  #process: BackgroundProcess | undefined;
  #isDone = false;

  constructor(endpoint: string, stream: string, spool: string) {
    this.#endpoint = endpoint;
    this.stream = stream;
    this.#spool = spool;
  }

  start(first: number): void {
    const range = { first, accepted: first };
    this.#ranges.push(range);
    this.accepted = first;
    this.#isDone = false;
    const program = workspaceFile('src/suites/producer/program.ts');
    const args = [program, this.#endpoint, this.stream, this.#spool, String(first), '{"lingerMs":20}'];
    this.#process = new BackgroundProcess(process.execPath, args, {
      env: clientEnvironment,
      onLine: (line) => {
        const [what, number] = line.split(' ');
        if (what === 'done') this.#isDone = true;
        if (what === 'accepted') this.accepted = range.accepted = Number(number);
      },
    });
  }

  /** Until so many more have been accepted. */
  async goesOnBy(records: number): Promise<void> {
    const goal = this.accepted + records;
    while (this.accepted < goal) {
      this.#mustRun();
      await sleep(5);
    }
  }

  /** Lets it come to its end. */
  async ends(): Promise<void> {
    this.#process?.terminate();
    while (!this.#isDone) {
      this.#mustRun();
      await sleep(20);
    }
    await this.#process?.ended;
  }

  async stop(): Promise<void> {
    await this.#process?.kill();
  }

  async mustFindAccepted(): Promise<void> {
    const connection = new Connection(this.#endpoint);
    const found = await readAll(connection, this.stream);
    connection.close();
    const numbers = new Set(found.filter(({ isDropped }) => !isDropped).map(({ text }) => Number(text.split(' ')[1])));
    for (const { first, accepted } of this.#ranges) {
      if (accepted === first) throw new Error(`nothing was accepted from ${first} on`);
      for (let number = first; number < accepted; number++) {
        if (!numbers.has(number)) throw new Error(`record ${number} was accepted and is not there`);
      }
    }
  }

  #mustRun(): void {
    if (this.#process?.isRunning !== true && !this.#isDone)
      throw new Error(`the producer has ended: ${this.#process?.stderr}`);
  }
}

function placeOf({ shardId, sequenceNumber, subSequenceNumber }: FoundRecord): string {
  return `${shardId} ${sequenceNumber}/${subSequenceNumber}`;
}

function mustBe(what: string, is: number, wanted: number): void {
  if (is !== wanted) throw new Error(`${what}: ${is}, wanted ${wanted}`);
}
