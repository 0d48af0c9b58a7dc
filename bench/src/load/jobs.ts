import type { Address } from './connection.ts';

interface JobBase {
  readonly address: Address;
  /** Its CPU time and memory are told with the result. */
  readonly serverPid: number;
}

/** Puts in a closed loop for a fixed time. */
export interface PutJob extends JobBase {
  readonly kind: 'put';
  /** Undefined: the server knows no streams (a bare limit). */
  readonly shards: number | undefined;
  readonly connections: number;
  /** 1 takes PutRecord, more takes PutRecords. */
  readonly recordsPerCall: number;
  readonly recordBytes: number;
  readonly warmUpSeconds: number;
  readonly measureSeconds: number;
}

/** Puts a number of records as fast as it goes. */
export interface FillJob extends JobBase {
  readonly kind: 'fill';
  readonly streamName: string;
  /** The stream is made first, unless this is 0. */
  readonly shards: number;
  readonly records: number;
  readonly recordBytes: number;
  readonly connections: number;
  readonly secondsMax: number;
}

/** Reads a stream from end to end, one reader a shard. */
export interface ReadJob extends JobBase {
  readonly kind: 'read';
  readonly streamName: string;
  readonly secondsMax: number;
}

/** Times single GetRecords calls of 10,000 records at the head, the middle and the end of one-shard streams. */
export interface ProbeJob extends JobBase {
  readonly kind: 'probe';
  readonly streamNames: readonly string[];
  readonly rounds: number;
}

/** Puts at a fixed rate and polls every shard. */
export interface LatencyJob extends JobBase {
  readonly kind: 'latency';
  readonly shards: number;
  readonly ratePerSecond: number;
  readonly pollMs: number;
  readonly measureSeconds: number;
}

/** Puts at a fixed rate into one shard, with consumers subscribed to it. */
export interface FanOutJob extends JobBase {
  readonly kind: 'fan-out';
  /** 0: the server knows no streams (a bare limit); the answer of the put counts as the event. */
  readonly consumers: number;
  /** Besides them, those that stop reading. */
  readonly stalledConsumers: number;
  readonly ratePerSecond: number;
  readonly recordBytes: number;
  readonly warmUpSeconds: number;
  readonly measureSeconds: number;
}

/** Readers with nothing to read. */
export interface IdleJob extends JobBase {
  readonly kind: 'idle';
  /** `calls` are those of pollers, to a server that knows no streams (a bare limit). */
  readonly how: 'pollers' | 'subscriptions' | 'calls';
  readonly readers: number;
  readonly readersOfShard: number;
  readonly measureSeconds: number;
}

/** Splits, merges and scales a stream that there is. */
export interface ReshardJob extends JobBase {
  readonly kind: 'reshard';
  readonly streamName: string;
  readonly rounds: number;
}

/** Puts as fast as it goes through a client library. */
export interface ProduceJob extends JobBase {
  readonly kind: 'produce';
  /** The producer of `@millrace/client`, or the official SDK alone. */
  readonly how: 'producer' | 'sdk';
  readonly shards: number;
  readonly recordBytes: number;
  /** Partition keys, taken in turn. */
  readonly keys: number;
  readonly warmUpSeconds: number;
  readonly measureSeconds: number;
}

/** Reads stored aggregates to their end through a client library. */
export interface ConsumeJob extends JobBase {
  readonly kind: 'consume';
  /** The consumer of `@millrace/client` by either retrieval, or the official SDK and the codec alone. */
  readonly how: 'polling' | 'fan-out' | 'sdk';
  readonly shards: number;
  /** User records. */
  readonly records: number;
  readonly recordBytes: number;
  readonly keys: number;
}

/** Encodes and decodes aggregates, without the server. */
export interface CodecJob extends JobBase {
  readonly kind: 'codec';
  readonly records: number;
  readonly recordBytes: number;
  readonly keys: number;
}

export type Job =
  | PutJob
  | FillJob
  | ReadJob
  | ProbeJob
  | LatencyJob
  | FanOutJob
  | IdleJob
  | ReshardJob
  | ProduceJob
  | ConsumeJob
  | CodecJob;

/** Every figure of a result is a plain number, named with its unit. */
export type Figures = Readonly<Record<string, number>>;

/** What the load process sends back. */
export type JobAnswer = { readonly figures: Figures } | { readonly error: string };
