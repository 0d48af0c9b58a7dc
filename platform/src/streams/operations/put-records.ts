import {
  InvalidArgumentException,
  type PutRecordInput,
  type PutRecordOutput,
  type PutRecordsInput,
  type PutRecordsOutput,
  type PutRecordsResultEntry,
  InternalFailureException,
  ProvisionedThroughputExceededException,
  type WireError,
} from '../../model/index.ts';
import {
  BatchBuilder,
  batchHeaderBytes,
  recordOverheadBytesMax,
  type AppendEntry,
  type AppendOutcome,
  type RejectReason,
} from '../../log/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { refuseDryRun } from '../dry-run.ts';
import { sizes } from '../limits.ts';
import { resolveForData } from '../resolve.ts';
import { type HashKey, hashPartitionKey, newHashWords, parseHashKey, writeHashWords } from '../shard/hash-key.ts';
import { parseSequenceNumber, type SequenceWriter } from '../shard/sequence-number.ts';
import { formatShardId } from '../shard/shard-id.ts';
import type { Shard, ShardRoutes, Stream } from '../state/stream.ts';
import { rateExceeded, rejectedPut, streamNotFound, unknownPut } from '../wire-errors.ts';

interface Entry {
  readonly Data: Uint8Array;
  readonly PartitionKey?: string | undefined;
  readonly ExplicitHashKey?: string | undefined;
}

/** Each record's place: index in `routes.shards`, size, and whether a rate limit held it back. */
interface Routed {
  /** As they were then: a stream gets others when it is resharded. */
  readonly routes: ShardRoutes;
  readonly route: Uint32Array;
  readonly keyBytes: Uint16Array;
  readonly isThrottled: Uint8Array;
}

export async function putRecord(
  context: StreamsContext,
  input: PutRecordInput,
  caller: Caller,
): Promise<PutRecordOutput> {
  const stream = resolveForData(context, input, caller);
  if (input.SequenceNumberForOrdering !== undefined) checkOrdering(context, stream, input.SequenceNumberForOrdering);
  const keyBytes = keyBytesOf(input);
  const bytes = checkSize(stream, input, keyBytes);
  let shard = shardOf(stream, input);
  refuseDryRun(input.DryRun);
  if (!isAdmitted(context, stream, shard, bytes)) {
    throw new ProvisionedThroughputExceededException(rateExceeded(shard.number, stream.record));
  }
  // Once, but for a stream that is resharded meanwhile: then the record goes where its key goes now.
  for (;;) {
    const [outcome] = await context.log.append([appendOfOne(stream, shard, input, keyBytes)]);
    if (outcome?.kind === 'stored') {
      const SequenceNumber = stream.sequenceNumbers(shard).at(outcome.baseOffset);
      return { ShardId: formatShardId(shard.number), SequenceNumber };
    }
    if (outcome?.kind !== 'rejected') throw unknownPut();
    if (outcome.reason !== 'closed') throw rejection(outcome.reason, stream);
    shard = shardOf(stream, input);
  }
}

const shardOf = ({ routes }: Stream, entry: Entry): Shard => routes.shards[routeOf(routes, entry)] as Shard;

function appendOfOne(stream: Stream, shard: Shard, { PartitionKey, Data }: Entry, keyBytes: number): AppendEntry {
  const builder = new BatchBuilder(batchHeaderBytes + recordOverheadBytesMax + Data.length + keyBytes);
  builder.add(PartitionKey as string, keyBytes, Data);
  return { group: stream.record.incarnation, shard: shard.number, batch: builder.finish(), recordCount: 1 };
}

function rejection(reason: Exclude<RejectReason, 'closed'>, { record }: Stream): WireError {
  switch (reason) {
    case 'absent':
      return streamNotFound(record);
    case 'overloaded':
      return new ProvisionedThroughputExceededException(rejectedPut(reason));
    case 'disk-full':
    case 'read-only':
      return new InternalFailureException(rejectedPut(reason));
  }
}

export async function putRecords(
  context: StreamsContext,
  input: PutRecordsInput,
  caller: Caller,
): Promise<PutRecordsOutput> {
  const stream = resolveForData(context, input, caller);
  const routed = routeEntries(stream, input.Records);
  refuseDryRun(input.DryRun);
  admit(context, stream, input.Records, routed);
  const Records = await store(context, stream, input.Records, routed);
  return { FailedRecordCount: Records.filter((each) => each.ErrorCode !== undefined).length, Records };
}

/** Answers the records in their order. */
async function store(
  context: StreamsContext,
  stream: Stream,
  entries: readonly Entry[],
  routed: Routed,
): Promise<PutRecordsResultEntry[]> {
  const appends = buildBatches(stream, entries, routed);
  const outcomes = await context.log.append(appends);
  if (outcomes.some((each) => each.kind === 'rejected' && each.reason === 'absent'))
    throw streamNotFound(stream.record);
  const byShard = new Map(outcomes.map((outcome, i) => [(appends[i] as AppendEntry).shard, outcome]));
  const results = resultsOf(stream, routed, byShard);
  const isClosed = (outcome: AppendOutcome | undefined): boolean =>
    outcome?.kind === 'rejected' && outcome.reason === 'closed';
  if (!outcomes.some(isClosed)) return results;
  // The stream was resharded meanwhile: the records of closed shards go where their keys go now.
  const { shards } = routed.routes;
  const isMoving = (i: number): boolean =>
    routed.isThrottled[i] === 0 && isClosed(byShard.get((shards[routed.route[i] as number] as Shard).number));
  const moving = [...entries.keys()].filter(isMoving);
  const moved = moving.map((i) => entries[i] as Entry);
  const movedResults = await store(context, stream, moved, routeEntries(stream, moved));
  moving.forEach((i, k) => (results[i] = movedResults[k] as PutRecordsResultEntry));
  return results;
}

/** Length of the partition key in UTF-8. */
function keyBytesOf({ PartitionKey }: Entry): number {
  if (PartitionKey === undefined) throw new InvalidArgumentException('PartitionKey must be provided.');
  return Buffer.byteLength(PartitionKey);
}

/** Bytes of data and key. @throws InvalidArgumentException when the stream takes no record as large */
function checkSize({ record }: Stream, { Data }: Entry, keyBytes: number): number {
  const bytes = Data.length + keyBytes;
  const bytesMax = record.maxRecordKiB * 1024;
  if (bytes <= bytesMax) return bytes;
  throw new InvalidArgumentException(
    `The record of ${bytes} bytes (data and partition key) exceeds the maximum of ${bytesMax} bytes of stream ${record.name} under account ${record.account}.`,
  );
}

/** Where the hash key of the record at hand is worked out. */
const hashKey = newHashWords();

/** Index in `routes.shards` of the shard that the record goes to. @throws InvalidArgumentException */
function routeOf(routes: ShardRoutes, { PartitionKey, ExplicitHashKey }: Entry): number {
  if (ExplicitHashKey === undefined) hashPartitionKey(PartitionKey as string, hashKey);
  else writeHashWords(explicitHashKey(ExplicitHashKey), hashKey);
  return routes.indexOf(hashKey);
}

function explicitHashKey(decimal: string): HashKey {
  const key = parseHashKey(decimal);
  if (key !== undefined) return key;
  throw new InvalidArgumentException(
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${decimal}`,
  );
}

/** Finds each record's shard and checks what the model does not bound. @throws InvalidArgumentException for the call as a whole */
function routeEntries(stream: Stream, entries: readonly Entry[]): Routed {
  const { routes } = stream;
  const routed: Routed = {
    routes,
    route: new Uint32Array(entries.length),
    keyBytes: new Uint16Array(entries.length),
    isThrottled: new Uint8Array(entries.length),
  };
  let total = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    const keyBytes = keyBytesOf(entry);
    total += checkSize(stream, entry, keyBytes);
    routed.keyBytes[i] = keyBytes;
    routed.route[i] = routeOf(routes, entry);
  }
  if (total > sizes.putRecordsBytesMax) throw new InvalidArgumentException('Records size exceeds 10 MB limit');
  return routed;
}

/** Takes a record from its shard's budget. */
function isAdmitted({ throttle }: StreamsContext, stream: Stream, shard: Shard, bytes: number): boolean {
  if (!throttle.isLimited('shard-write-records') && !throttle.isLimited('shard-write-bytes')) return true;
  const of = `${stream.record.incarnation}/${shard.number}`;
  return throttle.take([
    { limit: 'shard-write-records', of, amount: 1 },
    { limit: 'shard-write-bytes', of, amount: bytes },
  ]);
}

/** Admits the records in their order; those that find too little left are held back. */
function admit(context: StreamsContext, stream: Stream, entries: readonly Entry[], routed: Routed): void {
  for (let i = 0; i < entries.length; i++) {
    const shard = routed.routes.shards[routed.route[i] as number] as Shard;
    const bytes = (entries[i] as Entry).Data.length + (routed.keyBytes[i] as number);
    if (!isAdmitted(context, stream, shard, bytes)) routed.isThrottled[i] = 1;
  }
}

/** One batch for each shard that gets a record; offsets within a batch follow the order of the request. */
function buildBatches(stream: Stream, entries: readonly Entry[], routed: Routed): AppendEntry[] {
  const { shards } = routed.routes;
  const room = new Map<number, number>();
  for (let i = 0; i < entries.length; i++) {
    if (routed.isThrottled[i] === 1) continue;
    const route = routed.route[i] as number;
    const bytes = (routed.keyBytes[i] as number) + (entries[i] as Entry).Data.length + recordOverheadBytesMax;
    room.set(route, (room.get(route) ?? batchHeaderBytes) + bytes);
  }
  const builders = new Map<number, BatchBuilder>();
  for (const [route, bytes] of room) builders.set(route, new BatchBuilder(bytes));
  for (let i = 0; i < entries.length; i++) {
    if (routed.isThrottled[i] === 1) continue;
    const { PartitionKey, Data } = entries[i] as Entry;
    (builders.get(routed.route[i] as number) as BatchBuilder).add(
      PartitionKey as string,
      routed.keyBytes[i] as number,
      Data,
    );
  }
  return [...builders].map(([route, builder]) => ({
    group: stream.record.incarnation,
    shard: (shards[route] as Shard).number,
    batch: builder.finish(),
    recordCount: builder.recordCount,
  }));
}

function resultsOf(
  stream: Stream,
  routed: Routed,
  byShard: ReadonlyMap<number, AppendOutcome>,
): PutRecordsResultEntry[] {
  const { shards } = routed.routes;
  const writers = shards.map((shard) => ShardAnswer.of(stream, shard, byShard.get(shard.number)));
  const results: PutRecordsResultEntry[] = [];
  for (let i = 0; i < routed.route.length; i++) {
    const writer = writers[routed.route[i] as number] as ShardAnswer;
    results.push(routed.isThrottled[i] === 1 ? writer.throttled() : writer.next());
  }
  return results;
}

/** Answers the records of one shard in their order. */
class ShardAnswer {
  readonly #stream: Stream;
  readonly #shard: Shard;
  readonly #shardId: string;
  readonly #numbers: SequenceWriter;
  readonly #failure: PutRecordsResultEntry | undefined;
  #offset: number;

  private constructor(stream: Stream, shard: Shard, offset: number, failure: PutRecordsResultEntry | undefined) {
    this.#stream = stream;
    this.#shard = shard;
    this.#shardId = formatShardId(shard.number);
    this.#numbers = stream.sequenceNumbers(shard);
    this.#offset = offset;
    this.#failure = failure;
  }

  static of(stream: Stream, shard: Shard, outcome: AppendOutcome | undefined): ShardAnswer {
    if (outcome === undefined) return new ShardAnswer(stream, shard, 0, undefined);
    switch (outcome.kind) {
      case 'stored':
        return new ShardAnswer(stream, shard, outcome.baseOffset, undefined);
      case 'unknown':
        return new ShardAnswer(stream, shard, 0, { ErrorCode: 'InternalFailure', ErrorMessage: unknownPut().message });
      case 'rejected': {
        const ErrorCode =
          outcome.reason === 'overloaded' ? 'ProvisionedThroughputExceededException' : 'InternalFailure';
        return new ShardAnswer(stream, shard, 0, { ErrorCode, ErrorMessage: rejectedPut(outcome.reason) });
      }
    }
  }

  next(): PutRecordsResultEntry {
    return this.#failure ?? { SequenceNumber: this.#numbers.at(this.#offset++), ShardId: this.#shardId };
  }

  throttled(): PutRecordsResultEntry {
    return {
      ErrorCode: 'ProvisionedThroughputExceededException',
      ErrorMessage: rateExceeded(this.#shard.number, this.#stream.record),
    };
  }
}

/** SequenceNumberForOrdering must be a number that this stream has given. */
function checkOrdering(context: StreamsContext, stream: Stream, text: string): void {
  const number = parseSequenceNumber(text);
  const shard = number && stream.shard(number.shard);
  const end = number && context.log.endOffset({ group: stream.record.incarnation, shard: number.shard });
  const isGiven =
    number !== undefined && shard?.createdSecond === number.createdSecond && end !== undefined && number.offset < end;
  if (isGiven) return;
  throw new InvalidArgumentException(
    `ExclusiveMinimumSequenceNumber ${text} used in PutRecord on stream ${stream.record.name} under account ${stream.record.account} is invalid.`,
  );
}
