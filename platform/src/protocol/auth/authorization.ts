import {
  IncompleteSignatureException,
  InvalidSignatureException,
  MissingAuthenticationTokenException,
} from '../../model/index.ts';
import type { RequestHead } from '../transport/request-head.ts';

/** What a request says of its signer and its signature; nothing of it is verified here. */
export interface Authorization {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  /** What the access key id stands for where signatures are not verified: 12 digits are an account, anything else is account 0. */
  readonly unverifiedAccount: string;
  /** `YYYYMMDD` of the credential scope. */
  readonly scopeDate: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  /** Lower-case header names, joined by `;`. */
  readonly signedHeaders: string;
  readonly signature: string;
  /** As sent: `X-Amz-Date`, or else the `Date` header. */
  readonly date: string;
  /** Seconds; only the query form says it. */
  readonly expires: string | undefined;
}

const QUERY_PARTS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
  'X-Amz-Date',
] as const;
const REGION = /^[a-zA-Z0-9-]{1,64}$/;
const ACCOUNT = /^\d{12}$/;
const ANY_ACCOUNT = '000000000000';

/**
 * Finds the signature of a request in its header or its query string.
 * Source: data-streams reference, §1.5, rows "no credentials" to "query parts missing".
 *
 * @throws MissingAuthenticationTokenException | InvalidSignatureException | IncompleteSignatureException
 */
export function parseAuthorization(head: RequestHead, credentials: CredentialCache): Authorization {
  const header = head.header('authorization');
  const query = head.query.includes('X-Amz-') ? new URLSearchParams(head.query) : undefined;
  const isQuery = query?.has('X-Amz-Algorithm') === true;
  if (header !== undefined && header !== '') {
    if (isQuery) {
      throw new InvalidSignatureException(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
      );
    }
    return fromHeader(header, head, credentials);
  }
  if (!isQuery) throw new MissingAuthenticationTokenException();
  return fromQuery(query, credentials);
}

function fromHeader(header: string, head: RequestHead, credentials: CredentialCache): Authorization {
  const credential = headerPart(header, 'Credential=');
  const signature = headerPart(header, 'Signature=');
  const signedHeaders = headerPart(header, 'SignedHeaders=');
  const date = head.header('x-amz-date') ?? head.header('date');
  if (!credential || !signature || !signedHeaders || !date) {
    let missing = '';
    if (!credential) missing += "Authorization header requires 'Credential' parameter. ";
    if (!signature) missing += "Authorization header requires 'Signature' parameter. ";
    if (!signedHeaders) missing += "Authorization header requires 'SignedHeaders' parameter. ";
    if (!date) missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
    throw new IncompleteSignatureException(`${missing}Authorization=${header}`);
  }
  const { accessKeyId, unverifiedAccount, scopeDate, region, service, terminator } = credentials.parse(credential);
  return {
    form: 'header',
    accessKeyId,
    unverifiedAccount,
    scopeDate,
    region,
    service,
    terminator,
    signedHeaders,
    signature,
    date,
    expires: undefined,
  };
}

/** `AWS4-HMAC-SHA256 Name=value, Name=value`, parted by commas, blanks or both. Source: recorded, reference §1.5. */
function headerPart(header: string, name: string): string | undefined {
  for (let at = header.indexOf(name); at >= 0; at = header.indexOf(name, at + 1)) {
    const before = header[at - 1];
    if (before !== ' ' && before !== ',') continue;
    const from = at + name.length;
    const comma = header.indexOf(',', from);
    const blank = header.indexOf(' ', from);
    const to = comma < 0 ? blank : blank < 0 ? comma : Math.min(comma, blank);
    return to < 0 ? header.slice(from) : header.slice(from, to);
  }
  return undefined;
}

function fromQuery(query: URLSearchParams, credentials: CredentialCache): Authorization {
  let missing = '';
  for (const part of QUERY_PARTS) {
    if (!query.get(part)) missing += `AWS query-string parameters must include '${part}'. `;
  }
  if (missing !== '') throw new IncompleteSignatureException(`${missing}Re-examine the query-string parameters.`);
  return {
    form: 'query',
    ...credentials.parse(query.get('X-Amz-Credential') as string),
    signedHeaders: query.get('X-Amz-SignedHeaders') as string,
    signature: query.get('X-Amz-Signature') as string,
    date: query.get('X-Amz-Date') as string,
    expires: query.get('X-Amz-Expires') ?? undefined,
  };
}

/** Scopes kept parsed: a client sends the same one all day. */
const SCOPES_MAX = 1000;
const CREDENTIAL_CHARS_MAX = 256;

/** Parses credentials, each that comes again once. */
export class CredentialCache {
  readonly #known = new Map<string, Scope>();

  /** @throws IncompleteSignatureException | InvalidSignatureException */
  parse(credential: string): Scope {
    const known = this.#known.get(credential);
    if (known !== undefined) return known;
    const scope = parseCredential(credential);
    if (credential.length > CREDENTIAL_CHARS_MAX) return scope;
    if (this.#known.size >= SCOPES_MAX) this.#known.clear();
    this.#known.set(credential, scope);
    return scope;
  }
}

type Scope = Pick<
  Authorization,
  'accessKeyId' | 'unverifiedAccount' | 'scopeDate' | 'region' | 'service' | 'terminator'
>;

function parseCredential(credential: string): Scope {
  const [accessKeyId, scopeDate, region, service, terminator, ...rest] = credential.split('/');
  if (!accessKeyId || !scopeDate || !region || !service || !terminator || rest.length > 0) {
    throw new IncompleteSignatureException(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  }
  // Assumed: state is kept apart by region, so what cannot be a region's name is refused also where signatures are not verified.
  if (!REGION.test(region)) throw new InvalidSignatureException('Credential should be scoped to a valid region.');
  const unverifiedAccount = ACCOUNT.test(accessKeyId) ? accessKeyId : ANY_ACCOUNT;
  return { accessKeyId, unverifiedAccount, scopeDate, region, service, terminator };
}
