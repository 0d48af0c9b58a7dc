import { Connection, type ConnectionOptions, type Reply } from '../connection.ts';
import { SeededRandom } from '../seeded-random.ts';
import { deletionMark, retentionMark, type AnsweredCall } from './proof.ts';

const puttersOf: readonly ConnectionOptions[] = [
  { encoding: 'json' },
  { encoding: 'json' },
  { encoding: 'json' },
  { encoding: 'cbor' },
  { encoding: 'cbor' },
  { encoding: 'cbor' },
  { encoding: 'cbor', protocol: 'HTTP/2' },
  { encoding: 'json', protocol: 'HTTP/2' },
];
const callsOfPutter = 150;
const roundsOfControl = 15;
const dataStream = 'traced';

/** Makes puts and control calls at the same time, each with a mark of its own in the journal. */
export async function runTracedLoad(endpoint: string, seed: number): Promise<AnsweredCall[]> {
  const load = new TracedLoad(endpoint, new SeededRandom(seed));
  return load.run();
}

class TracedLoad {
  readonly #endpoint: string;
  readonly #random: SeededRandom;
  readonly #calls: AnsweredCall[] = [];
  #lastMark = 0;
  /** Rises by one with each call: no two ask for the same. */
  #lastHours = 24;

  constructor(endpoint: string, random: SeededRandom) {
    this.#endpoint = endpoint;
    this.#random = random;
  }

  async run(): Promise<AnsweredCall[]> {
    const connection = new Connection(this.#endpoint);
    const { requestId } = await connection.call('CreateStream', { StreamName: dataStream, ShardCount: 4 });
    this.#calls.push({ operation: 'CreateStream', answerMark: requestId, marks: [] });
    connection.close();
    await Promise.all([
      ...puttersOf.map((options) => this.#with(options, (each, random) => this.#put(each, random))),
      ...[1, 2, 3].map(() => this.#with({ encoding: 'json' }, (each) => this.#control(each))),
      this.#with({ encoding: 'json' }, (each) => this.#raiseRetention(each)),
    ]);
    return this.#calls;
  }

  async #with(
    options: ConnectionOptions,
    work: (connection: Connection, random: SeededRandom) => Promise<void>,
  ): Promise<void> {
    const connection = new Connection(this.#endpoint, options);
    try {
      await work(connection, this.#random.fork());
    } finally {
      connection.close();
    }
  }

  async #put(connection: Connection, random: SeededRandom): Promise<void> {
    for (let i = 0; i < callsOfPutter; i++) {
      const marks = Array.from({ length: random.chance(0.6) ? 1 : random.int(2, 12) }, () => this.#mark());
      const records = marks.map((mark) => this.#record(mark, random));
      const isSingle = records.length === 1;
      const input = isSingle ? { StreamName: dataStream, ...records[0] } : { StreamName: dataStream, Records: records };
      const operation = isSingle ? 'PutRecord' : 'PutRecords';
      const { body } = this.#must(operation, await connection.call(operation, input));
      const results = isSingle ? [body] : (body['Records'] as Array<Record<string, unknown>>);
      // HTTP/2 packs its headers; the sequence number is in the clear on both.
      const answerMark = results[0]?.['SequenceNumber'];
      if (typeof answerMark !== 'string') throw new Error(`${operation} gave no sequence number`);
      this.#calls.push({ operation, answerMark, marks });
    }
  }

  /** The mark is at the end of the data: what the record begins with says nothing about its end. */
  #record(mark: string, random: SeededRandom): { Data: Uint8Array; PartitionKey: string } {
    const filler = '.'.repeat(random.chance(0.02) ? 30_000 : random.int(1, 3000));
    return { Data: new Uint8Array(Buffer.from(`${filler}${mark}`)), PartitionKey: `key-${random.int(1, 1e9)}` };
  }

  async #control(connection: Connection): Promise<void> {
    for (let i = 0; i < roundsOfControl; i++) {
      const StreamName = this.#mark();
      const tag = this.#mark();
      await this.#change(connection, 'CreateStream', { StreamName, ShardCount: 2 }, [StreamName]);
      await this.#change(connection, 'AddTagsToStream', { StreamName, Tags: { key: tag } }, [tag]);
      const absent = this.#mark();
      await this.#change(connection, 'RemoveTagsFromStream', { StreamName, TagKeys: ['key', absent] }, [absent]);
      await this.#change(connection, 'DeleteStream', { StreamName }, [deletionMark(StreamName)]);
    }
  }

  async #raiseRetention(connection: Connection): Promise<void> {
    for (let i = 0; i < roundsOfControl; i++) {
      const RetentionPeriodHours = ++this.#lastHours;
      const input = { StreamName: dataStream, RetentionPeriodHours };
      await this.#change(connection, 'IncreaseStreamRetentionPeriod', input, [retentionMark(RetentionPeriodHours)]);
    }
  }

  async #change(connection: Connection, operation: string, input: object, marks: readonly string[]): Promise<void> {
    const { requestId } = this.#must(operation, await connection.call(operation, input));
    this.#calls.push({ operation, answerMark: requestId, marks });
  }

  #must(operation: string, reply: Reply): Reply {
    if (reply.status !== 200)
      throw new Error(`${operation} answered ${reply.status} ${reply.type}: ${String(reply.body['message'])}`);
    return reply;
  }

  #mark(): string {
    return `mark-${String(++this.#lastMark).padStart(8, '0')}-end`;
  }
}
