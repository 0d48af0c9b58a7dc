import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordsCommand,
  type GetShardIteratorInput,
} from '@aws-sdk/client-kinesis';
import { afterAll, beforeAll } from 'vitest';
import { start } from '../src/index.ts';

type Position = Omit<GetShardIteratorInput, 'StreamName' | 'ShardId'>;

/** A server for all tests of a file, as the official client sees it: default settings, HTTP/2. */
export class SdkFixture {
  endpoint = '';
  #client: KinesisClient | undefined;
  #streamCount = 0;

  /** Registers start and stop. */
  static use(): SdkFixture {
    const fixture = new SdkFixture();
    let server: Awaited<ReturnType<typeof start>> | undefined;
    beforeAll(async () => {
      server = await start({ durability: 'memory' });
      fixture.endpoint = server.endpoint;
      fixture.#client = fixture.connect();
    });
    afterAll(async () => {
      fixture.#client?.destroy();
      await server?.close();
    });
    return fixture;
  }

  get client(): KinesisClient {
    return this.#client as KinesisClient;
  }

  connect(region = 'us-east-1', accessKeyId = 'test'): KinesisClient {
    return new KinesisClient({
      endpoint: this.endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey: 'test' },
    });
  }

  async newStream(ShardCount = 1): Promise<string> {
    const StreamName = `stream-${++this.#streamCount}`;
    await this.client.send(new CreateStreamCommand({ StreamName, ShardCount }));
    return StreamName;
  }

  async iteratorAt(StreamName: string, position: Position, ShardId = 'shardId-000000000000'): Promise<string> {
    const answer = await this.client.send(new GetShardIteratorCommand({ StreamName, ShardId, ...position }));
    return answer.ShardIterator as string;
  }

  async textsFrom(ShardIterator: string): Promise<string[]> {
    const { Records = [] } = await this.client.send(new GetRecordsCommand({ ShardIterator }));
    return Records.map(({ Data }) => Buffer.from(Data ?? []).toString());
  }

  /** Puts one record a text under one key; answers their sequence numbers. */
  async put(StreamName: string, ...texts: string[]): Promise<string[]> {
    const entries = texts.map((text) => ({ Data: Buffer.from(text), PartitionKey: 'k' }));
    const { Records = [] } = await this.client.send(new PutRecordsCommand({ StreamName, Records: entries }));
    return Records.map(({ SequenceNumber }) => SequenceNumber as string);
  }
}
