import type { ByteBudget, Release } from '../../kernel/byte-budget.ts';
import type { Logger } from '../../kernel/logger.ts';
import { SerializationException, UnknownOperationException } from '../../model/index.ts';
import { CredentialCache, parseAuthorization } from '../auth/authorization.ts';
import type { SignatureVerifier } from '../auth/verifier.ts';
import { type Handler, ServedCall } from '../call.ts';
import type { ByteWriter, Encoded } from '../codec/byte-writer.ts';
import { readCbor } from '../codec/cbor-reader.ts';
import { readJson } from '../codec/json-reader.ts';
import type { Exchange } from '../transport/exchange.ts';
import { contentTypes } from './answers.ts';
import { EventAnswer } from './event-answer.ts';
import type { Encoding, ServedOperation, ServiceTable } from './service-table.ts';

/** A request to an operation, its body read. */
export interface OperationRequest {
  readonly exchange: Exchange;
  readonly requestId: string;
  readonly encoding: Encoding;
  /** Let go (set to `undefined`) as soon as nothing needs the bytes any more. */
  body: Buffer | undefined;
}

/** An answer with the share that was reserved for making it. */
export interface MadeAnswer {
  readonly encoded: Encoded;
  readonly release: Release | undefined;
}

/** What running operations needs. */
export interface RunnerParts {
  readonly table: ServiceTable;
  readonly writer: ByteWriter;
  /** `undefined`: any credentials are accepted. */
  readonly verifier: SignatureVerifier | undefined;
  readonly inMaking: ByteBudget;
  readonly logger: Logger;
}

interface Admitted {
  readonly operation: ServedOperation;
  readonly handler: Handler;
  readonly input: never;
  readonly call: ServedCall;
}

const EMPTY: Encoded = { chunks: [], bytes: 0 };

/** From a body to an encoded answer: target, body, authentication, types, constraints, handler. Order: reference §1.5. */
export class OperationRunner {
  readonly #parts: RunnerParts;
  readonly #credentials = new CredentialCache();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /**
   * @throws WireError   what the caller is told
   * @throws any other error of a handler: a defect or an operating error, told as InternalFailure
   */
  async run(request: OperationRequest): Promise<MadeAnswer | EventAnswer> {
    const { operation, handler, input, call } = this.#admit(request);
    if (operation.isEventStream) {
      const output: unknown = await handler.call(operation.binding.operations, input, call);
      return new EventAnswer(operation, output, this.#parts);
    }
    const bytes = operation.binding.answerBytesMax?.(operation.name, input) ?? 0;
    // What needs nothing does not queue behind those that need much.
    const release = bytes === 0 ? undefined : await this.#reserve(bytes, call);
    try {
      const output: unknown = await handler.call(operation.binding.operations, input, call);
      return { encoded: this.#encode(operation, output, request.encoding), release };
    } catch (error) {
      release?.();
      throw error;
    }
  }

  /** Everything before the handler. Lets go of a JSON body and of its parsed text, of which the input holds its own copy. */
  #admit(request: OperationRequest): Admitted {
    const { head } = request.exchange;
    const body = request.body as Buffer;
    const operation = this.#parts.table.find(head.header('x-amz-target') ?? '');
    if (body.length === 0)
      throw operation === undefined ? new UnknownOperationException() : new SerializationException();
    const coding = head.header('content-encoding');
    if (coding !== undefined && coding.toLowerCase() !== 'identity') {
      // Assumed: the service's own answer to compressed bodies is not known.
      throw new SerializationException(`Content-Encoding '${coding}' is not supported.`);
    }
    const value = parseBody(body, request.encoding);
    if (operation === undefined) throw new UnknownOperationException();
    const authorization = parseAuthorization(head, this.#credentials);
    const { accessKeyId, region } = authorization;
    const account =
      this.#parts.verifier?.verify(head, authorization, body, operation.service.name) ??
      authorization.unverifiedAccount;
    const { handler } = operation;
    if (handler === undefined) {
      throw new UnknownOperationException(`The operation ${operation.name} is not implemented yet.`);
    }
    if (operation.isEventStream && request.encoding === 'cbor') {
      throw new SerializationException(`${operation.name} is answered in JSON: send ${contentTypes.json}.`);
    }
    const input = operation.read(value, request.encoding);
    const { exchange, requestId } = request;
    if (request.encoding === 'json') request.body = undefined;
    const call = new ServedCall({
      service: operation.service.name,
      operation: operation.name,
      account,
      region,
      accessKeyId,
      requestId,
      head,
      onGone: (listener) => exchange.onGone(listener),
    });
    return { operation, handler, input, call };
  }

  async #reserve(bytes: number, call: ServedCall): Promise<Release> {
    return this.#parts.inMaking.tryTake(bytes) ?? (await this.#parts.inMaking.take(bytes, call.signal));
  }

  #encode(operation: ServedOperation, output: unknown, encoding: Encoding): Encoded {
    const write = operation.writer(encoding);
    if (write === undefined || output === undefined) return EMPTY;
    const out = this.#parts.writer;
    out.reset();
    write(out, output);
    return out.finish();
  }
}

function parseBody(body: Buffer, encoding: Encoding): unknown {
  const value = decode(body, encoding);
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Date ||
    Buffer.isBuffer(value)
  ) {
    throw new SerializationException();
  }
  return value;
}

function decode(body: Buffer, encoding: Encoding): unknown {
  try {
    return encoding === 'json' ? readJson(body) : readCbor(body);
  } catch (error) {
    // Whatever the parsers say of bytes of a stranger is the stranger's mistake, a stack exhausted by nesting included.
    throw new SerializationException('', { cause: error });
  }
}
