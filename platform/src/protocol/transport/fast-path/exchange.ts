import { STATUS_CODES } from 'node:http';
import type { Encoded } from '../../codec/byte-writer.ts';
import { latin1Slice } from '../../codec/native-buffer.ts';
import { type BodyOutcome, type BodyShares, noBody, waitForShare } from '../body.ts';
import type { Exchange, FlatHeaders } from '../exchange.ts';
import type { Watched } from '../stall-watch.ts';
import { writeChunks } from '../write-chunks.ts';
import type { FastConnection } from './connection.ts';
import { FastHead } from './head.ts';
import type { FastRequest } from './request.ts';

/** Bodies up to this length go out in one piece with their head. */
const JOINED_BYTES_MAX = 8 * 1024;

/** A request on the fast path, its body in memory, and its answer. */
export class FastExchange implements Exchange, Watched {
  readonly head: FastHead;
  progress = 0;
  readonly stallMs: number;
  readonly totalMs: number = Number.POSITIVE_INFINITY;
  /** The connection ends with this answer. */
  isLast = false;
  readonly #connection: FastConnection;
  #body: Buffer | undefined;
  #onGone: (() => void) | undefined;

  /** @param bytes   begin with the request */
  constructor(request: FastRequest, bytes: Buffer, connection: FastConnection) {
    const { socket, context } = connection;
    this.head = new FastHead(request, socket);
    this.stallMs = context.limits.writeStallMs;
    this.#connection = connection;
    this.#body = bytes.subarray(request.bodyStart, request.end);
  }

  get isGone(): boolean {
    return !this.#connection.socket.writable;
  }

  onGone(listener: () => void): void {
    if (this.isGone) listener();
    else this.#onGone = listener;
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
    const connection = this.#connection;
    this.isLast ||= connection.context.isClosing();
    const head = this.#encodeHead(status, headers, body.bytes);
    const [only] = body.chunks;
    if (only === undefined) connection.write(head);
    // One string is one write; Latin-1 carries any bytes through unchanged.
    else if (body.bytes <= JOINED_BYTES_MAX) connection.write(head + latin1Slice(only, 0, only.length));
    else {
      connection.write(head);
      if (body.chunks.length > 1) return this.#sendChunks(body.chunks);
      connection.write(only);
    }
    return connection.isFlushed ? undefined : this.#flushed();
  }

  answerUnread(status: number, headers: FlatHeaders, body: Buffer): Promise<void> | undefined {
    return this.answer(status, headers, { chunks: [body], bytes: body.length });
  }

  async answerAndClose(status: number, headers: FlatHeaders, body: Buffer): Promise<void> {
    this.isLast = true;
    await this.answerUnread(status, headers, body);
  }

  cut(): void {
    this.#connection.socket.destroy();
  }

  async #waitForShare(bytes: Buffer, shares: BodyShares): Promise<BodyOutcome> {
    const granted = await waitForShare(this.#connection.socket, shares.small, bytes.length, shares);
    return typeof granted === 'function' ? { kind: 'body', bytes, release: granted } : granted;
  }

  #encodeHead(status: number, headers: FlatHeaders, bodyBytes: number): string {
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
    for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    const { date, keepAlive } = this.#connection.context;
    return `${text}Content-Length: ${bodyBytes}\r\nDate: ${date.now()}\r\n${this.isLast ? 'Connection: close\r\n' : keepAlive}\r\n`;
  }

  async #sendChunks(chunks: readonly Buffer[]): Promise<void> {
    const { context, socket } = this.#connection;
    context.watch.add(this);
    await writeChunks(socket, chunks.slice(0, -1), this);
    if (!this.isGone) this.#connection.write(chunks.at(-1) as Buffer);
    await this.#connection.flushed();
    context.watch.remove(this);
  }

  async #flushed(): Promise<void> {
    const { watch } = this.#connection.context;
    watch.add(this);
    await this.#connection.flushed();
    watch.remove(this);
  }
}
