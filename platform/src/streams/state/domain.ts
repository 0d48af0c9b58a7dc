import type { ApplyContext, CatalogDomain } from '../../catalog/index.ts';
import type { StreamMode } from '../../model/index.ts';
import { evenRanges, type HashKey } from '../shard/hash-key.ts';
import {
  changeConsumerTags,
  type ConsumerKey,
  type ConsumerRefusal,
  consumersOf,
  deregisterConsumer,
  type RegisterConsumer,
  registerConsumer,
} from './consumers.ts';
import { isAdjacent, isSplittable, mergeShards, scaleShards, splitShard } from './reshard.ts';
import { type Shard, Stream, type StreamRecord, type StreamScope } from './stream.ts';

/** Identifies one incarnation, so that a command that comes late does not hit the stream's successor. */
interface Target {
  readonly incarnation: number;
}

/** Of a command that changes the shards. */
interface Updating extends Target {
  /** How long the stream is UPDATING. */
  readonly delayMs: number;
}

/** Of a command that changes the tags of a stream, or of one of its consumers. */
interface Tagged extends Target {
  readonly consumer?: ConsumerKey | undefined;
}

export type StreamsCommand =
  | ({
      readonly kind: 'create';
      readonly name: string;
      readonly streamId: string;
      readonly shardCount: number;
      readonly mode: StreamMode;
      readonly maxRecordKiB: number;
      readonly tags: Record<string, string>;
      readonly delayMs: number;
    } & StreamScope)
  | ({ readonly kind: 'delete'; readonly delayMs: number; readonly withConsumers: boolean } & Target)
  | ({ readonly kind: 'purge' } & Target)
  | ({ readonly kind: 'set-retention'; readonly hours: number; readonly direction: 'increase' | 'decrease' } & Target)
  | ({ readonly kind: 'split'; readonly shard: number; readonly at: HashKey } & Updating)
  | ({ readonly kind: 'merge'; readonly shard: number; readonly adjacent: number } & Updating)
  | ({ readonly kind: 'scale'; readonly count: number; readonly perDayMax: number | undefined } & Updating)
  | ({ readonly kind: 'trim'; readonly beforeMs: number } & Target)
  | ({ readonly kind: 'register-consumer' } & RegisterConsumer & Target)
  | ({ readonly kind: 'deregister-consumer'; readonly delayMs: number } & ConsumerKey & Target)
  | ({ readonly kind: 'add-tags'; readonly tags: Record<string, string>; readonly tagsMax: number } & Tagged)
  | ({ readonly kind: 'remove-tags'; readonly keys: readonly string[] } & Tagged)
  | { readonly kind: 'set-token-key'; readonly key: string };

/** Why a command changed nothing. `changed`: the shards are not any more what the caller has looked at. */
export type StreamsRefusal =
  | ConsumerRefusal
  | 'has-consumers'
  | 'exists'
  | 'absent'
  | 'changed'
  | 'too-often'
  | 'too-short'
  | 'too-long'
  | 'too-many-tags';
export type StreamsOutcome = 'done' | StreamsRefusal;

interface Snapshot {
  readonly tokenKey: string | undefined;
  readonly streams: readonly StreamRecord[];
  readonly formerSeconds: ReadonlyArray<readonly [string, number]>;
}

/** Names of deleted streams whose last creation second is remembered. */
const formerNamesMax = 10_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Streams by account, region and name: three look-ups cost less than one of a key made of the three, and there is one for each put. */
class StreamNames {
  readonly #accounts = new Map<string, Map<string, Map<string, Stream>>>();

  find({ account, region }: StreamScope, name: string): Stream | undefined {
    return this.#accounts.get(account)?.get(region)?.get(name);
  }

  add(stream: Stream): void {
    const { account, region, name } = stream.record;
    let regions = this.#accounts.get(account);
    if (regions === undefined) this.#accounts.set(account, (regions = new Map()));
    let names = regions.get(region);
    if (names === undefined) regions.set(region, (names = new Map()));
    names.set(name, stream);
  }

  delete({ account, region, name }: StreamRecord): void {
    const regions = this.#accounts.get(account);
    const names = regions?.get(region);
    names?.delete(name);
    if (names?.size === 0) regions?.delete(region);
    if (regions?.size === 0) this.#accounts.delete(account);
  }
}

/** The control-plane state of Data Streams. */
export class StreamsDomain implements CatalogDomain<StreamsCommand, StreamsOutcome> {
  readonly name = 'streams' as const;
  /** Seals iterators and page tokens, 32 bytes in hexadecimal; lives as long as the data. */
  tokenKey: string | undefined;
  readonly #byName = new StreamNames();
  readonly #byIncarnation = new Map<number, Stream>();
  readonly #byStreamId = new Map<string, Stream>();
  /** By name: newest creation second of a shard, or of a consumer, of a deleted stream. */
  readonly #formerSeconds = new Map<string, number>();

  find(scope: StreamScope, name: string): Stream | undefined {
    return this.#byName.find(scope, name);
  }

  findByIncarnation(incarnation: number): Stream | undefined {
    return this.#byIncarnation.get(incarnation);
  }

  findByStreamId(streamId: string): Stream | undefined {
    return this.#byStreamId.get(streamId);
  }

  all(): Iterable<Stream> {
    return this.#byIncarnation.values();
  }

  /** Streams of an account and region, sorted by name. */
  in(scope: StreamScope): Stream[] {
    return [...this.#byIncarnation.values()]
      .filter(({ record }) => record.account === scope.account && record.region === scope.region)
      .sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  }

  apply(command: StreamsCommand, context: ApplyContext): StreamsOutcome {
    if (command.kind === 'create') return this.#create(command, context);
    if (command.kind === 'set-token-key') {
      this.tokenKey ??= command.key;
      return 'done';
    }
    const stream = this.#byIncarnation.get(command.incarnation);
    if (stream === undefined) return 'absent';
    switch (command.kind) {
      case 'delete':
        return this.#delete(stream, command, context);
      case 'purge':
        return this.#purge(stream, context);
      case 'set-retention':
        return setRetention(stream, command, context);
      case 'split':
      case 'merge':
      case 'scale':
        return reshard(stream, command, context);
      case 'trim':
        return trim(stream, command.beforeMs, context);
      case 'register-consumer':
        return registerConsumer(stream, command, context);
      case 'deregister-consumer':
        return deregisterConsumer(stream, command, context);
      case 'add-tags':
      case 'remove-tags':
        return changeTags(stream, command);
    }
  }

  snapshot(): Snapshot {
    return {
      tokenKey: this.tokenKey,
      streams: [...this.#byIncarnation.values()].map(({ record }) => record),
      formerSeconds: [...this.#formerSeconds],
    };
  }

  restore(snapshot: unknown): void {
    const { tokenKey, streams, formerSeconds } = snapshot as Snapshot;
    this.tokenKey = tokenKey;
    for (const record of streams) this.#add(new Stream({ ...record, tags: tagMap(record.tags) }));
    for (const [name, second] of formerSeconds) this.#formerSeconds.set(name, second);
  }

  #create(command: Extract<StreamsCommand, { kind: 'create' }>, context: ApplyContext): StreamsOutcome {
    const key = nameKey(command, command.name);
    if (this.#byName.find(command, command.name) !== undefined) return 'exists';
    const { timeMs } = context;
    const createdSecond = Math.max(Math.floor(timeMs / 1000), (this.#formerSeconds.get(key) ?? 0) + 1);
    const incarnation = context.nextIncarnation();
    const stream = new Stream({
      account: command.account,
      region: command.region,
      name: command.name,
      incarnation,
      streamId: command.streamId,
      createdMs: timeMs,
      // Without a delay at once, also for a clock that is set back.
      readyMs: command.delayMs === 0 ? 0 : timeMs + command.delayMs,
      mode: command.mode,
      maxRecordKiB: command.maxRecordKiB,
      shards: evenRanges(command.shardCount).map((range, number) => ({ number, ...range, createdSecond })),
      retentionHours: 24,
      trimMs: 0,
      tags: tagMap(command.tags),
      consumerSecond: createdSecond - 1,
    });
    for (const { number } of stream.record.shards) context.log.provision({ group: incarnation, shard: number });
    this.#add(stream);
    return 'done';
  }

  #delete(
    stream: Stream,
    { delayMs, withConsumers }: Extract<StreamsCommand, { kind: 'delete' }>,
    context: ApplyContext,
  ): StreamsOutcome {
    if (stream.status(context.timeMs) !== 'ACTIVE') return 'not-active';
    if (!withConsumers && consumersOf(stream, context.timeMs).length > 0) return 'has-consumers';
    if (delayMs === 0) return this.#purge(stream, context);
    stream.record.deleteMs = context.timeMs + delayMs;
    return 'done';
  }

  #purge(stream: Stream, context: ApplyContext): StreamsOutcome {
    const { record } = stream;
    const key = nameKey(record, record.name);
    this.#byName.delete(record);
    this.#byIncarnation.delete(record.incarnation);
    this.#byStreamId.delete(record.streamId);
    this.#formerSeconds.delete(key);
    const seconds = record.shards.map((each) => each.createdSecond);
    this.#formerSeconds.set(key, Math.max(...seconds, record.consumerSecond ?? 0));
    for (const oldest of this.#formerSeconds.keys()) {
      if (this.#formerSeconds.size <= formerNamesMax) break;
      this.#formerSeconds.delete(oldest);
    }
    context.log.drop(record.incarnation);
    return 'done';
  }

  #add(stream: Stream): void {
    this.#byName.add(stream);
    this.#byIncarnation.set(stream.record.incarnation, stream);
    this.#byStreamId.set(stream.record.streamId, stream);
  }
}

function nameKey(scope: StreamScope, name: string): string {
  return `${scope.account}/${scope.region}/${name}`;
}

/** Tag keys are the caller's: without a prototype none of them means anything to the language. */
function tagMap(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.assign(Object.create(null) as Record<string, string>, tags);
}

function setRetention(
  stream: Stream,
  command: Extract<StreamsCommand, { kind: 'set-retention' }>,
  context: ApplyContext,
): StreamsOutcome {
  const { record } = stream;
  if (stream.status(context.timeMs) !== 'ACTIVE') return 'not-active';
  if (command.direction === 'increase' && command.hours < record.retentionHours) return 'too-short';
  if (command.direction === 'decrease' && command.hours > record.retentionHours) return 'too-long';
  // What is past its time now stays gone under the new period.
  const horizonMs = stream.horizonMs(context.timeMs);
  record.retentionHours = command.hours;
  return trim(stream, Math.max(horizonMs, stream.horizonMs(context.timeMs)), context);
}

function reshard(
  stream: Stream,
  command: Extract<StreamsCommand, { kind: 'split' | 'merge' | 'scale' }>,
  context: ApplyContext,
): StreamsOutcome {
  const { record } = stream;
  const { timeMs } = context;
  if (stream.status(timeMs) !== 'ACTIVE') return 'not-active';
  const open = (number: number): Shard | undefined => stream.routes.shards.find((each) => each.number === number);
  switch (command.kind) {
    case 'split': {
      const shard = open(command.shard);
      if (shard === undefined || !isSplittable(shard, command.at)) return 'changed';
      splitShard(record, shard, command.at, context);
      break;
    }
    case 'merge': {
      const [lower, upper] = [open(command.shard), open(command.adjacent)];
      if (lower === undefined || upper === undefined || !isAdjacent(lower, upper)) return 'changed';
      mergeShards(record, lower, upper, context);
      break;
    }
    case 'scale': {
      const today = (record.scaledMs ?? []).filter((each) => each > timeMs - dayMs);
      if (today.length >= (command.perDayMax ?? Infinity)) return 'too-often';
      scaleShards(record, command.count, context);
      record.scaledMs = [...today, timeMs];
    }
  }
  if (command.delayMs > 0) record.updatedMs = timeMs + command.delayMs;
  forgetExpired(stream, timeMs);
  return 'done';
}

/** Closed shards whose records are all past retention. By what the record says alone, so that a replay does the same. */
function forgetExpired(stream: Stream, timeMs: number): void {
  const { record } = stream;
  const horizonMs = Math.max(record.trimMs, timeMs - record.retentionHours * hourMs);
  record.nextShard ??= record.shards.length;
  record.shards = record.shards.filter(({ closed }) => closed === undefined || closed.timeMs >= horizonMs);
  stream.shardsChanged();
}

function trim(stream: Stream, beforeMs: number, context: ApplyContext): StreamsOutcome {
  stream.record.trimMs = Math.max(stream.record.trimMs, beforeMs);
  forgetExpired(stream, context.timeMs);
  context.log.trim(stream.record.incarnation, stream.record.trimMs);
  return 'done';
}

function changeTags(
  stream: Stream,
  command: Extract<StreamsCommand, { kind: 'add-tags' | 'remove-tags' }>,
): StreamsOutcome {
  const change = (before: Readonly<Record<string, string>>): Record<string, string> | undefined => {
    const tags = tagMap(before);
    if (command.kind === 'remove-tags') for (const key of command.keys) delete tags[key];
    else if (Object.keys(Object.assign(tags, command.tags)).length > command.tagsMax) return undefined;
    return tags;
  };
  if (command.consumer !== undefined) return changeConsumerTags(stream, command.consumer, change);
  const tags = change(stream.record.tags);
  if (tags === undefined) return 'too-many-tags';
  stream.record.tags = tags;
  return 'done';
}
