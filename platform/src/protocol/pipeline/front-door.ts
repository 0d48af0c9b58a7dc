import { ByteBudget } from '../../kernel/byte-budget.ts';
import type { Logger } from '../../kernel/logger.ts';
import { ServiceUnavailable, WireError } from '../../model/index.ts';
import type { ByteWriter, Encoded } from '../codec/byte-writer.ts';
import { readJson } from '../codec/json-reader.ts';
import type { BodyOutcome, BodyShares, ReadBody } from '../transport/body.ts';
import type { Exchange, FlatHeaders } from '../transport/exchange.ts';
import type { OriginRule } from '../transport/origin-rule.ts';
import type { RequestIds } from '../transport/request-ids.ts';
import { accessDeniedXml, contentTypes, deprecatedJson, encodeError, unknownOperationXml } from './answers.ts';
import { addCorsHeaders, isPreflight } from './cors.ts';
import { EventAnswer, eventStreamType } from './event-answer.ts';
import { hideDefect } from './hide-defect.ts';
import { LOCAL_PREFIX, type LocalServer, refusedAnswer } from './local-routes.ts';
import type { MadeAnswer, OperationRequest, OperationRunner } from './operation-runner.ts';
import { formType, queryError, type QueryRunner, xmlType } from './query-runner.ts';
import type { Encoding } from './service-table.ts';

/** What the front door leads to. */
export interface FrontDoorParts {
  readonly runner: OperationRunner;
  readonly query: QueryRunner;
  readonly local: LocalServer;
  readonly originRule: OriginRule;
  readonly ids: RequestIds;
  readonly shares: BodyShares;
  readonly writer: ByteWriter;
  readonly logger: Logger;
}

const EMPTY = Buffer.alloc(0);

/**
 * Serves every request of every connection, in the order of the reference, §1.5: origin rule, body size, request id, CORS, method, content
 * type and body, target, authentication, types, constraints, handler.
 */
export class FrontDoor {
  readonly #parts: FrontDoorParts;
  readonly #inSending: ByteBudget;
  readonly #streams = new Set<EventAnswer>();
  #callCount = 0;

  constructor(parts: FrontDoorParts) {
    this.#parts = parts;
    this.#inSending = new ByteBudget(parts.shares.limits.answersInSendingBytesMax);
  }

  /** Calls being served now. */
  get callCount(): number {
    return this.#callCount;
  }

  /** Ends all answers that are streams of events, as if their time were over. */
  endStreams(): void {
    for (const events of this.#streams) events.stop();
  }

  /** Serves one request to its end; never rejects. */
  async serve(exchange: Exchange): Promise<void> {
    this.#callCount++;
    try {
      await this.#route(exchange);
    } catch (error) {
      this.#parts.logger.error({ error }, 'a request could not be answered');
      exchange.abandon();
    } finally {
      this.#callCount--;
    }
  }

  #route(exchange: Exchange): Promise<void> | undefined {
    const { head } = exchange;
    const refusal = this.#parts.originRule.refusal(head);
    if (refusal !== undefined) {
      const { contentType, body } = refusedAnswer(refusal);
      return exchange.answerUnread(403, ['Content-Type', contentType], Buffer.from(body));
    }
    return head.path.startsWith(LOCAL_PREFIX) ? this.#parts.local.serve(exchange) : this.#serveApi(exchange);
  }

  #serveApi(exchange: Exchange): Promise<void> | undefined {
    const { head } = exchange;
    const { ids, shares } = this.#parts;
    const { requestId, extendedId } = ids.next();
    const headers: FlatHeaders = ['x-amzn-RequestId', requestId];
    const isQuestion = isPreflight(head);
    if (!isQuestion) headers.push('x-amz-id-2', extendedId);
    addCorsHeaders(head, headers);
    if (isQuestion) return exchange.answerUnread(200, headers, EMPTY);
    if (head.method !== 'POST') return exchange.answerUnread(403, headers, accessDeniedXml);
    if (this.#callCount > shares.limits.callsMax) return this.#answerBusy(exchange, headers, requestId);
    const outcome = exchange.readBody(shares);
    if (!(outcome instanceof Promise)) return this.#afterBody(exchange, headers, requestId, outcome);
    return outcome.then((read) => this.#afterBody(exchange, headers, requestId, read));
  }

  #afterBody(
    exchange: Exchange,
    headers: FlatHeaders,
    requestId: string,
    outcome: BodyOutcome,
  ): Promise<void> | undefined {
    switch (outcome.kind) {
      case 'gone':
        exchange.abandon();
        return undefined;
      case 'busy':
        return this.#answerBusy(exchange, headers, requestId);
      case 'too-large':
        // Before the request id in the order of checks, and with no body. Source: recorded.
        return exchange.answerAndClose(413, [], EMPTY);
      case 'body':
        return this.#serveBody(exchange, headers, requestId, outcome);
    }
  }

  #answerBusy(exchange: Exchange, headers: FlatHeaders, requestId: string): Promise<void> | undefined {
    const contentType = contentTypeOf(exchange);
    const error = new ServiceUnavailable('The server has too many requests in flight.');
    if (contentType === formType) {
      const { status, body } = queryError(error, requestId);
      headers.push('Content-Type', xmlType);
      return exchange.answerUnread(status, headers, body);
    }
    const encoding = encodingOf(contentType) ?? 'json';
    const { chunks } = this.#errorAnswer(error, encoding, headers);
    return exchange.answerUnread(error.status, headers, Buffer.concat(chunks));
  }

  async #serveBody(exchange: Exchange, headers: FlatHeaders, requestId: string, body: ReadBody): Promise<void> {
    const contentType = contentTypeOf(exchange);
    const encoding = encodingOf(contentType);
    if (encoding === undefined) {
      if (contentType === formType) return this.#serveForm(exchange, headers, requestId, body);
      const answered = this.#answerOtherType(exchange, headers, contentType, body.bytes as Buffer);
      body.release();
      return answered;
    }
    const request: OperationRequest = { exchange, requestId, encoding, body: body.bytes };
    body.bytes = undefined; // A large body must not live as long as its call.
    let made: MadeAnswer;
    let status = 200;
    try {
      const answer = await this.#parts.runner.run(request);
      if (answer instanceof EventAnswer) return this.#sendEvents(exchange, headers, answer);
      made = answer;
      if (made.encoded.bytes > 0) headers.push('Content-Type', contentTypes[encoding]);
    } catch (thrown) {
      if (exchange.isGone) return exchange.abandon();
      const target = exchange.head.header('x-amz-target');
      const error =
        thrown instanceof WireError ? thrown : hideDefect(thrown, this.#parts.logger, { requestId, target });
      status = error.status;
      made = { encoded: this.#errorAnswer(error, encoding, headers), release: undefined };
    } finally {
      request.body = undefined;
      body.release();
    }
    // Not `return`: that costs two more turns of the microtask queue, and a small answer is on its way already.
    const sending = this.#send(exchange, status, headers, made);
    if (sending !== undefined) await sending;
  }

  async #serveForm(exchange: Exchange, headers: FlatHeaders, requestId: string, form: ReadBody): Promise<void> {
    const request = { exchange, requestId, body: form.bytes as Buffer };
    const answer = await this.#parts.query.run(request).finally(() => form.release());
    if (answer === undefined) return this.#answerOtherType(exchange, headers, formType, EMPTY);
    const { status, body } = answer;
    headers.push('Content-Type', xmlType);
    return this.#send(exchange, status, headers, {
      encoded: { chunks: [body], bytes: body.length },
      release: undefined,
    });
  }

  /** A small answer goes out at once; a large one waits for its share of what may be on its way, still holding the share of its making. */
  #send(exchange: Exchange, status: number, headers: FlatHeaders, made: MadeAnswer): Promise<void> | undefined {
    if (made.encoded.bytes > this.#parts.shares.limits.smallAnswerBytesMax) {
      return this.#sendLarge(exchange, status, headers, made);
    }
    made.release?.();
    return exchange.answer(status, headers, made.encoded);
  }

  async #sendLarge(
    exchange: Exchange,
    status: number,
    headers: FlatHeaders,
    { encoded, release }: MadeAnswer,
  ): Promise<void> {
    // No signal: the answers before this one are sent or cut within `writeStallMs`, and then it is noticed that the peer has left.
    const sent = await this.#inSending.take(encoded.bytes);
    release?.();
    try {
      await exchange.answer(status, headers, encoded);
    } finally {
      sent();
    }
  }

  /** Each event goes out when the one before has been taken: one that reads slowly has one of them in memory, and holds up nobody. */
  async #sendEvents(exchange: Exchange, headers: FlatHeaders, events: EventAnswer): Promise<void> {
    headers.push('Content-Type', eventStreamType);
    this.#streams.add(events);
    exchange.onGone(() => events.stop());
    try {
      await exchange.answerEvents(headers, () => events.next());
    } finally {
      events.stop();
      this.#streams.delete(events);
    }
  }

  #errorAnswer(error: WireError, encoding: Encoding, headers: FlatHeaders): Encoded {
    headers.push('x-amzn-ErrorType', error.code, 'Content-Type', contentTypes[encoding]);
    return encodeError(this.#parts.writer, error, encoding);
  }

  #answerOtherType(
    exchange: Exchange,
    headers: FlatHeaders,
    contentType: string,
    bytes: Buffer,
  ): Promise<void> | undefined {
    if (contentType === 'application/json') {
      headers.push('Content-Type', contentType);
      return isJsonObject(bytes)
        ? exchange.answerUnread(404, headers, deprecatedJson('UnknownOperationException'))
        : exchange.answerUnread(400, headers, deprecatedJson('SerializationException'));
    }
    const hasTarget = /^[^.]+\.[^.]+/.test(exchange.head.header('x-amz-target') ?? '');
    return hasTarget
      ? exchange.answerUnread(404, headers, unknownOperationXml)
      : exchange.answerUnread(403, headers, accessDeniedXml);
  }
}

function contentTypeOf(exchange: Exchange): string {
  const header = exchange.head.header('content-type') ?? '';
  if (header === contentTypes.json) return header;
  const semicolon = header.indexOf(';');
  return (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase();
}

function encodingOf(contentType: string): Encoding | undefined {
  if (contentType === contentTypes.json) return 'json';
  return contentType === contentTypes.cbor ? 'cbor' : undefined;
}

function isJsonObject(bytes: Buffer): boolean {
  try {
    const value = readJson(bytes);
    return typeof value === 'object' && value !== null;
  } catch {
    return false; // Any body may come here; what is not JSON is simply not an object.
  }
}
