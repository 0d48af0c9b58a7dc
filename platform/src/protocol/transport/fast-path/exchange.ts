import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Encoded } from '../../codec/byte-writer.ts';
import { latin1Slice } from '../../codec/native-buffer.ts';
import { type BodyOutcome, type BodyShares, noBody, waitForShare } from '../body.ts';
import type { Exchange, ExchangeContext, FlatHeaders } from '../exchange.ts';
import type { HttpDate } from '../http-date.ts';
import type { Watched } from '../stall-watch.ts';
import { drained, writeChunks } from '../write-chunks.ts';
import { FastHead } from './head.ts';
import type { FastRequest } from './request.ts';

/** What exchanges of all connections share. */
export interface FastContext extends ExchangeContext {
  readonly date: HttpDate;
  /** Header lines that tell a client how long it may keep its connection. */
  readonly keepAlive: string;
}

/** The connection of an exchange. */
export interface FastWire {
  readonly socket: Socket;
  readonly context: FastContext;
  /** Text is Latin-1. */
  write(data: string | Buffer): void;
  /** What is written has been taken by the operating system. */
  readonly isFlushed: boolean;
  /** Ready when everything written has been taken by the operating system, or the connection has died. */
  flushed(): Promise<void> | undefined;
}

/** What goes to several connections is framed once. */
const chunksOf = new WeakMap<Encoded, readonly Buffer[]>();
const CRLF = Buffer.from('\r\n', 'latin1');

/** Bodies up to this length go out in one piece with their head. */
const JOINED_BYTES_MAX = 8 * 1024;

/** A request on the fast path, its body in memory, and its answer. */
export class FastExchange implements Exchange, Watched {
  readonly head: FastHead;
  progress = 0;
  stallMs: number;
  readonly totalMs: number = Number.POSITIVE_INFINITY;
  /** The connection ends with this answer. */
  isLast = false;
  readonly #wire: FastWire;
  #body: Buffer | undefined;
  #onGone: (() => void) | undefined;

  /** @param bytes   begin with the request */
  constructor(request: FastRequest, bytes: Buffer, wire: FastWire) {
    const { socket, context } = wire;
    this.head = new FastHead(request, socket);
    this.stallMs = context.limits.writeStallMs;
    this.#wire = wire;
    this.#body = bytes.subarray(request.bodyStart, request.end);
  }

  get isGone(): boolean {
    return !this.#wire.socket.writable;
  }

  onGone(listener: () => void): void {
    if (this.isGone) {
      listener();
      return;
    }
    const before = this.#onGone;
    this.#onGone = (): void => {
      before?.();
      listener();
    };
  }

  /** The connection has ended. */
  leave(): void {
    this.#onGone?.();
  }

  readBody(shares: BodyShares): BodyOutcome | Promise<BodyOutcome> {
    const bytes = this.#body as Buffer;
    this.#body = undefined;
    if (bytes.length === 0) return noBody();
    const release = shares.small.tryTake(bytes.length);
    return release === undefined ? this.#waitForShare(bytes, shares) : { kind: 'body', bytes, release };
  }

  abandon(): void {
    this.cut();
  }

  answer(status: number, headers: FlatHeaders, body: Encoded): Promise<void> | undefined {
    if (this.isGone) return undefined;
    const wire = this.#wire;
    this.isLast ||= wire.context.isClosing();
    const head = this.#encodeHead(status, headers, `Content-Length: ${body.bytes}`);
    const [only] = body.chunks;
    if (only === undefined) wire.write(head);
    // One string is one write; Latin-1 carries any bytes through unchanged.
    else if (body.bytes <= JOINED_BYTES_MAX) wire.write(head + latin1Slice(only, 0, only.length));
    else {
      wire.write(head);
      if (body.chunks.length > 1) return this.#sendChunks(body.chunks);
      wire.write(only);
    }
    return wire.isFlushed ? undefined : this.#flushed();
  }

  async answerEvents(headers: FlatHeaders, next: () => Promise<Encoded | undefined>): Promise<void> {
    if (this.isGone) return;
    const { watch, limits, isClosing } = this.#wire.context;
    this.isLast ||= isClosing();
    this.stallMs = limits.eventsStallMs;
    this.#wire.write(this.#encodeHead(200, headers, 'Transfer-Encoding: chunked'));
    for (let piece = await next(); piece !== undefined && !this.isGone; piece = await next()) {
      const chunks = chunkOf(piece);
      const [only] = chunks;
      // Taken whole by the kernel, as nearly every event is: there is nothing to wait for.
      if (chunks.length === 1 && this.#wire.socket.write(only as Buffer)) continue;
      watch.add(this);
      await (chunks.length === 1 ? drained(this.#wire.socket) : writeChunks(this.#wire.socket, chunks, this));
      watch.remove(this);
    }
    if (this.isGone) return;
    this.isLast ||= isClosing();
    this.#wire.write('0\r\n\r\n');
    if (!this.#wire.isFlushed) await this.#flushed();
  }

  answerUnread(status: number, headers: FlatHeaders, body: Buffer): Promise<void> | undefined {
    return this.answer(status, headers, { chunks: [body], bytes: body.length });
  }

  async answerAndClose(status: number, headers: FlatHeaders, body: Buffer): Promise<void> {
    this.isLast = true;
    await this.answerUnread(status, headers, body);
  }

  cut(): void {
    this.#wire.socket.destroy();
  }

  async #waitForShare(bytes: Buffer, shares: BodyShares): Promise<BodyOutcome> {
    const granted = await waitForShare(this.#wire.socket, shares.small, bytes.length, shares);
    return typeof granted === 'function' ? { kind: 'body', bytes, release: granted } : granted;
  }

  #encodeHead(status: number, headers: FlatHeaders, framing: string): string {
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
    for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    const { date, keepAlive } = this.#wire.context;
    return `${text}${framing}\r\nDate: ${date.now()}\r\n${this.isLast ? 'Connection: close\r\n' : keepAlive}\r\n`;
  }

  async #sendChunks(chunks: readonly Buffer[]): Promise<void> {
    const { context, socket } = this.#wire;
    context.watch.add(this);
    await writeChunks(socket, chunks.slice(0, -1), this);
    if (!this.isGone) this.#wire.write(chunks.at(-1) as Buffer);
    await this.#wire.flushed();
    context.watch.remove(this);
  }

  async #flushed(): Promise<void> {
    const { watch } = this.#wire.context;
    watch.add(this);
    await this.#wire.flushed();
    watch.remove(this);
  }
}

/** A piece as one chunk of HTTP/1.1. */
function chunkOf(piece: Encoded): readonly Buffer[] {
  let chunks = chunksOf.get(piece);
  if (chunks === undefined) {
    const [start = Buffer.alloc(0), ...rest] = piece.chunks;
    const length = Buffer.from(`${piece.bytes.toString(16)}\r\n`, 'latin1');
    const head = Buffer.concat(rest.length === 0 ? [length, start, CRLF] : [length, start]);
    chunks = rest.length === 0 ? [head] : [head, ...rest, CRLF];
    chunksOf.set(piece, chunks);
  }
  return chunks;
}
