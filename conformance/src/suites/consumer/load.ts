import { setTimeout as sleep } from 'node:timers/promises';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Producer } from '@millrace/client';
import { credentials, region } from '../../harness/target.ts';

const keys = 48;

/** Records that are put all the time, those of a key in order, in aggregates. */
export class Load {
  /** By key: how many have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  readonly #client: KinesisClient;
  readonly #stream: string;
  #isOver = false;
  #running: Promise<void> | undefined;

  constructor(endpoint: string, stream: string) {
    this.#client = new KinesisClient({
      endpoint,
      region,
      credentials,
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler(),
    });
    this.#stream = stream;
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  async start(): Promise<void> {
    const options = { ordering: 'perKey', lingerMs: 5, aggregateRecordsMax: 20, recordTtlMs: Infinity } as const;
    const producer = await Producer.open({ client: this.#client, stream: this.#stream, ...options });
    this.#running = this.#run(producer);
    this.#running.catch(() => undefined); // Told at the end.
  }

  /** Resolves when all that was accepted has been put. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#client.destroy();
  }

  async #run(producer: Producer): Promise<void> {
    const failures: unknown[] = [];
    for (let number = 0; !this.#isOver; number++) {
      for (let i = 0; i < keys; i++) {
        const key = `key-${i}`;
        const { acknowledged } = await producer.put({ partitionKey: key, data: `${key} ${number}` });
        acknowledged.then(
          () => this.acknowledged.set(key, number + 1),
          (error: unknown) => failures.push(error),
        );
      }
      await sleep(25);
    }
    await producer.close();
    if (failures.length > 0)
      throw new Error(`${failures.length} records were not put, the first: ${String(failures[0])}`);
  }
}
