import { latin1Slice } from '../../codec/native-buffer.ts';

/*
 * The requests that nearly every SDK call makes: `POST /`, HTTP/1.1, each header once and of printable ASCII, the body's length given.
 * What this reader takes, Node's parser takes with the same meaning (a differential test holds the two together); what it does not take
 * is Node's to read or to refuse. So it never refuses anything, and there is no second opinion on where a request ends.
 */

/** Larger ones are for Node to read. */
export interface FastLimits {
  readonly headerBytesMax: number;
  /** Head and body together. */
  readonly requestBytesMax: number;
}

const START = Buffer.from('POST / HTTP/1.1\r\n');
const HEADERS_MAX = 64;
/** Names whose hash is kept; under `--auth` clients choose some of those that are asked for. */
const HASHES_MAX = 1000;
const HASHED_CHARS_MAX = 64;
const LENGTH = /^\d{1,9}$/;

const TAB = 0x09;
const BLANK = 0x20;
const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
/** This bit makes a letter lower-case and leaves digits and hyphens as they are. */
const LOWER = 0x20;
const isOfText = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === TAB || (byte >= BLANK && byte <= 0x7e) ? 1 : 0,
);
const isOfName = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * The headers of a request, and where its body lies. Names and values stay in the text of the head until somebody asks for one: few are
 * ever looked at. A line is found by the hash of its name.
 */
export class FastRequest {
  readonly bodyStart: number;
  /** Just past the last byte. */
  readonly end: number;
  readonly #head: string;
  /** Four for each header line, see {@link markLines}. */
  readonly #marks: readonly number[];

  private constructor(head: string, marks: readonly number[], bodyStart: number, end: number) {
    this.#head = head;
    this.#marks = marks;
    this.bodyStart = bodyStart;
    this.end = end;
  }

  /**
   * Reads the request that `bytes` begin with.
   *
   * @returns `'incomplete'` when more bytes may make it one; `'other'` when it is for Node to read
   */
  static read(bytes: Buffer, limits: FastLimits): FastRequest | 'incomplete' | 'other' {
    const known = Math.min(bytes.length, START.length);
    for (let at = 0; at < known; at++) if (bytes[at] !== START[at]) return 'other';
    const marks: number[] = [];
    const headEnd = markLines(bytes, limits.headerBytesMax, marks);
    if (typeof headEnd === 'string') return headEnd;
    const head = latin1Slice(bytes, 0, headEnd);
    const bodyBytes = bodyBytesOf(head, marks);
    const bodyStart = headEnd + 2;
    const end = bodyStart + (bodyBytes ?? 0);
    if (bodyBytes === undefined || end > limits.requestBytesMax) return 'other';
    return end > bytes.length ? 'incomplete' : new FastRequest(head, marks, bodyStart, end);
  }

  /** A header by lower-case name, without the white space around it. */
  header(name: string): string | undefined {
    return valueOf(this.#head, this.#marks, name);
  }
}

/**
 * Notes for each header line the hash of its name, where it starts, where its colon is and where it ends.
 *
 * @returns where the empty line is
 */
function markLines(bytes: Buffer, bytesMax: number, marks: number[]): number | 'incomplete' | 'other' {
  const end = Math.min(bytes.length, bytesMax) - 1;
  let at = START.length;
  while (at < end) {
    const lineStart = at;
    let hash = 0;
    while (at < end && isOfName[bytes[at] as number] === 1) hash = hashStep(hash, bytes[at++] as number);
    if (at === end) break;
    if (at === lineStart && bytes[at] === CR && bytes[at + 1] === LF) return at;
    if (at === lineStart || bytes[at] !== COLON) return 'other';
    const colon = at++;
    while (at < end && isOfText[bytes[at] as number] === 1) at++;
    if (at === end) break;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return 'other';
    marks.push(hash, lineStart, colon, at);
    at += 2;
  }
  return bytes.length < bytesMax ? 'incomplete' : 'other';
}

/** Of one more character; upper and lower case are the same. */
const hashStep = (hash: number, code: number): number => (Math.imul(hash, 31) + (code | LOWER)) | 0;

const hashes = new Map<string, number>();

/** Hash of one of the names that the server asks for. */
function hashOf(name: string): number {
  let hash = hashes.get(name);
  if (hash !== undefined) return hash;
  hash = 0;
  for (let at = 0; at < name.length; at++) hash = hashStep(hash, name.charCodeAt(at));
  // A copy: a name cut out of a head would keep all of that head.
  if (name.length <= HASHED_CHARS_MAX && hashes.size < HASHES_MAX) hashes.set(Buffer.from(name).toString(), hash);
  return hash;
}

/** Of headers that change what a message or a connection is. */
const otherwise = ['transfer-encoding', 'expect', 'upgrade', 'trailer', 'proxy-connection', 'http2-settings'].map(
  hashOf,
);

/** Length of the body; `undefined` when the head is for Node to read. */
function bodyBytesOf(head: string, marks: readonly number[]): number | undefined {
  if (marks.length > HEADERS_MAX * 4 || hasTwice(marks)) return undefined;
  for (const hash of otherwise) if (hasHash(marks, hash)) return undefined;
  if (valueOf(head, marks, 'host') === undefined) return undefined;
  if ((valueOf(head, marks, 'connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive') return undefined;
  const length = valueOf(head, marks, 'content-length') ?? '';
  return LENGTH.test(length) ? Number(length) : undefined;
}

/** Whether two names have one hash, as a name that comes twice has. */
function hasTwice(marks: readonly number[]): boolean {
  for (let line = 4; line < marks.length; line += 4) {
    for (let before = 0; before < line; before += 4) if (marks[before] === marks[line]) return true;
  }
  return false;
}

function hasHash(marks: readonly number[], hash: number): boolean {
  for (let line = 0; line < marks.length; line += 4) if (marks[line] === hash) return true;
  return false;
}

function valueOf(head: string, marks: readonly number[], name: string): string | undefined {
  const hash = hashOf(name);
  for (let line = 0; line < marks.length; line += 4) {
    if (marks[line] !== hash) continue;
    const colon = marks[line + 2] as number;
    // A stranger may have found another name of this hash.
    if (head.slice(marks[line + 1], colon).toLowerCase() !== name) return undefined;
    return head.slice(colon + 1, marks[line + 3]).trim();
  }
  return undefined;
}
