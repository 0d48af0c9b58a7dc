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
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
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

const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
const isText = Uint8Array.from({ length: 256 }, (_, byte) => (byte === 9 || (byte >= 0x20 && byte <= 0x7e) ? 1 : 0));

/** The headers of a request, and where its body lies. */
export class FastRequest {
  readonly bodyStart: number;
  /** Just past the last byte. */
  readonly end: number;
  readonly #headers: Headers;

  private constructor(headers: Headers, bodyStart: number, end: number) {
    this.#headers = headers;
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
    const headers = new Headers(latin1Slice(bytes, 0, headEnd), marks);
    const bodyBytes = headers.bodyBytes();
    const bodyStart = headEnd + 2;
    const end = bodyStart + (bodyBytes ?? 0);
    if (bodyBytes === undefined || end > limits.requestBytesMax) return 'other';
    return end > bytes.length ? 'incomplete' : new FastRequest(headers, bodyStart, end);
  }

  /** A header by lower-case name, without the white space around it. */
  header(name: string): string | undefined {
    return this.#headers.value(name);
  }
}

/**
 * Notes for each header line where it starts, where its colon is and where it ends.
 *
 * @returns where the empty line is
 */
function markLines(bytes: Buffer, bytesMax: number, marks: number[]): number | 'incomplete' | 'other' {
  const end = Math.min(bytes.length, bytesMax);
  let lineStart = START.length;
  let colon = -1;
  for (let at = lineStart; at + 1 < end; at++) {
    const byte = bytes[at] as number;
    if (byte === COLON) {
      if (colon < 0) colon = at;
    } else if (isText[byte] === 0) {
      if (byte !== CR || bytes[at + 1] !== LF) return 'other';
      if (at === lineStart) return at;
      if (colon < 0) return 'other';
      marks.push(lineStart, colon, at);
      lineStart = at + 2;
      colon = -1;
      at++;
    }
  }
  return bytes.length < bytesMax ? 'incomplete' : 'other';
}

/** Header lines; values are cut out of the text only when they are asked for, as few of them are. */
class Headers {
  readonly #text: string;
  /** Three for each line, see {@link markLines}. */
  readonly #marks: readonly number[];
  /** Lower-case, each once. */
  readonly #names: string[] = [];

  constructor(text: string, marks: readonly number[]) {
    this.#text = text;
    this.#marks = marks;
  }

  value(name: string): string | undefined {
    const line = this.#names.indexOf(name) * 3;
    return line < 0 ? undefined : this.#text.slice((this.#marks[line + 1] as number) + 1, this.#marks[line + 2]).trim();
  }

  /** Reads the names; returns the length of the body, `undefined` when the head is for Node to read. */
  bodyBytes(): number | undefined {
    const marks = this.#marks;
    if (marks.length > HEADERS_MAX * 3) return undefined;
    for (let line = 0; line < marks.length; line += 3) {
      const name = nameOf(this.#text.slice(marks[line], marks[line + 1]));
      if (name === undefined || OTHERWISE.has(name) || this.#names.includes(name)) return undefined;
      this.#names.push(name);
    }
    if (!this.#names.includes('host')) return undefined;
    if ((this.value('connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive') return undefined;
    const length = this.value('content-length') ?? '';
    return LENGTH.test(length) ? Number(length) : undefined;
  }
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
