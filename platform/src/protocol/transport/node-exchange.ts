import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Encoded } from '../codec/byte-writer.ts';
import { latin1Slice } from '../codec/native-buffer.ts';
import { type BodyOutcome, type BodyShares, declaredLength, readBody } from './body.ts';
import type { Exchange, ExchangeContext, FlatHeaders } from './exchange.ts';
import { isHttp2, NodeHead, type NodeRequest, type RequestHead } from './request-head.ts';
import type { Watched } from './stall-watch.ts';
import { writeChunks } from './write-chunks.ts';

export type NodeResponse = ServerResponse | Http2ServerResponse;

const JOINED_BYTES_MAX = 8 * 1024;

/** How long, and how many bytes, an answered request may go on sending what nobody reads, so that its sender gets to see the answer. */
const LINGER_MS = 2000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

/** A request of Node's HTTP/1.1 and HTTP/2 servers and its answer. */
export class NodeExchange implements Exchange, Watched {
  readonly head: RequestHead;
  readonly request: NodeRequest;
  progress = 0;
  stallMs: number;
  readonly totalMs: number = Number.POSITIVE_INFINITY;
  readonly #response: NodeResponse;
  readonly #context: ExchangeContext;
  readonly #isH2: boolean;
  readonly #expectsContinue: boolean;

  /** @param expectsContinue   the peer sends its body when it is told to */
  constructor(request: NodeRequest, response: NodeResponse, context: ExchangeContext, expectsContinue: boolean) {
    this.request = request;
    this.head = new NodeHead(request);
    this.#expectsContinue = expectsContinue;
    this.stallMs = context.limits.writeStallMs;
    this.#response = response;
    this.#context = context;
    this.#isH2 = isHttp2(request);
  }

  get isGone(): boolean {
    // Not the response's socket: while HTTP/1.1 requests are pipelined, a later response has none yet.
    if (!this.#isH2) return this.request.socket.destroyed;
    const { stream } = this.#response as Http2ServerResponse;
    return stream.destroyed || stream.closed;
  }

  onGone(listener: () => void): void {
    if (this.isGone) {
      listener();
      return;
    }
    this.#response.once('close', () => {
      // HTTP/2 calls an answer finished that was cut off by a reset.
      const isSent = this.#isH2 ? this.#response.writableEnded : this.#response.writableFinished;
      if (!isSent) listener();
    });
  }

  readBody(shares: BodyShares): Promise<BodyOutcome> {
    return readBody(this.request, shares, () => {
      if (this.#expectsContinue) this.#response.writeContinue();
    });
  }

  abandon(): void {
    this.cut();
  }

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

  async answerEvents(headers: FlatHeaders, next: () => Promise<Encoded | undefined>): Promise<void> {
    const { watch, limits, isClosing } = this.#context;
    const response = this.#response as ServerResponse;
    if (this.isGone) return;
    this.stallMs = limits.eventsStallMs;
    response.writeHead(200, headers);
    for (let piece = await next(); piece !== undefined && !this.isGone; piece = await next()) {
      watch.add(this);
      await writeChunks(response, piece.chunks, this);
      watch.remove(this);
    }
    if (this.isGone) return;
    response.end();
    await this.#flushed();
    // Its head has promised to keep the connection.
    if (!this.#isH2 && isClosing()) this.request.socket.end();
  }

  answerUnread(status: number, headers: FlatHeaders, body: Buffer): Promise<void> | undefined {
    const isRead = this.request.readableEnded || declaredLength(this.request) === 0;
    if (!isRead) return this.answerAndClose(status, headers, body);
    this.request.resume();
    return this.answer(status, headers, { chunks: [body], bytes: body.length });
  }

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
    await writeChunks(this.#response as ServerResponse, chunks, this);
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
