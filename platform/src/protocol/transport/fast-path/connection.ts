import type { Socket } from 'node:net';
import type { Watched } from '../stall-watch.ts';
import { type FastContext, FastExchange, type FastWire } from './exchange.ts';
import { type FastLimits, FastRequest } from './request.ts';

/** What connections on the fast path share. */
export interface FastPath extends FastContext {
  /** Those open now. */
  readonly connections: Set<FastConnection>;
  readonly fast: FastLimits;
  /** Answers a request; never rejects. */
  readonly serve: (exchange: FastExchange) => Promise<void>;
  /** Takes a connection over for good; what it has sent is back in it, and it is paused. */
  readonly handOver: (socket: Socket) => void;
}

/** How long the rest of a request is waited for before it is left to Node, which has bounds for slow ones. */
const INCOMPLETE_MS = 1000;

/**
 * An HTTP/1.1 connection as long as it carries nothing but common requests, one after the other: each is read from the bytes as they came
 * and answered in one write. At the first request that is anything else (another method, a large body, a body in chunks, one sent ahead
 * of its turn, one that dallies) the connection is handed over to Node's HTTP server, with all that has not been served.
 */
export class FastConnection implements FastWire, Watched {
  progress = 0;
  readonly totalMs: number = Number.POSITIVE_INFINITY;
  readonly socket: Socket;
  readonly context: FastPath;
  /** Not served yet. */
  #bytes: Buffer | undefined;
  #exchange: FastExchange | undefined;
  #unwritten = 0;
  #onFlushed: (() => void) | undefined;

  constructor(socket: Socket, context: FastPath) {
    this.socket = socket;
    this.context = context;
  }

  /** Starts reading. */
  open(): void {
    const { socket, context } = this;
    context.connections.add(this);
    context.watch.add(this);
    socket.on('close', this.#onClose);
    socket.on('data', this.#onData);
    socket.resume();
  }

  /** How long nothing may happen, in milliseconds, as things stand. */
  get stallMs(): number {
    if (this.#exchange !== undefined) return Number.POSITIVE_INFINITY; // A call takes the time it takes.
    return this.#bytes === undefined ? this.context.limits.idleTimeoutMs : INCOMPLETE_MS;
  }

  get isFlushed(): boolean {
    return this.socket.writableLength === 0;
  }

  flushed(): Promise<void> | undefined {
    return this.#unwritten === 0 ? undefined : new Promise((resolve) => (this.#onFlushed = resolve));
  }

  write(data: string | Buffer): void {
    this.#unwritten++;
    if (typeof data === 'string') this.socket.write(data, 'latin1', this.#onWritten);
    else this.socket.write(data, this.#onWritten);
  }

  /** Ends the connection if no call is under way. */
  closeIdle(): void {
    if (this.#exchange === undefined) this.socket.destroy();
  }

  cut(): void {
    if (this.#bytes === undefined) this.socket.destroy();
    else this.#handOver();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#bytes === undefined) {
      this.#bytes = chunk;
      this.progress++; // Only now: one that comes byte by byte makes no progress.
    } else this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.#exchange === undefined) this.#readRequest();
    else this.socket.pause(); // Sent ahead of its turn: for Node to read, after the answer.
  };

  readonly #onClose = (): void => {
    this.#leave();
    this.#bytes = undefined;
    this.#exchange?.leave();
  };

  readonly #onWritten = (): void => {
    if (--this.#unwritten === 0) this.#onFlushed?.();
  };

  #readRequest(): void {
    const bytes = this.#bytes as Buffer;
    const request = FastRequest.read(bytes, this.context.fast);
    if (request === 'incomplete') return;
    if (request === 'other' || request.end < bytes.length) {
      this.#handOver();
      return;
    }
    this.#bytes = undefined;
    this.#exchange = new FastExchange(request, bytes, this);
    void this.#serve(this.#exchange);
  }

  async #serve(exchange: FastExchange): Promise<void> {
    await this.context.serve(exchange);
    this.#exchange = undefined;
    this.progress++;
    if (exchange.isLast) this.socket.end();
    else if (this.#bytes !== undefined && !this.socket.destroyed) this.#handOver();
  }

  #handOver(): void {
    const { socket } = this;
    this.#leave();
    socket.pause();
    socket.unshift(this.#bytes);
    this.#bytes = undefined;
    this.context.handOver(socket);
  }

  #leave(): void {
    this.context.connections.delete(this);
    this.context.watch.remove(this);
    this.socket.off('data', this.#onData);
    this.socket.off('close', this.#onClose);
  }
}
