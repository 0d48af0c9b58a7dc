import type { Clock } from '../kernel/clock.ts';
import { ExpiredIteratorException, InvalidArgumentException } from '../model/index.ts';
import { sizes } from './limits.ts';
import type { TokenSealer } from './sealed-token.ts';
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

/** Iterators remembered, in each of two generations. */
const REMEMBERED_MAX = 4096;

/**
 * Gives and takes shard iterators. What was given lately is remembered, so that a reader that polls hands back what need not be opened;
 * any other, as after a restart, is opened by its seal.
 */
export class ShardIterators {
  readonly #tokens: TokenSealer;
  readonly #clock: Clock;
  #recent = new Map<string, ShardIterator>();
  #older = this.#recent;

  constructor(tokens: TokenSealer, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  seal(stream: Stream, shard: number, offset: number): string {
    const { account, region, name: streamName, incarnation } = stream.record;
    const issuedMs = this.#clock.now();
    const content = `${incarnation} ${shard} ${offset} ${issuedMs} ${account} ${region} ${streamName}`;
    const text = this.#tokens.seal('shard-iterator', content);
    if (this.#recent.size >= REMEMBERED_MAX) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(text, { account, region, streamName, incarnation, shard, offset, issuedMs });
    return text;
  }

  /** @throws InvalidArgumentException, ExpiredIteratorException */
  open(text: string): ShardIterator {
    const iterator = this.#recent.get(text) ?? this.#older.get(text) ?? this.#unseal(text);
    const nowMs = this.#clock.now();
    if (nowMs - iterator.issuedMs > sizes.iteratorLifeMs) {
      throw new ExpiredIteratorException(
        `Iterator expired. The iterator was created at time ${javaDate(iterator.issuedMs)} while right now it is ${javaDate(nowMs)} ` +
          `which is further in the future than the tolerated delay of ${sizes.iteratorLifeMs} milliseconds.`,
      );
    }
    return iterator;
  }

  #unseal(text: string): ShardIterator {
    const content = this.#tokens.open('shard-iterator', text);
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
    return {
      account,
      region,
      streamName,
      incarnation: Number(incarnation),
      shard: Number(shard),
      offset: Number(offset),
      issuedMs: Number(issuedMs),
    };
  }
}

/** As Java's `Date.toString` writes it: `Thu Jan 22 01:22:02 UTC 2015`. */
function javaDate(timeMs: number): string {
  const [day, date, month, year, time] = new Date(timeMs).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${date} ${time} UTC ${year}`;
}
