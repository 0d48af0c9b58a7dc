import type { ServiceModel } from '../model/index.ts';
import type { XmlContent } from './codec/xml-writer.ts';
import type { RequestHead } from './transport/request-head.ts';

/** One call as its handler sees it: who asks, where, under which id. */
export interface Call {
  /** Service model's name, e.g. `kinesis`. */
  readonly service: string;
  /** Wire spelling, e.g. `PutRecord`. */
  readonly operation: string;
  /** 12 digits: of the credentials file, or the access key id itself if it has that form, or `000000000000`. */
  readonly account: string;
  /** From the credential scope. */
  readonly region: string;
  readonly accessKeyId: string;
  /** Also in the answer's `x-amzn-RequestId`. */
  readonly requestId: string;
  /** Names the client's program, where it says; looked up when asked for. */
  readonly userAgent: string | undefined;
  /** Fires when the caller has left before its answer. Made on first use: a handler that never waits pays nothing. */
  readonly signal: AbortSignal;
}

/** Serves one operation. An output of `undefined` is answered 200 with an empty body; a WireError with itself; any other error 500. */
export type Handler = (input: never, call: Call) => unknown;

/** A service plugged into the listener. */
export interface ServiceBinding {
  readonly model: ServiceModel;
  /** By the model's method name (`putRecord`), called with this object as `this`. What is missing is answered as not implemented. */
  readonly operations: Readonly<Record<string, Handler | undefined>>;
  /** Most bytes the encoded answer can have; they are reserved before the handler runs. Without it nothing is reserved. */
  answerBytesMax?(operation: string, input: unknown): number;
}

/** Serves one action of the query protocol: a form in, the content of its result element out. Throws as a {@link Handler} does. */
export type QueryHandler = (form: URLSearchParams, call: Call) => XmlContent | Promise<XmlContent>;

/** A service of the query protocol, plugged into the listener. */
export interface QueryBinding {
  /** In the credential scope, which is how its requests are told from others'. */
  readonly service: string;
  /** The only one there is. */
  readonly version: string;
  /** Of the answers. */
  readonly namespace: string;
  /** By action. */
  readonly operations: Readonly<Record<string, QueryHandler>>;
}

/** Everything a {@link Call} is made of; `onGone` subscribes to the caller's leaving. */
export interface CallFacts extends Omit<Call, 'signal' | 'userAgent'> {
  readonly head: Pick<RequestHead, 'header'>;
  onGone(listener: () => void): void;
}

/** A call with a lazy signal. */
export class ServedCall implements Call {
  readonly service: string;
  readonly operation: string;
  readonly account: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly requestId: string;
  readonly #facts: CallFacts;
  #controller: AbortController | undefined;

  constructor(facts: CallFacts) {
    this.service = facts.service;
    this.operation = facts.operation;
    this.account = facts.account;
    this.region = facts.region;
    this.accessKeyId = facts.accessKeyId;
    this.requestId = facts.requestId;
    this.#facts = facts;
  }

  get userAgent(): string | undefined {
    return this.#facts.head.header('user-agent');
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      this.#facts.onGone(() => controller.abort());
    }
    return this.#controller.signal;
  }
}
