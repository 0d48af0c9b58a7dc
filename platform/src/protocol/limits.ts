/**
 * Every bound of the protocol layer, in one place. Bytes, milliseconds or counts, as the last word of each name says.
 * Nothing below waits, holds or grows without one of these.
 */
export interface ProtocolLimits {
  /** Open sockets; one more is closed at once. */
  readonly connectionsMax: number;
  /** Calls being served on all connections; one more is answered 503. */
  readonly callsMax: number;
  /** Requests one HTTP/1.1 connection may send ahead of their answers; one more and it is closed. */
  readonly pipelinedMax: number;
  /** Request line and headers together. */
  readonly headerBytesMax: number;
  /** One request body; a larger one is answered 413 with no body. */
  readonly bodyBytesMax: number;
  /** A body of at most this declared length is counted apart, so that small calls never queue behind large ones. */
  readonly smallBodyBytesMax: number;
  /** All small bodies held at one time, of those that have come whole. */
  readonly smallBodiesBytesMax: number;
  /** What has come of all small bodies, and of those of unknown length, that have not ended; beyond it, 503. */
  readonly arrivingBytesMax: number;
  /** All other bodies held at one time; a socket is not read until its body has its share. */
  readonly bodiesBytesMax: number;
  /** Of those, what is at most this long is read into buffers that are kept and used again. */
  readonly pooledBodyBytesMax: number;
  readonly pooledBodiesMax: number;
  /** Answers being made: what handlers have announced by `answerBytesMax`. */
  readonly answersInMakingBytesMax: number;
  /** Answers made and not yet taken by the peer; those of at most `smallAnswerBytesMax` are not counted. */
  readonly answersInSendingBytesMax: number;
  readonly smallAnswerBytesMax: number;
  /** From the first byte of a request to the end of its headers; also the TLS handshake. */
  readonly headerTimeoutMs: number;
  /** From the moment a body may be read to its end. */
  readonly bodyTimeoutMs: number;
  /** The same for a small body while more than half of `arrivingBytesMax` is taken. */
  readonly crowdedBodyTimeoutMs: number;
  /** Longest pause inside a body. */
  readonly bodyStallMs: number;
  /** Longest wait of a body for its share of `bodiesBytesMax`; then 503. */
  readonly bodyWaitMs: number;
  /** A connection without a call in flight, also before its first: a busy client may need long for that. */
  readonly idleTimeoutMs: number;
  /** A peer that takes nothing of its answer for this long is cut. */
  readonly writeStallMs: number;
  /** The same for a stream of events, which may be read as slowly as one likes as long as it lives. */
  readonly eventsStallMs: number;
  /** HTTP/2 streams of one connection. */
  readonly streamsPerSessionMax: number;
  /** HTTP/2 flow-control window of one stream: what a peer may send before its body is granted. */
  readonly streamWindowBytes: number;
  /** HTTP/2 session memory, in MiB (the unit Node takes). */
  readonly sessionMemoryMebibytesMax: number;
}

const MEBIBYTE = 1024 * 1024;

export const defaultLimits: ProtocolLimits = {
  connectionsMax: 10_000,
  callsMax: 10_000,
  pipelinedMax: 1000,
  headerBytesMax: 64 * 1024,
  bodyBytesMax: 16 * MEBIBYTE,
  smallBodyBytesMax: 64 * 1024,
  smallBodiesBytesMax: 64 * MEBIBYTE,
  arrivingBytesMax: 64 * MEBIBYTE,
  bodiesBytesMax: 128 * MEBIBYTE,
  pooledBodyBytesMax: MEBIBYTE,
  pooledBodiesMax: 24,
  answersInMakingBytesMax: 64 * MEBIBYTE,
  answersInSendingBytesMax: 64 * MEBIBYTE,
  smallAnswerBytesMax: 64 * 1024,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 60_000,
  crowdedBodyTimeoutMs: 2000,
  bodyStallMs: 15_000,
  bodyWaitMs: 60_000,
  idleTimeoutMs: 75_000,
  writeStallMs: 30_000,
  eventsStallMs: 330_000,
  streamsPerSessionMax: 128,
  streamWindowBytes: 64 * 1024,
  sessionMemoryMebibytesMax: 32,
};
