import { setTimeout as sleep } from 'node:timers/promises';
import { EventError, type EventConnection } from '../event-connection.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { ChildShard, ShardReader } from './follower.ts';
import type { Life } from './life.ts';
import { positionAfter, readRecord, type WireRecord } from './polling.ts';

/** Short, so that subscriptions end and begin anew all the time. */
export const subscriptionFlags: readonly string[] = [
  '--subscription-life-ms',
  '1500',
  '--subscription-takeover-ms',
  '20',
];
const againMs = 10;

interface Parts {
  readonly connection: EventConnection;
  readonly consumerArn: string;
  readonly random: SeededRandom;
}

interface ShardEvent {
  readonly Records: readonly WireRecord[];
  readonly ContinuationSequenceNumber?: string;
  readonly ChildShards?: readonly ChildShard[];
}

/** Reads a shard by SubscribeToShard, again and again. @see ReadShard */
export async function subscribe(
  reader: ShardReader,
  life: Life,
  parts: Parts,
): Promise<readonly ChildShard[] | undefined> {
  const { random } = parts;
  let checkpoint = reader.after();
  while (!life.isOver) {
    try {
      const end = await readEvents(reader, checkpoint, parts);
      if ('children' in end) return end.children;
      // Either is a place to go on from.
      checkpoint = random.chance(0.5) ? end.continuation : reader.after();
    } catch (error) {
      // The one before has just begun, or has not been seen to be gone.
      if (!(error instanceof EventError && error.type === 'ResourceInUseException')) throw error;
      await sleep(againMs);
    }
  }
  return undefined;
}

type End = { readonly children: readonly ChildShard[] } | { readonly continuation: string };

/** One subscription, to its end or until its client goes away. */
async function readEvents(
  reader: ShardReader,
  after: string,
  { connection, consumerArn, random }: Parts,
): Promise<End> {
  const StartingPosition = positionAfter(after, 'Type', 'SequenceNumber');
  const input = { ConsumerARN: consumerArn, ShardId: reader.shardId, StartingPosition };
  let continuation = after;
  for await (const event of connection.events('SubscribeToShard', input)) {
    const { Records, ContinuationSequenceNumber, ChildShards } = event as unknown as ShardEvent;
    reader.take(Records.map(readRecord));
    if (ContinuationSequenceNumber === undefined) return { children: ChildShards ?? [] };
    continuation = ContinuationSequenceNumber;
    if (random.chance(0.01)) break;
  }
  return { continuation };
}
