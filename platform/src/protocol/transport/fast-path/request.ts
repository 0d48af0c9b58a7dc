import { latin1Slice } from '../../codec/native-buffer.ts';

/*
 * The requests that nearly every SDK call makes: `POST /`, HTTP/1.1, each header once and of printable ASCII, the body's length given.
 * What this reader takes, Node's parser takes with the same meaning (a differential test holds the two together); what it does not take
 * is Node's to read or to refuse. So it never refuses anything, and there is no second opinion on where a request ends.
 */

/** A request as it stands in `bytes`: the head, then the body from `bodyStart` to `end`. */
export interface FastRequest {
  /** Lower-case, each once. */
  readonly names: readonly string[];
  /** By the index of their names; without the white space around them. */
  readonly values: readonly string[];
  readonly bodyStart: number;
  readonly end: number;
}

const START = Buffer.from('POST / HTTP/1.1\r\n');
const HEAD_END = '\r\n\r\n';
const HEADERS_MAX = 64;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const UNPRINTABLE = /[^\t\x20-\x7e]/;
const LENGTH = /^\d{1,9}$/;
/** Headers that change what a message or a connection is. */
const OTHERWISE: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'proxy-connection',
  'http2-settings',
]);

/** Larger ones are for Node to read. */
export interface FastLimits {
  readonly headerBytesMax: number;
  /** Head and body together. */
  readonly requestBytesMax: number;
}

/**
 * Reads the request that `bytes` begin with.
 *
 * @returns `'incomplete'` when more bytes may make it one; `'other'` when it is for Node to read
 */
export function readFastRequest(bytes: Buffer, limits: FastLimits): FastRequest | 'incomplete' | 'other' {
  const known = Math.min(bytes.length, START.length);
  if (bytes.compare(START, 0, known, 0, known) !== 0) return 'other';
  const headEnd = known < START.length ? -1 : bytes.indexOf(HEAD_END, START.length - 2, 'latin1');
  if ((headEnd < 0 ? bytes.length : headEnd) > limits.headerBytesMax) return 'other';
  if (headEnd < 0) return 'incomplete';
  const bodyStart = headEnd + HEAD_END.length;
  const names: string[] = [];
  const values: string[] = [];
  const bodyBytes = readHeaders(latin1Slice(bytes, START.length, headEnd + 2), names, values);
  if (bodyBytes === undefined || bodyStart + bodyBytes > limits.requestBytesMax) return 'other';
  const end = bodyStart + bodyBytes;
  return bytes.length < end ? 'incomplete' : { names, values, bodyStart, end };
}

/** Fills `names` and `values`; returns the length of the body, `undefined` when the head is for Node to read. */
function readHeaders(text: string, names: string[], values: string[]): number | undefined {
  let bodyBytes: number | undefined;
  let hasHost = false;
  for (let at = 0; at < text.length;) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r\n', at);
    if (colon < 0 || colon > lineEnd || names.length === HEADERS_MAX) return undefined;
    const name = nameOf(text.slice(at, colon));
    const spelling = text.slice(colon + 1, lineEnd);
    if (name === undefined || UNPRINTABLE.test(spelling) || names.includes(name) || OTHERWISE.has(name))
      return undefined;
    const value = spelling.trim();
    if (name === 'content-length') bodyBytes = LENGTH.test(value) ? Number(value) : undefined;
    else if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined;
    else if (name === 'host') hasHost = true;
    names.push(name);
    values.push(value);
    at = lineEnd + 2;
  }
  return hasHost ? bodyBytes : undefined;
}

/** Header names seen, by their spelling: clients send the same ones all day. */
const knownNames = new Map<string, string>();
const KNOWN_NAMES_MAX = 1000;
const KNOWN_CHARS_MAX = 64;

/** In lower case; `undefined` when it is not the name of a header. */
function nameOf(spelling: string): string | undefined {
  const known = knownNames.get(spelling);
  if (known !== undefined) return known;
  const name = spelling.toLowerCase();
  if (!NAME.test(name)) return undefined;
  if (spelling.length > KNOWN_CHARS_MAX) return name;
  if (knownNames.size >= KNOWN_NAMES_MAX) knownNames.clear();
  knownNames.set(spelling, name);
  return name;
}
