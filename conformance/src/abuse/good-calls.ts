import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode, type Encoding } from '../wire/call.ts';
import { SeededRandom } from '../durability/seeded-random.ts';
import { readAnswers } from './answer.ts';
import { http1Bytes, http2Bytes } from './request.ts';
import { readHttp2 } from './http2-frames.ts';
import { Wire } from './wire.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface GoodCallOptions {
  readonly encoding?: Encoding;
  /** Without it, a connection of its own. */
  readonly wire?: Wire;
  readonly tls?: 'http/1.1';
  readonly msMax?: number;
}

/** Makes a sound call. @throws Error when it is not answered by 200, and in time */
export async function goodCall(
  port: number,
  operation: string,
  input: object,
  options: GoodCallOptions = {},
): Promise<Body> {
  const { encoding = 'json', msMax = 30_000 } = options;
  const wire = options.wire ?? new Wire(port, options.tls);
  try {
    wire.take();
    const body = encode(input, encoding);
    wire.socket.write(http1Bytes({ host: `127.0.0.1:${port}` }, { operation, encoding, body }));
    const isLate = await wire.until(() => readAnswers(wire.received).answers.length > 0, msMax);
    const [answer] = readAnswers(wire.take()).answers;
    if (answer === undefined) throw new Error(`${operation}: ${isLate ? `no answer within ${msMax} ms` : 'closed'}`);
    if (answer.status !== 200) throw new Error(`${operation} answered ${answer.status} ${answer.body.toString()}`);
    return answer.body.length === 0 ? {} : (decode(answer.body, encoding) as Body);
  } finally {
    if (options.wire === undefined) wire.close();
  }
}

/** Puts a record now and then on a connection of its own, as a customer would, and checks each answer. */
export class Heartbeat {
  readonly latenciesMs: number[] = [];
  readonly failures: string[] = [];
  /** Told to slow down, where that is an answer (see `mayThrottle`). */
  throttledCount = 0;
  /** What was put, in order. */
  readonly put: string[] = [];
  readonly #port: number;
  readonly #everyMs: number;
  readonly #mayThrottle: boolean;
  #isOver = false;
  #running: Promise<void> | undefined;
  #lastNumber = 0n;

  constructor(port: number, everyMs: number, mayThrottle = false) {
    this.#port = port;
    this.#everyMs = everyMs;
    this.#mayThrottle = mayThrottle;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async beat(): Promise<void> {
    const data = `beat ${this.put.length}`;
    this.put.push(data);
    const startedMs = performance.now();
    try {
      const input = { StreamName: 'good', PartitionKey: 'k', Data: new Uint8Array(Buffer.from(data)) };
      const { ShardId, SequenceNumber } = await goodCall(this.#port, 'PutRecord', input);
      const number = BigInt(String(SequenceNumber));
      if (ShardId !== 'shardId-000000000000' || number <= this.#lastNumber) {
        this.failures.push(`${String(ShardId)} ${number} after ${this.#lastNumber}`);
      }
      this.#lastNumber = number;
    } catch (error) {
      const { message } = error as Error;
      if (this.#mayThrottle && message.includes('ProvisionedThroughputExceededException')) this.throttledCount++;
      else this.failures.push(message);
    }
    this.latenciesMs.push(performance.now() - startedMs);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.beat();
      await sleep(this.#everyMs);
    }
  }
}

/** Everything that a refused request could have changed. */
export interface State {
  readonly streams: unknown;
  readonly subject: unknown;
  readonly tags: unknown;
  readonly records: readonly string[];
}

export async function readState(port: number, subject: string): Promise<State> {
  const { StreamNames } = await goodCall(port, 'ListStreams', {});
  const { StreamDescriptionSummary } = await goodCall(port, 'DescribeStreamSummary', { StreamName: subject });
  const { Tags } = await goodCall(port, 'ListTagsForStream', { StreamName: subject });
  const records = await readAll(port, subject);
  return { streams: StreamNames, subject: StreamDescriptionSummary, tags: Tags, records };
}

/** The data of every record of a stream of one shard. */
export async function readAll(port: number, StreamName: string): Promise<string[]> {
  const start = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  let { ShardIterator: iterator } = await goodCall(port, 'GetShardIterator', start);
  const all: string[] = [];
  for (;;) {
    const page = await goodCall(port, 'GetRecords', { ShardIterator: iterator });
    const records = page['Records'] as { Data: string }[];
    all.push(...records.map(({ Data }) => Buffer.from(Data, 'base64').toString()));
    if (page['MillisBehindLatest'] === 0) return all;
    iterator = page['NextShardIterator'];
  }
}

const workers = 16;
const usesMax = 200;

/** As many good requests as there will be bad ones, of like sizes and on all kinds of connections, so that memory is what it is in use. */
export async function warmUp(port: number, count: number): Promise<void> {
  const random = new SeededRandom(1);
  let made = 0;
  const work = async (): Promise<void> => {
    let wire = new Wire(port);
    for (let uses = 0; made++ < count; uses++) {
      if (uses % usesMax === 0) {
        wire.close();
        wire = new Wire(port);
      }
      const kind = random.next();
      const encoding = random.pick(['json', 'cbor'] as const);
      const input = { StreamName: 'warm', PartitionKey: 'k', Data: new Uint8Array(random.int(1, 1000)) };
      if (kind < 0.6) await goodCall(port, 'PutRecord', input, { wire, encoding });
      else if (kind < 0.7) await goodCall(port, 'PutRecord', input, { encoding });
      else if (kind < 0.77) await goodCall(port, 'DescribeLimits', {}, { tls: 'http/1.1' });
      else if (kind < 0.82) await goodCall(port, 'DescribeLimits', large(random), { encoding });
      else await overHttp2(port, kind < 0.86 ? 'h2' : undefined);
    }
    wire.close();
  };
  await Promise.all(Array.from({ length: workers }, work));
}

/** Members that nobody asks for, as much as the largest of the malformed requests have. */
function large(random: SeededRandom): object {
  const bytes = random.magnitude(60_000, 3_000_000);
  if (random.chance(0.5)) return { Other: 'a'.repeat(bytes) };
  return { Other: Array.from({ length: Math.min(bytes / 5, 50_000) }, () => [{}]) };
}

async function overHttp2(port: number, tls: 'h2' | undefined): Promise<void> {
  const wire = new Wire(port, tls);
  const request = { operation: 'DescribeLimits', encoding: 'json', body: Buffer.from('{}') } as const;
  wire.socket.write(http2Bytes({ host: `127.0.0.1:${port}` }, request));
  await wire.until(() => readHttp2(wire.received).endedStreams.size > 0);
  const [answer] = readHttp2(wire.take()).answers;
  wire.close();
  if (answer?.status !== 200) throw new Error(`DescribeLimits over HTTP/2 answered ${answer?.status}`);
}
