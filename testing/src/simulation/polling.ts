import type { GetRecordsInput, GetRecordsOutput, GetShardIteratorInput } from '../../../platform/src/model/index.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { caller } from '../streams-harness.ts';
import type { Look, Way, WayParts } from './follower.ts';
import type { FollowedShard } from './lineage.ts';
import { givenOf, positionAfter } from './subscribing.ts';

/** Reads by GetRecords: from iterator to iterator, and from a new one where an answer was lost. */
export class Polling implements Way {
  readonly #parts: WayParts;
  #iterators = new Map<string, string>();

  constructor(parts: WayParts) {
    this.#parts = parts;
  }

  begin(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async step(shards: readonly FollowedShard[], random: SeededRandom): Promise<void> {
    const shard = random.pick(shards);
    const { ask, isGood } = this.#parts;
    let iterator = this.#iterators.get(shard.id);
    this.#iterators.delete(shard.id);
    if (iterator === undefined) {
      const answer = await ask('getShardIterator', this.#start(shard));
      if (!isGood(answer)) return;
      iterator = (answer.output as { ShardIterator: string }).ShardIterator;
    }
    const input: GetRecordsInput = { ShardIterator: iterator, Limit: random.pick([1, 5, 100]) };
    const answer = await ask('getRecords', input);
    if (isGood(answer)) this.#take(shard, answer.output as GetRecordsOutput);
  }

  async readUntil(shard: FollowedShard, count: number, { server, isOver }: Look): Promise<void> {
    const { streams } = server;
    let { ShardIterator: iterator } = await streams.getShardIterator(this.#start(shard), caller);
    // One answer with nothing is one too many where there is more, and ends it.
    for (let given = 1; given > 0 && iterator !== undefined && shard.count < count;) {
      const page: GetRecordsOutput = await streams.getRecords({ ShardIterator: iterator }, caller);
      if (isOver()) return;
      this.#take(shard, page);
      iterator = page.NextShardIterator;
      given = page.Records.length;
    }
  }

  hangUp(): void {
    // Iterators outlive a connection, and a server.
  }

  #take(shard: FollowedShard, page: GetRecordsOutput): void {
    if (page.NextShardIterator !== undefined) this.#iterators.set(shard.id, page.NextShardIterator);
    const isEnd = page.NextShardIterator === undefined;
    this.#parts.take(shard, givenOf(page, isEnd));
  }

  #start({ id: ShardId, after }: FollowedShard): GetShardIteratorInput {
    const { type, number } = positionAfter(after);
    return { StreamName: this.#parts.stream, ShardId, ShardIteratorType: type, StartingSequenceNumber: number };
  }
}
