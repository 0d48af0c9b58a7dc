import type { Clock } from '../../kernel/clock.ts';
import type { Encoded } from '../codec/byte-writer.ts';
import type { ProtocolLimits } from '../limits.ts';
import type { BodyOutcome, BodyShares } from './body.ts';
import type { RequestHead } from './request-head.ts';
import type { StallWatch } from './stall-watch.ts';

/** Header names and values in turn. */
export type FlatHeaders = string[];

/** What exchanges share. */
export interface ExchangeContext {
  readonly limits: ProtocolLimits;
  readonly watch: StallWatch;
  readonly clock: Clock;
  /** True while the listener closes: HTTP/1.1 connections end with the answer under way. */
  readonly isClosing: () => boolean;
}

/** One request and its answer, the same for every way in. Answered exactly once. */
export interface Exchange {
  readonly head: RequestHead;
  /** The peer has left; an answer would go nowhere. */
  readonly isGone: boolean;
  /** Calls `listener` if the peer leaves before its answer has been sent, at once if it has left already. */
  onGone(listener: () => void): void;
  /** Reads the whole body when it has its share of memory; at once where it lies ready, as it nearly always does. */
  readBody(shares: BodyShares): BodyOutcome | Promise<BodyOutcome>;
  /** Drops the connection (HTTP/2: the stream) without an answer. */
  abandon(): void;
  /**
   * Answers. Ready (or resolved) when the last byte has been handed to the operating system, or the connection has died, or the peer
   * took nothing for `limits.writeStallMs` and was cut; never rejects.
   */
  answer(status: number, headers: FlatHeaders, body: Encoded): Promise<void> | undefined;
  /**
   * Answers 200 and what `next` gives, one piece after the other, each asked for when the one before has been taken; undefined ends it. A peer
   * that takes nothing for `limits.eventsStallMs` is cut. Resolves after the end.
   */
  answerEvents(headers: FlatHeaders, next: () => Promise<Encoded | undefined>): Promise<void>;
  /** Answers a request whose body, if it has one, will not be read. */
  answerUnread(status: number, headers: FlatHeaders, body: Buffer): Promise<void> | undefined;
  /** Ends the connection (HTTP/2: the stream) after the answer, so that both sides agree where they are. */
  answerAndClose(status: number, headers: FlatHeaders, body: Buffer): Promise<void>;
}
