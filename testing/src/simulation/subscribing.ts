import type {
  ChildShard,
  SubscribeToShardEventStream,
  SubscribeToShardInput,
} from '../../../platform/src/model/index.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { caller } from '../streams-harness.ts';
import { answerOf, travel, type Answer } from './answer.ts';
import type { Look, Way, WayParts } from './follower.ts';
import type { FollowedShard, Given } from './lineage.ts';

type Events = AsyncIterator<SubscribeToShardEventStream>;

/** Short, so that subscriptions end of themselves, and are taken over. */
export const subscriptionTimes = { lifeMs: 6000, takeoverMs: 300 };

/** More than any look takes: events without end would keep time from going on. */
const eventsMax = 2000;

export interface SubscribingOptions {
  readonly arnOf: (stream: string) => string;
  readonly onProblem: (error: unknown) => void;
}

/** Reads by SubscribeToShard, a subscription for each shard, which is called again when it ends. */
export class Subscribing implements Way {
  readonly #parts: WayParts;
  readonly #options: SubscribingOptions;
  /** By shard: what ends its subscription. */
  readonly #open = new Map<string, () => void>();
  #consumerArn = '';

  constructor(parts: WayParts, options: SubscribingOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async begin(): Promise<boolean> {
    const { ask, isGood, stream, label } = this.#parts;
    const answer = await ask('registerStreamConsumer', { StreamARN: this.#options.arnOf(stream), ConsumerName: label });
    // One whose answer was lost is registered already.
    const found =
      answer.code === 'ResourceInUseException'
        ? await ask('describeStreamConsumer', { StreamARN: this.#options.arnOf(stream), ConsumerName: label })
        : answer;
    if (!isGood(found)) return false;
    const { Consumer, ConsumerDescription } = found.output as Record<string, { ConsumerARN: string } | undefined>;
    this.#consumerArn = (Consumer ?? ConsumerDescription)?.ConsumerARN ?? '';
    return true;
  }

  async step(shards: readonly FollowedShard[], random: SeededRandom): Promise<void> {
    if (random.chance(0.1)) random.pick([...this.#open.values()])?.();
    const shard = shards.find(({ id }) => !this.#open.has(id));
    if (shard === undefined) return;
    const answer = await this.#parts.ask('subscribeToShard', this.#start(shard));
    if (!this.#parts.isGood(answer)) return;
    const events = (answer.output as { EventStream: AsyncIterable<SubscribeToShardEventStream> }).EventStream;
    this.#listen(shard, events[Symbol.asyncIterator](), random.fork()).catch(this.#options.onProblem);
  }

  async readUntil(shard: FollowedShard, count: number, { server, isOver }: Look): Promise<void> {
    // The one before may still keep others out.
    server.clock.advance(subscriptionTimes.takeoverMs);
    const { EventStream } = await server.streams.subscribeToShard(this.#start(shard), caller);
    const events = EventStream[Symbol.asyncIterator]();
    for (let taken = 0; shard.count < count; taken++) {
      if (taken > eventsMax) throw new Error(`${this.#parts.label}: events without end for ${shard.id}`);
      const result = await events.next();
      if (isOver() || result.done === true) return;
      this.#take(shard, result.value);
    }
    await events.return?.();
  }

  hangUp(): void {
    for (const each of this.#open.values()) each();
  }

  /** Takes event after event, at the pace of the network, until one side ends it. */
  async #listen(shard: FollowedShard, events: Events, random: SeededRandom): Promise<void> {
    let isOver = false;
    const end = new Promise<Answer>((resolve) => {
      this.#open.set(shard.id, () => {
        isOver = true;
        this.#open.delete(shard.id);
        resolve({ fate: 'unknown' });
      });
    });
    const close = this.#open.get(shard.id) as () => void;
    while (!isOver) {
      const answer = await Promise.race([answerOf(() => events.next()), end]);
      await travel(random);
      if (isOver) break;
      const result = answer.output as IteratorResult<SubscribeToShardEventStream> | undefined;
      if (!this.#parts.isGood(answer) || result === undefined || result.done === true) close();
      else this.#take(shard, result.value);
    }
    void events.return?.();
  }

  #take(shard: FollowedShard, { SubscribeToShardEvent: event }: SubscribeToShardEventStream): void {
    if (event === undefined) throw new Error('an event of another kind');
    this.#parts.take(shard, givenOf(event, event.ContinuationSequenceNumber === undefined));
  }

  #start({ id: ShardId, after }: FollowedShard): SubscribeToShardInput {
    const { type: Type, number: SequenceNumber } = positionAfter(after);
    return { ConsumerARN: this.#consumerArn, ShardId, StartingPosition: { Type, SequenceNumber } };
  }
}

interface Page {
  readonly Records: ReadonlyArray<{ readonly Data: Uint8Array; readonly SequenceNumber: string }>;
  readonly ChildShards?: readonly ChildShard[] | undefined;
}

export function givenOf({ Records, ChildShards = [] }: Page, isEnd: boolean): Given {
  const records = Records.map(({ Data, SequenceNumber }) => ({
    data: Buffer.from(Data).toString(),
    sequenceNumber: SequenceNumber,
  }));
  return { records, children: isEnd ? ChildShards : undefined };
}

export function positionAfter(number: string | undefined): {
  readonly type: 'TRIM_HORIZON' | 'AFTER_SEQUENCE_NUMBER';
  readonly number: string | undefined;
} {
  return { type: number === undefined ? 'TRIM_HORIZON' : 'AFTER_SEQUENCE_NUMBER', number };
}
