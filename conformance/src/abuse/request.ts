import { credentials, region } from '../harness/target.ts';
import { contentTypes, targetPrefix, type Encoding } from '../wire/call.ts';
import type { SeededRandom } from '../durability/seeded-random.ts';
import type { Attack, Expectation, Subject } from './attack.ts';
import { dataFrames, endStream, fields, headerFrames, opening } from './http2-frames.ts';

/** The suite's own server takes any signature. */
const authorizationFor = (service: string): string =>
  `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20260101/${region}/${service}/aws4_request, ` +
  `SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`;
export const authorization: string = authorizationFor('kinesis');
/** For the query protocol, where the scope says whom a form is for. */
export const queryAuthorization: string = authorizationFor('sts');

/** A request to an operation; any part of it may be wrong. */
export interface Request {
  readonly operation: string;
  readonly encoding: Encoding;
  readonly body: Uint8Array;
  /** Instead of, or besides, those of a sound request; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly path?: string;
  readonly method?: string;
}

export interface Wish {
  readonly expects: Expectation;
  readonly types?: readonly string[];
}

/** Content-Length is not among them. */
export function headersOf({ operation, encoding, headers = {} }: Request): [string, string][] {
  const all = {
    'content-type': contentTypes[encoding],
    'x-amz-target': `${targetPrefix}.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization,
    ...headers,
  };
  return Object.entries(all).filter((each): each is [string, string] => each[1] !== undefined);
}

/** The head of an HTTP/1.1 request as given, with nothing added. */
export function head(requestLine: string, headers: readonly (readonly [string, string])[]): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${requestLine}\r\n${lines}\r\n`, 'latin1');
}

export function http1Bytes({ host }: Pick<Subject, 'host'>, request: Request): Buffer {
  const { method = 'POST', path = '/', body } = request;
  const headers: [string, string][] = [['host', host], ...headersOf(request), ['content-length', String(body.length)]];
  return Buffer.concat([head(`${method} ${path} HTTP/1.1`, headers), body]);
}

/** A connection with this one request on stream 1. */
export function http2Bytes({ host }: Pick<Subject, 'host'>, request: Request): Buffer {
  const { method = 'POST', path = '/', body } = request;
  const pseudo = [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', host],
  ] as const;
  const block = fields([...pseudo, ...headersOf(request)]);
  return Buffer.concat([
    opening(),
    headerFrames(1, block, body.length === 0 ? endStream : 0),
    ...(body.length === 0 ? [] : dataFrames(1, body)),
  ]);
}

/** What may be sent before the server has granted more than HTTP/2 begins with. */
const http2BodyBytesMax = 60_000;
/** One in so many goes over TLS, or over HTTP/2: there each has a connection of its own. */
const otherSpeech = 0.08;

/** A request whose framing is sound, over whatever speech chance chooses. */
export function framedAttack(subject: Subject, request: Request, random: SeededRandom, wish: Wish): Attack {
  const common = { ...wish, keepsConnection: true, isCut: false };
  if (request.body.length <= http2BodyBytesMax && random.chance(otherSpeech)) {
    const isTls = random.chance(0.3);
    return { ...common, speech: 'HTTP/2', isTls, bytes: http2Bytes(subject, request), keepsConnection: false };
  }
  const isTls = random.chance(otherSpeech);
  return { ...common, speech: 'HTTP/1.1', isTls, bytes: http1Bytes(subject, request) };
}

/** Bytes on a connection of their own, of which nothing more comes. */
export function cutAttack(bytes: Uint8Array, random: SeededRandom, wish: Wish): Attack {
  const isTls = random.chance(otherSpeech);
  return { ...wish, speech: 'HTTP/1.1', isTls, bytes: Buffer.from(bytes), keepsConnection: false, isCut: true };
}
