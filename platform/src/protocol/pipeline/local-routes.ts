import type { Logger } from '../../kernel/logger.ts';
import { WireError } from '../../model/index.ts';
import { CredentialCache, parseAuthorization } from '../auth/authorization.ts';
import { hasBasicCredential } from '../auth/basic-access.ts';
import type { Credentials, SignatureVerifier } from '../auth/verifier.ts';
import type { Exchange } from '../transport/exchange.ts';

/** An answer of a route of our own. */
export interface LocalAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A route of our own, such as health or metrics; it takes no body. */
export interface LocalRoute {
  readonly method: 'GET' | 'POST';
  /** Exact, under `/_millrace/`. */
  readonly path: string;
  /** Served without a credential also where signatures are verified; only bare health should be. */
  readonly open?: boolean;
  handle(): Promise<LocalAnswer> | LocalAnswer;
}

/** What serving the routes needs; `access` is `undefined` where any credentials are accepted. */
export interface LocalServerParts {
  readonly routes: readonly LocalRoute[];
  readonly access: { readonly credentials: Credentials; readonly verifier: SignatureVerifier } | undefined;
  readonly logger: Logger;
}

export const LOCAL_PREFIX = '/_millrace/';

const EMPTY = Buffer.alloc(0);

const json = (status: number, error: string): LocalAnswer => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify({ error }),
});

/** Says why a request was not let in. */
export const refusedAnswer = (reason: string): LocalAnswer => json(403, reason);

/** Serves everything under `/_millrace/`. */
export class LocalServer {
  readonly #parts: LocalServerParts;
  readonly #known = new CredentialCache();

  constructor(parts: LocalServerParts) {
    this.#parts = parts;
  }

  async serve(exchange: Exchange): Promise<void> {
    const { status, contentType, body } = await this.#answer(exchange);
    await exchange.answerUnread(status, ['Content-Type', contentType, 'Cache-Control', 'no-store'], Buffer.from(body));
  }

  async #answer(exchange: Exchange): Promise<LocalAnswer> {
    const { head } = exchange;
    const here = this.#parts.routes.filter((route) => route.path === head.path);
    const route = here.find(({ method }) => method === head.method);
    const isOpen = route?.open === true;
    if (!isOpen && !this.#hasCredential(exchange)) return refusedAnswer('A credential is needed');
    if (route === undefined) return here.length > 0 ? json(405, 'Method not allowed') : json(404, 'Not found');
    try {
      return await route.handle();
    } catch (error) {
      this.#parts.logger.error({ error, path: route.path }, 'a route failed');
      return json(500, 'Internal failure');
    }
  }

  /** A signature of any service's scope over an empty body, or `Basic` with an access key. */
  #hasCredential({ head }: Exchange): boolean {
    const { access } = this.#parts;
    if (access === undefined) return true;
    if (hasBasicCredential(head.header('authorization') ?? '', access.credentials)) return true;
    try {
      const authorization = parseAuthorization(head, this.#known);
      access.verifier.verify(head, authorization, EMPTY, authorization.service);
      return true;
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }
}
