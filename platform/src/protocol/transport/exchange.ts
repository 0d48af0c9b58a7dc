import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Clock } from '../../kernel/clock.ts';
import type { Encoded } from '../codec/byte-writer.ts';
import { latin1Slice } from '../codec/native-buffer.ts';
import type { ProtocolLimits } from '../limits.ts';
import { declaredLength } from './body.ts';
import { type AnyRequest, isHttp2, RequestHead } from './request-head.ts';
import type { StallWatch, Watched } from './stall-watch.ts';

export type AnyResponse = ServerResponse | Http2ServerResponse;

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

const JOINED_BYTES_MAX = 8 * 1024;

/** How long, and how many bytes, an answered request may go on sending what nobody reads, so that its sender gets to see the answer. */
const LINGER_MS = 2000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

/** One request and its answer, the same for HTTP/1.1 and HTTP/2. Answered exactly once. */
export class Exchange implements Watched {
  readonly head: RequestHead;
  readonly request: AnyRequest;
  progress = 0;
  readonly stallMs: number;
  readonly totalMs: number = Number.POSITIVE_INFINITY;
  readonly #response: AnyResponse;
  readonly #context: ExchangeContext;
  readonly #isH2: boolean;

  constructor(request: AnyRequest, response: AnyResponse, context: ExchangeContext) {
    this.request = request;
    this.head = new RequestHead(request);
    this.stallMs = context.limits.writeStallMs;
    this.#response = response;
    this.#context = context;
    this.#isH2 = isHttp2(request);
  }

  /** The peer has left; an answer would go nowhere. */
  get isGone(): boolean {
    // Not the response's socket: while HTTP/1.1 requests are pipelined, a later response has none yet.
    if (!this.#isH2) return this.request.socket.destroyed;
    const { stream } = this.#response as Http2ServerResponse;
    return stream.destroyed || stream.closed;
  }

  /** Calls `listener` if the peer leaves before its answer has been sent, at once if it has left already. */
  onGone(listener: () => void): void {
    if (this.isGone) {
      listener();
      return;
    }
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  sendContinue(): void {
    this.#response.writeContinue();
  }

  /** Drops the connection (HTTP/2: the stream) without an answer. */
  abandon(): void {
    this.cut();
  }

  /**
   * Answers. Resolves when the last byte has been handed to the operating system, or the connection has died, or the peer took nothing
   * for `limits.writeStallMs` and was cut; never rejects.
   */
  answer(status: number, headers: FlatHeaders, body: Encoded): Promise<void> | undefined {
    headers.push('Content-Length', String(body.bytes));
    if (!this.#isH2 && this.#context.isClosing()) headers.push('Connection', 'close');
    const response = this.#response as ServerResponse;
    if (this.isGone) return undefined;
    response.writeHead(status, headers);
    if (body.chunks.length > 1) return this.#sendChunks(body.chunks);
    const [only] = body.chunks;
    if (only === undefined || body.bytes === 0) response.end();
    // Node joins a string with the headers to one write; Latin-1 carries any bytes through unchanged.
    else if (!this.#isH2 && body.bytes <= JOINED_BYTES_MAX) response.end(latin1Slice(only, 0, only.length), 'latin1');
    else response.end(only);
    // Taken whole by the kernel, as nearly every small answer is: there is nothing left to hold or to watch.
    if (!this.#isH2 && response.socket?.writableLength === 0) return undefined;
    return this.#flushed();
  }

  /** Answers a request whose body, if it has one, will not be read. */
  answerUnread(status: number, headers: FlatHeaders, body: Buffer): Promise<void> | undefined {
    const isRead = this.request.readableEnded || declaredLength(this.request) === 0;
    if (!isRead) return this.answerAndClose(status, headers, body);
    this.request.resume();
    return this.answer(status, headers, { chunks: [body], bytes: body.length });
  }

  /** Ends the connection (HTTP/2: the stream) after the answer, so that both sides agree where they are. */
  async answerAndClose(status: number, headers: FlatHeaders, body: Buffer): Promise<void> {
    const response = this.#response as ServerResponse;
    if (this.isGone) return;
    headers.push('Content-Length', String(body.length));
    if (!this.#isH2) headers.push('Connection', 'close');
    response.writeHead(status, headers);
    if (body.length > 0) response.write(body);
    else response.flushHeaders();
    // Closing with bytes unread would reset the connection and with it the answer: read on for a while.
    if (!this.#isH2) await this.#linger();
    response.end();
    await this.#flushed();
    if (this.#isH2) (this.#response as Http2ServerResponse).stream.close();
  }

  cut(): void {
    // Both: an HTTP/1.1 answer owns its connection, an HTTP/2 one its stream.
    if (this.#isH2) (this.#response as Http2ServerResponse).stream.destroy();
    else this.request.socket.destroy();
  }

  async #sendChunks(chunks: readonly Buffer[]): Promise<void> {
    const { watch } = this.#context;
    watch.add(this);
    for (const chunk of chunks) {
      if (this.isGone) break;
      if (!(this.#response as ServerResponse).write(chunk)) await this.#drained();
      this.progress += chunk.length;
    }
    (this.#response as ServerResponse).end();
    await this.#closedOrFinished();
    watch.remove(this);
  }

  async #flushed(): Promise<void> {
    this.#context.watch.add(this);
    await this.#closedOrFinished();
    this.#context.watch.remove(this);
  }

  #closedOrFinished(): Promise<void> {
    const response = this.#response as ServerResponse;
    if (response.writableFinished || this.isGone) return Promise.resolve();
    return new Promise((resolve) => {
      response.once('finish', resolve);
      response.once('close', resolve);
    });
  }

  #drained(): Promise<void> {
    const response = this.#response as ServerResponse;
    return new Promise((resolve) => {
      const go = (): void => {
        response.off('drain', go);
        response.off('close', go);
        resolve();
      };
      response.on('drain', go);
      response.on('close', go);
    });
  }

  #linger(): Promise<void> {
    const { request } = this;
    if (request.readableEnded || request.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      let bytes = 0;
      const timer = this.#context.clock.after(LINGER_MS, () => done());
      const done = (): void => {
        timer.cancel();
        resolve();
      };
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LINGER_BYTES_MAX) done();
      });
      request.once('end', done);
      request.once('close', done);
      request.on('error', done);
      request.resume();
    });
  }
}
