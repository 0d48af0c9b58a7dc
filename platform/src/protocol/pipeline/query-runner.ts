import type { Logger } from '../../kernel/logger.ts';
import { InvalidSignatureException, UnrecognizedClientException, WireError } from '../../model/index.ts';
import { type Authorization, CredentialCache, parseAuthorization } from '../auth/authorization.ts';
import type { SignatureVerifier } from '../auth/verifier.ts';
import { type QueryBinding, type QueryHandler, ServedCall } from '../call.ts';
import { writeXml } from '../codec/xml-writer.ts';
import type { Exchange } from '../transport/exchange.ts';
import { hideDefect } from './hide-defect.ts';

/** The content type that forms come in. */
export const formType = 'application/x-www-form-urlencoded';
/** The content type of answers. */
export const xmlType = 'text/xml';

/** A form, read whole. */
export interface QueryRequest {
  readonly exchange: Exchange;
  readonly requestId: string;
  readonly body: Buffer;
}

/** XML. */
export interface QueryAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** What running actions needs. */
export interface QueryParts {
  readonly services: readonly QueryBinding[];
  /** `undefined`: any credentials are accepted. */
  readonly verifier: SignatureVerifier | undefined;
  readonly logger: Logger;
}

interface Served {
  readonly binding: QueryBinding;
  readonly operations: ReadonlyMap<string, QueryHandler>;
}

/** Parsed, a form of many short names takes some thirty times its bytes. */
const FORM_BYTES_MAX = 64 * 1024;
/** Of what an answer repeats. */
const REPEATED_CHARACTERS_MAX = 128;

/** Serves the query protocol: the credential scope names the service, the form its action, the answer is XML. */
export class QueryRunner {
  readonly #parts: QueryParts;
  readonly #services: ReadonlyMap<string, Served>;
  readonly #credentials = new CredentialCache();

  constructor(parts: QueryParts) {
    this.#parts = parts;
    this.#services = new Map(
      parts.services.map((binding) => [
        binding.service,
        { binding, operations: new Map(Object.entries(binding.operations)) },
      ]),
    );
  }

  /** `undefined`: the form is for none of the services. */
  async run(request: QueryRequest): Promise<QueryAnswer | undefined> {
    const authorization = this.#authorizationOf(request);
    const served = this.#services.get(authorization?.service ?? '');
    if (authorization === undefined || served === undefined) return undefined;
    const { requestId } = request;
    const { namespace } = served.binding;
    try {
      const { action, result } = await this.#act(request, authorization, served);
      const content = { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } };
      return { status: 200, body: Buffer.from(writeXml(`${action}Response`, content, namespace)) };
    } catch (thrown) {
      return queryError(this.#told(thrown, { requestId, service: served.binding.service }), requestId, namespace);
    }
  }

  /** `undefined` where it is not well said who signs and for which service. */
  #authorizationOf({ exchange }: QueryRequest): Authorization | undefined {
    try {
      return parseAuthorization(exchange.head, this.#credentials);
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  async #act(request: QueryRequest, authorization: Authorization, { binding, operations }: Served) {
    const { exchange, requestId, body } = request;
    if (body.length > FORM_BYTES_MAX) {
      throw refused('ValidationError', `The form is longer than ${FORM_BYTES_MAX} bytes.`);
    }
    const form = new URLSearchParams(body.toString());
    const action = form.get('Action') ?? '';
    const version = form.get('Version') ?? '';
    const handler = version === binding.version ? operations.get(action) : undefined;
    if (handler === undefined) {
      const asked = [action, version].map((text) => text.slice(0, REPEATED_CHARACTERS_MAX));
      throw refused('InvalidAction', `Could not find operation ${asked.join(' for version ')}`);
    }
    const account =
      this.#parts.verifier?.verify(exchange.head, authorization, body, binding.service) ??
      authorization.unverifiedAccount;
    const call = new ServedCall({
      service: binding.service,
      operation: action,
      account,
      region: authorization.region,
      accessKeyId: authorization.accessKeyId,
      requestId,
      head: exchange.head,
      onGone: (listener) => exchange.onGone(listener),
    });
    return { action, result: await handler.call(binding.operations, form, call) };
  }

  /** In the words of this protocol, which has names of its own for a signer it does not know and a signature that is wrong. */
  #told(thrown: unknown, { requestId, service }: { requestId: string; service: string }): WireError {
    if (thrown instanceof UnrecognizedClientException) {
      return refused('InvalidClientTokenId', thrown.message, 403);
    }
    if (thrown instanceof InvalidSignatureException) return refused('SignatureDoesNotMatch', thrown.message, 403);
    return thrown instanceof WireError ? thrown : hideDefect(thrown, this.#parts.logger, { requestId, service });
  }
}

/** @param namespace   left out where the service is not known yet */
export function queryError(
  { status, fault, code, message }: WireError,
  requestId: string,
  namespace?: string,
): QueryAnswer {
  const error = { Type: fault === 'client' ? 'Sender' : 'Receiver', Code: code, Message: message };
  return { status, body: Buffer.from(writeXml('ErrorResponse', { Error: error, RequestId: requestId }, namespace)) };
}

function refused(code: string, message: string, status = 400): WireError {
  return new WireError(message, { code, status, fault: 'client' });
}
