import type { ApplyContext } from '../../catalog/index.ts';
import type { Consumer, Stream } from './stream.ts';

/** Tells a consumer from its namesakes of before and after. */
export type ConsumerKey = Pick<Consumer, 'name' | 'createdSecond'>;

export interface RegisterConsumer {
  readonly name: string;
  readonly tags: Record<string, string>;
  readonly delayMs: number;
  readonly consumersMax: number;
  /** In state CREATING at one time. */
  readonly creatingMax: number | undefined;
}

export type ConsumerRefusal =
  | 'not-active'
  | 'consumer-exists'
  | 'consumer-absent'
  | 'too-many-consumers'
  | 'too-many-creating';

export function consumerStatus(consumer: Consumer, nowMs: number): 'CREATING' | 'ACTIVE' | 'DELETING' {
  if (consumer.deleteMs !== undefined) return 'DELETING';
  return nowMs < consumer.readyMs ? 'CREATING' : 'ACTIVE';
}

/** Those of a stream that are not gone, in the order of their registration. */
export function consumersOf({ record }: Stream, nowMs: number): readonly Consumer[] {
  const all = record.consumers ?? [];
  return all.some(({ deleteMs }) => deleteMs !== undefined)
    ? all.filter(({ deleteMs }) => deleteMs === undefined || nowMs < deleteMs)
    : all;
}

export function findConsumer(stream: Stream, key: ConsumerKey, nowMs: number): Consumer | undefined {
  return consumersOf(stream, nowMs).find((each) => isSame(each, key));
}

export function consumerArn(stream: Stream, { name, createdSecond }: ConsumerKey): string {
  return `${stream.arn}/consumer/${name}:${createdSecond}`;
}

export function registerConsumer(
  stream: Stream,
  command: RegisterConsumer,
  { timeMs }: ApplyContext,
): 'done' | ConsumerRefusal {
  const { record } = stream;
  const status = stream.status(timeMs);
  if (status === 'CREATING' || status === 'DELETING') return 'not-active';
  const others = consumersOf(stream, timeMs);
  if (others.some(({ name }) => name === command.name)) return 'consumer-exists';
  if (others.length >= command.consumersMax) return 'too-many-consumers';
  const creating = others.filter((each) => consumerStatus(each, timeMs) === 'CREATING');
  if (creating.length >= (command.creatingMax ?? Infinity)) return 'too-many-creating';
  const createdSecond = Math.max(Math.floor(timeMs / 1000), (record.consumerSecond ?? 0) + 1);
  const readyMs = command.delayMs === 0 ? 0 : timeMs + command.delayMs;
  record.consumerSecond = createdSecond;
  const { name, tags } = command;
  record.consumers = [...others, { name, createdSecond, createdMs: timeMs, readyMs, tags: { ...tags } }];
  return 'done';
}

export function deregisterConsumer(
  stream: Stream,
  command: ConsumerKey & { readonly delayMs: number },
  { timeMs }: ApplyContext,
): 'done' | ConsumerRefusal {
  const consumer = findConsumer(stream, command, timeMs);
  if (consumer === undefined || consumer.deleteMs !== undefined) return 'consumer-absent';
  const deleteMs = timeMs + command.delayMs;
  stream.record.consumers = consumersOf(stream, timeMs).flatMap((each) => {
    if (each !== consumer) return [each];
    return command.delayMs === 0 ? [] : [{ ...each, deleteMs }];
  });
  return 'done';
}

/** @param change   gives the tags from the tags there are; undefined when they would be too many */
export function changeConsumerTags(
  stream: Stream,
  key: ConsumerKey,
  change: (tags: Readonly<Record<string, string>>) => Record<string, string> | undefined,
): 'done' | 'consumer-absent' | 'too-many-tags' {
  const { record } = stream;
  const consumer = record.consumers?.find((each) => isSame(each, key));
  if (consumer === undefined) return 'consumer-absent';
  const tags = change(consumer.tags);
  if (tags === undefined) return 'too-many-tags';
  record.consumers = (record.consumers ?? []).map((each) => (each === consumer ? { ...each, tags } : each));
  return 'done';
}

function isSame(a: ConsumerKey, b: ConsumerKey): boolean {
  return a.name === b.name && a.createdSecond === b.createdSecond;
}
