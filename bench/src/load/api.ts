import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type Address } from './connection.ts';
import { Signer } from './signer.ts';

const activeWaitMs = 10_000;

/** A position that GetShardIterator can start from. */
export interface Position {
  readonly ShardIteratorType: 'TRIM_HORIZON' | 'LATEST' | 'AT_SEQUENCE_NUMBER';
  readonly StartingSequenceNumber?: string;
}

/** The calls around a load: each on a connection of its own, since servers close idle ones. */
export class Api {
  readonly address: Address;
  readonly signer: Signer;

  constructor(address: Address) {
    this.address = address;
    this.signer = new Signer(address);
  }

  /** @throws Error with the answer's text when it is not 200 */
  async call(operation: string, input: unknown): Promise<unknown> {
    const connection = await Connection.open(this.address);
    try {
      const { status, body } = await connection.send(this.signer.request(operation, input));
      if (status !== 200) throw new Error(`${operation}: ${status} ${body.toString('utf8', 0, 300)}`);
      return body.length === 0 ? {} : JSON.parse(body.toString());
    } finally {
      connection.close();
    }
  }

  /** Makes a stream and waits until it is ACTIVE. */
  async createStream(streamName: string, shardCount: number): Promise<void> {
    await this.call('CreateStream', { StreamName: streamName, ShardCount: shardCount });
    const endMs = performance.now() + activeWaitMs;
    while (performance.now() < endMs) {
      const answer = (await this.call('DescribeStreamSummary', { StreamName: streamName })) as {
        StreamDescriptionSummary: { StreamStatus: string };
      };
      if (answer.StreamDescriptionSummary.StreamStatus === 'ACTIVE') return;
      await sleep(20);
    }
    throw new Error(`stream ${streamName} did not become ACTIVE`);
  }

  async listStreams(): Promise<readonly string[]> {
    const { StreamNames } = (await this.call('ListStreams', {})) as { StreamNames: string[] };
    return StreamNames;
  }

  async listShards(streamName: string): Promise<readonly string[]> {
    const { Shards } = (await this.call('ListShards', { StreamName: streamName })) as { Shards: { ShardId: string }[] };
    return Shards.map((shard) => shard.ShardId);
  }

  async iterator(streamName: string, shardId: string, position: Position): Promise<string> {
    const input = { StreamName: streamName, ShardId: shardId, ...position };
    const { ShardIterator } = (await this.call('GetShardIterator', input)) as { ShardIterator: string };
    return ShardIterator;
  }
}
