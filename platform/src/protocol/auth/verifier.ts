import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { InvalidSignatureException, UnrecognizedClientException } from '../../model/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { RequestHead } from '../transport/request-head.ts';
import { basicTime, parseTime } from './amz-time.ts';
import type { Authorization } from './authorization.ts';
import { hashCanonicalRequest } from './canonical-request.ts';

/** What belongs to one access key. */
export interface Credential {
  readonly secretKey: string;
  /** 12 digits. */
  readonly account: string;
}

/** By access key id; may change while the server runs (a changed secret counts from the next request on). */
export type Credentials = Pick<ReadonlyMap<string, Credential>, 'get'>;

interface SigningKey {
  readonly secretKey: string;
  readonly key: KeyObject;
}

const SKEW_MS = 5 * 60_000;
const EXPIRES_SECONDS_MAX = 7 * 24 * 3600;
const SIGNING_KEYS_MAX = 1000;
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

/** Verifies Signature Version 4 against a table of credentials. Signing keys are derived once per key, day, region and service. */
export class SignatureVerifier {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #signingKeys = new Map<string, SigningKey>();

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /**
   * @param service   the credential scope's service must be this one
   * @returns         the account of the key that signed
   * @throws UnrecognizedClientException   the access key is not known
   * @throws InvalidSignatureException     scope, time or signature is wrong
   */
  verify(head: RequestHead, authorization: Authorization, body: Buffer, service: string): string {
    const credential = this.#credentials.get(authorization.accessKeyId);
    if (credential === undefined) throw new UnrecognizedClientException();
    checkScope(authorization, service);
    checkSignedHeaders(head, authorization);
    const date = this.#checkTime(authorization);
    const payloadHash = payloadHashOf(head, body);
    const key = this.#signingKey(authorization, credential.secretKey);
    const canonical = hashOrMismatch(head, authorization, payloadHash);
    const { scopeDate, region, terminator } = authorization;
    const text = `AWS4-HMAC-SHA256\n${date}\n${scopeDate}/${region}/${authorization.service}/${terminator}\n${canonical}`;
    const expected = createHmac('sha256', key).update(text).digest('hex');
    if (!isSame(expected, authorization.signature)) throw new InvalidSignatureException(MISMATCH);
    return credential.account;
  }

  /** Returns the time in the form it was signed in. */
  #checkTime(authorization: Authorization): string {
    const at = parseTime(authorization.date);
    if (at === undefined) {
      throw new InvalidSignatureException(
        `Date must be in ISO-8601 'basic format'. Got '${authorization.date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
      );
    }
    const date = basicTime(at);
    if (date.slice(0, 8) !== authorization.scopeDate) {
      throw new InvalidSignatureException(
        `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.scopeDate}' != '${date.slice(0, 8)}', from '${date}'.`,
      );
    }
    const now = this.#clock.now();
    if (at > now + SKEW_MS) {
      throw new InvalidSignatureException(
        `Signature not yet current: ${date} is still later than ${basicTime(now + SKEW_MS)} (${basicTime(now)} + 5 min.)`,
      );
    }
    const lifetimeMs = lifetimeMsOf(authorization);
    if (at < now - lifetimeMs) {
      const minutes = lifetimeMs / 60_000;
      throw new InvalidSignatureException(
        `Signature expired: ${date} is now earlier than ${basicTime(now - lifetimeMs)} (${basicTime(now)} - ${minutes} min.)`,
      );
    }
    return date;
  }

  #signingKey(authorization: Authorization, secretKey: string): KeyObject {
    const { accessKeyId, scopeDate, region, service } = authorization;
    const name = `${accessKeyId}/${scopeDate}/${region}/${service}`;
    const known = this.#signingKeys.get(name);
    if (known !== undefined && known.secretKey === secretKey) return known.key;
    let material: Buffer = Buffer.from(`AWS4${secretKey}`, 'utf8');
    for (const part of [scopeDate, region, service, 'aws4_request']) {
      material = createHmac('sha256', material).update(part).digest();
    }
    const key = createSecretKey(material);
    if (this.#signingKeys.size >= SIGNING_KEYS_MAX) this.#signingKeys.clear();
    this.#signingKeys.set(name, { secretKey, key });
    return key;
  }
}

function checkScope(authorization: Authorization, service: string): void {
  if (authorization.service !== service) {
    throw new InvalidSignatureException(`Credential should be scoped to correct service: '${service}'.`);
  }
  if (authorization.terminator !== 'aws4_request') {
    throw new InvalidSignatureException(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${authorization.terminator}'.`,
    );
  }
}

/** What decides the meaning of a request must be signed, or a captured request could be turned into another one. */
function checkSignedHeaders(head: RequestHead, authorization: Authorization): void {
  const signed = authorization.signedHeaders.split(';');
  // Over HTTP/2 the JavaScript SDK signs `:authority` and sends no `host`.
  if (signed.includes(':authority') && head.header('host') === undefined) signed.push('host');
  for (const name of ['host', 'x-amz-date', 'x-amz-target', 'x-amz-content-sha256', 'x-amz-security-token']) {
    if (!signed.includes(name) && (name === 'host' || head.header(name) !== undefined)) {
      throw new InvalidSignatureException(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
}

function lifetimeMsOf(authorization: Authorization): number {
  if (authorization.expires === undefined) return SKEW_MS;
  const seconds = /^\d{1,6}$/.test(authorization.expires) ? Number(authorization.expires) : 0;
  if (seconds < 1 || seconds > EXPIRES_SECONDS_MAX) {
    throw new InvalidSignatureException(`X-Amz-Expires must be between 1 and ${EXPIRES_SECONDS_MAX} seconds`);
  }
  return seconds * 1000;
}

/** The hash of what was received. `UNSIGNED-PAYLOAD` is let through only where TLS guards the body (assumed). */
function payloadHashOf(head: RequestHead, body: Buffer): string {
  const declared = head.header('x-amz-content-sha256');
  if (declared === UNSIGNED && head.isTls) return UNSIGNED;
  const actual = hash('sha256', body, 'hex');
  if (declared !== undefined && declared !== actual) {
    throw new InvalidSignatureException("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return actual;
}

function hashOrMismatch(head: RequestHead, authorization: Authorization, payloadHash: string): string {
  try {
    return hashCanonicalRequest(head, authorization, payloadHash);
  } catch (error) {
    if (error instanceof URIError) throw new InvalidSignatureException(MISMATCH, { cause: error });
    throw error;
  }
}

function isSame(expected: string, given: string): boolean {
  const a = Buffer.from(expected, 'latin1');
  const b = Buffer.from(given, 'latin1');
  return a.length === b.length && timingSafeEqual(a, b);
}
