import { setTimeout as sleep } from 'node:timers/promises';
import { NoAnswerError, type Connection, type Reply } from '../connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { hashKeyMax } from '../shard-list.ts';
import type { Life } from './life.ts';
import type { Attempt, Oracle } from './oracle.ts';

const keyCount = 40;
const pauseMsMax = 12;

export interface Target {
  readonly streamName: string;
  readonly oracle: Oracle;
}

/** Puts records of keys of its own, one call after the other. */
export class Producer {
  readonly #target: Target;
  readonly #keys: readonly string[];
  /** Two keys go where ranges end, which is where a mistake would be. */
  readonly #explicit: ReadonlyMap<string, bigint>;

  constructor(target: Target, name: string) {
    this.#target = target;
    this.#keys = Array.from({ length: keyCount }, (_, i) => `${name}-${i}`);
    const [lowest, highest] = this.#keys as [string, string];
    this.#explicit = new Map([
      [lowest, 0n],
      [highest, hashKeyMax],
    ]);
  }

  async run(life: Life, connection: Connection, random: SeededRandom): Promise<void> {
    while (!life.isOver) {
      const share = random.next();
      const keys = random.chance(0.3) ? [random.pick(this.#keys)] : this.#keys.filter(() => random.chance(share));
      const attempts = keys.map((key) => this.#target.oracle.begin(key, this.#explicit.get(key)));
      if (attempts.length > 0)
        await put(this.#target, connection, { attempts, life, isExplicit: (key) => this.#explicit.has(key) });
      await sleep(random.int(0, pauseMsMax));
    }
  }
}

interface Call {
  readonly attempts: readonly Attempt[];
  readonly life: Life;
  readonly isExplicit: (key: string) => boolean;
}

interface Result {
  readonly SequenceNumber?: string;
  readonly ErrorCode?: string;
}

/** Puts records in one call, and notes what became of each. */
export async function put({ streamName, oracle }: Target, connection: Connection, call: Call): Promise<void> {
  const { attempts, life, isExplicit } = call;
  const records = attempts.map(({ key, text, hash }) => ({
    PartitionKey: key,
    Data: new Uint8Array(Buffer.from(text)),
    ...(isExplicit(key) && { ExplicitHashKey: String(hash) }),
  }));
  const [first, ...others] = records;
  let reply: Reply;
  try {
    reply =
      others.length === 0
        ? await connection.call('PutRecord', { StreamName: streamName, ...first })
        : await connection.call('PutRecords', { StreamName: streamName, Records: records });
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    if (!life.isOver) oracle.violate(`a put got no answer while the server ran: ${error.message}`);
    return;
  }
  const { status, type, body } = reply;
  if (status !== 200) {
    for (const each of attempts) oracle.refuse(each);
    oracle.violate(`a put answered ${status} ${type}: ${String(body['message'])}`);
    return;
  }
  const results = others.length === 0 ? [body as Result] : (body['Records'] as Result[]);
  attempts.forEach((attempt, i) => {
    const { SequenceNumber, ErrorCode } = results[i] ?? {};
    if (SequenceNumber !== undefined) oracle.acknowledge(attempt, SequenceNumber);
    else oracle.violate(`a record was answered with ${ErrorCode}`);
  });
}
