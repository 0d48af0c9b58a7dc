import type { SeededRandom } from '../seeded-random.ts';
import type { StreamsHarness } from '../streams-harness.ts';
import type { Answer, Ask } from './answer.ts';
import type { Ledger, ListedShard } from './ledger.ts';
import { LineageReading, type FollowedShard, type Given } from './lineage.ts';

/** A look at a server that nobody else calls. */
export interface Look {
  readonly server: StreamsHarness;
  /** The server has died meanwhile: nothing that still comes counts. */
  readonly isOver: () => boolean;
}

/** How a follower reads. */
export interface Way {
  /** Before the first shard is read; false to try again later. */
  begin(): Promise<boolean>;
  /** Reads a little of one of the shards, over the network. */
  step(shards: readonly FollowedShard[], random: SeededRandom): Promise<void>;
  /** Reads on while a shard has not ended, and has fewer than so many records behind it. */
  readUntil(shard: FollowedShard, count: number, look: Look): Promise<void>;
  /** The connection is gone. */
  hangUp(): void;
}

/** What a way has of its follower. */
export interface WayParts {
  readonly stream: string;
  readonly label: string;
  readonly ask: Ask;
  readonly take: (shard: FollowedShard, given: Given) => void;
  /** Whether there was an answer that counts. @throws Error for a refusal that must not be */
  readonly isGood: (answer: Answer) => boolean;
}

export interface FollowerOptions {
  readonly ledger: Ledger;
  readonly stream: string;
  readonly label: string;
  readonly ask: Ask;
  /** Tells what it was given. */
  readonly note: (line: string, records: number) => void;
  readonly wayOf: (parts: WayParts) => Way;
}

/** Refusals that say nothing is wrong: nobody is there, the subscription before this one has just begun, or too much time has passed. */
const harmless: readonly (string | undefined)[] = [
  'ECONNREFUSED',
  'ResourceInUseException',
  'ExpiredIteratorException',
];

/** A reader that follows the lineage of one stream through all lives of the server, as long as nobody deletes the stream. */
export class Follower {
  readonly stream: string;
  readonly #options: FollowerOptions;
  readonly #way: Way;
  #reading: LineageReading | undefined;
  #isBusy = false;
  #isDropped = false;

  constructor(options: FollowerOptions) {
    this.stream = options.stream;
    this.#options = options;
    this.#way = options.wayOf({
      ...options,
      take: (shard, given) => this.#take(shard, given),
      isGood: (answer) => this.#isGood(answer),
    });
  }

  async step(random: SeededRandom): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      if (this.#reading === undefined) await this.#begin();
      else await this.#way.step(this.#reading.unfinished, random);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Reads everything that is there, and holds it against the list of shards. */
  async verify(shards: readonly ListedShard[], look: Look): Promise<void> {
    const reading = this.#reading;
    if (reading === undefined) return;
    this.#way.hangUp();
    const { ledger } = this.#options;
    const counts = new Map(shards.map(({ id, key, isOpen }) => [id, isOpen ? ledger.countOf(key) : Infinity]));
    const begun = new Set<string>();
    for (;;) {
      const shard = reading.unfinished.find(({ id }) => !begun.has(id));
      if (shard === undefined) break;
      begun.add(shard.id);
      await this.#way.readUntil(shard, counts.get(shard.id) ?? 0, look);
      if (look.isOver()) return;
    }
    reading.compare(shards);
  }

  /** The server has died. */
  hangUp(): void {
    this.#way.hangUp();
  }

  /** Somebody deletes the stream: what comes from now on can be anything. */
  drop(): void {
    this.#isDropped = true;
    this.#way.hangUp();
  }

  async #begin(): Promise<void> {
    const { ledger, stream, ask } = this.#options;
    const answer = await ask('listShards', { StreamName: stream });
    if (!this.#isGood(answer)) return;
    const { Shards } = answer.output as { Shards: ReadonlyArray<{ ShardId: string; ParentShardId?: string }> };
    const roots = Shards.filter(({ ParentShardId }) => ParentShardId === undefined).map(({ ShardId }) => ShardId);
    if (await this.#way.begin()) this.#reading = new LineageReading(ledger, stream, roots);
  }

  #take(shard: FollowedShard, given: Given): void {
    if (this.#isDropped) return;
    const { label, note } = this.#options;
    const names = given.records.map(({ data }) => data.replace(/\.+$/, '')).join();
    note(`${label} ${shard.id} ${names}${given.children === undefined ? '' : ' end'}`, given.records.length);
    (this.#reading as LineageReading).take(shard, given);
  }

  #isGood({ fate, code }: Answer): boolean {
    if (this.#isDropped) return false;
    if (fate === 'refused' && !harmless.includes(code)) throw new Error(`${this.#options.label} is refused: ${code}`);
    return fate === 'acknowledged';
  }
}
