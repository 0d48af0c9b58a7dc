import { randomBytes } from 'node:crypto';
import { NoAnswerError, type Connection, type Reply } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { ControlledStream } from './controlled-stream.ts';
import type { Attempt, ShardBook, StreamBook } from './ledger.ts';
import type { Load } from './world.ts';

const recordBytesMax = 200_000;
/** Contents are cut from this: what a record holds depends on its place and length. */
const pool = randomBytes(16 * 1024 * 1024);

interface Call {
  readonly attempts: Attempt[];
  readonly records: Array<{ Data: Uint8Array; PartitionKey: string; ExplicitHashKey?: string }>;
  bytes: number;
}

export interface WriterParts {
  readonly load: Load;
  readonly connection: Connection;
  /** Unique over the whole folder. */
  readonly number: number;
  readonly random: SeededRandom;
}

/** Puts records, one call after the other, until the load is stopped. */
export async function write(parts: WriterParts): Promise<void> {
  const { load, random } = parts;
  while (!load.isStopped) {
    const target = load.world.pickTarget(random);
    await put(parts, target, sizesOf(load, random));
  }
}

/** Sizes of the records of one call; more than one is a PutRecords. */
function sizesOf(load: Load, random: SeededRandom): number[] {
  if (load.isHeavy || random.chance(0.04))
    return Array.from({ length: random.int(20, 45) }, () => random.int(100_000, recordBytesMax));
  if (random.chance(0.5)) return [random.magnitude(1, recordBytesMax)];
  const sizes: number[] = [];
  const count = random.magnitude(1, 500);
  const sizeMax = Math.min(recordBytesMax, Math.floor(1_000_000 / count));
  for (let i = 0; i < count; i++) sizes.push(random.magnitude(1, sizeMax));
  return sizes;
}

/** Puts records into a stream, and notes what became of each. */
export async function put(parts: WriterParts, target: ControlledStream, sizes: readonly number[]): Promise<void> {
  const { load, connection, random } = parts;
  const book = target.book as StreamBook;
  const isSingle = sizes.length === 1 && random.chance(0.8);
  const call = prepare(parts, book, sizes);
  const input = isSingle
    ? { StreamName: book.name, ...call.records[0] }
    : { StreamName: book.name, Records: call.records };
  let reply: Reply;
  try {
    reply = await connection.call(isSingle ? 'PutRecord' : 'PutRecords', input);
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    for (const attempt of call.attempts) load.world.ledger.leaveOpen(attempt);
    if (!load.isStopped && !load.endsByItself)
      load.world.ledger.violate(`a put got no answer while the server ran: ${error.message}`);
    return;
  }
  if (reply.status === 200) noteAnswer(load, call, isSingle ? [reply.body] : (reply.body['Records'] as Result[]));
  else noteError(load, call, target, reply);
}

function prepare({ load, number, random }: WriterParts, book: StreamBook, sizes: readonly number[]): Call {
  const { ledger } = load.world;
  const call: Call = { attempts: [], records: [], bytes: 0 };
  const aim: ShardBook | undefined = random.chance(0.3) ? random.pick(book.shards) : undefined;
  for (const size of sizes) {
    const data = new Uint8Array(pool.buffer, pool.byteOffset + random.int(0, pool.length - size), size);
    const shard = aim === undefined ? {} : { shard: aim };
    const { attempt, partitionKey } = ledger.begin({ stream: book, connection: number, data, ...shard });
    call.attempts.push(attempt);
    call.bytes += size;
    const aimed =
      aim === undefined ? {} : { ExplicitHashKey: String(random.chance(0.5) ? aim.startHash : aim.endHash) };
    call.records.push({ Data: data, PartitionKey: partitionKey, ...aimed });
  }
  return call;
}

interface Result {
  readonly SequenceNumber?: string;
  readonly ShardId?: string;
  readonly ErrorCode?: string;
}

function noteAnswer(load: Load, call: Call, results: readonly Result[]): void {
  const { ledger } = load.world;
  if (results.length !== call.attempts.length)
    ledger.violate(`${call.attempts.length} records were answered with ${results.length} results`);
  call.attempts.forEach((attempt, i) => {
    const { SequenceNumber, ShardId, ErrorCode } = results[i] as Result;
    if (SequenceNumber !== undefined && ShardId !== undefined) ledger.acknowledge(attempt, SequenceNumber, ShardId);
    else if (ErrorCode === 'ProvisionedThroughputExceededException') ledger.refuse(attempt);
    else {
      ledger.leaveOpen(attempt);
      ledger.violate(`a record was answered with ${ErrorCode}`);
    }
  });
  load.acknowledgedBytes += call.bytes;
}

function noteError(load: Load, call: Call, target: ControlledStream, { status, type, body }: Reply): void {
  const { ledger } = load.world;
  for (const attempt of call.attempts) ledger.refuse(attempt);
  if (type === 'ResourceNotFoundException' && target.isEnding) target.isSeenGone = true;
  else if (type !== 'ProvisionedThroughputExceededException') {
    ledger.violate(`a put into ${target.name} answered ${status} ${type}: ${String(body['message'])}`);
  }
}
