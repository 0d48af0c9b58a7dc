import { ExpiredIteratorException, InvalidArgumentException } from '../model/index.ts';
import type { StreamsContext } from './context.ts';
import { sizes } from './limits.ts';
import type { Stream, StreamScope } from './state/stream.ts';

/** A read position that clients carry. */
export interface ShardIterator extends StreamScope {
  readonly streamName: string;
  readonly incarnation: number;
  readonly shard: number;
  /** Offset in the shard's log of the next record wanted. */
  readonly offset: number;
  readonly issuedMs: number;
}

export function sealIterator(context: StreamsContext, stream: Stream, shard: number, offset: number): string {
  const { account, region, name, incarnation } = stream.record;
  const content = `${incarnation} ${shard} ${offset} ${context.clock.now()} ${account} ${region} ${name}`;
  return context.tokens.seal('shard-iterator', content);
}

/** @throws InvalidArgumentException, ExpiredIteratorException */
export function openIterator(context: StreamsContext, text: string): ShardIterator {
  const content = context.tokens.open('shard-iterator', text);
  if (content === undefined) throw new InvalidArgumentException('Invalid ShardIterator.');
  const [incarnation, shard, offset, issuedMs, account, region, streamName] = content.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const iterator: ShardIterator = {
    account,
    region,
    streamName,
    incarnation: Number(incarnation),
    shard: Number(shard),
    offset: Number(offset),
    issuedMs: Number(issuedMs),
  };
  const nowMs = context.clock.now();
  if (nowMs - iterator.issuedMs > sizes.iteratorLifeMs) {
    throw new ExpiredIteratorException(
      `Iterator expired. The iterator was created at time ${javaDate(iterator.issuedMs)} while right now it is ${javaDate(nowMs)} ` +
        `which is further in the future than the tolerated delay of ${sizes.iteratorLifeMs} milliseconds.`,
    );
  }
  return iterator;
}

/** As Java's `Date.toString` writes it: `Thu Jan 22 01:22:02 UTC 2015`. */
function javaDate(timeMs: number): string {
  const [day, date, month, year, time] = new Date(timeMs).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${date} ${time} UTC ${year}`;
}
