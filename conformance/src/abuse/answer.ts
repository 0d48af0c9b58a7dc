/** One answer as it came. */
export interface Answer {
  readonly status: number;
  /** Names in lower case; undefined where they are not decoded (HTTP/2). */
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly body: Buffer;
}

/** What came back on one connection. */
export interface Outcome {
  readonly answers: readonly Answer[];
  readonly isClosed: boolean;
  /** Nothing more came in time, and the connection stayed open. */
  readonly isLate: boolean;
  /** What is no answer, or only a part of one. */
  readonly rest: Buffer;
}

/** The whole HTTP/1.1 answers at the beginning of `bytes`, interim ones left out. @throws Error when it is no HTTP */
export function readAnswers(bytes: Buffer): { readonly answers: Answer[]; readonly rest: Buffer } {
  const answers: Answer[] = [];
  let rest = bytes;
  for (;;) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) return { answers, rest };
    const [statusLine = '', ...lines] = rest.toString('latin1', 0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine.slice(0, 100))}`);
    const headers = Object.fromEntries(lines.map(headerOf));
    const message = rest.subarray(headEnd + 4);
    const end = status < 200 ? 0 : bodyEnd(headers, message);
    if (end === undefined) return { answers, rest };
    // What Node refuses by itself may come in chunks, of which there are none.
    const isChunked = headers['content-length'] === undefined;
    if (status >= 200) answers.push({ status, headers, body: message.subarray(0, isChunked ? 0 : end) });
    rest = message.subarray(end);
  }
}

const noChunks = '0\r\n\r\n';

/** Where the body ends; undefined when it is not all there. */
function bodyEnd(headers: Readonly<Record<string, string>>, message: Buffer): number | undefined {
  const length = headers['content-length'];
  if (length !== undefined) return message.length < Number(length) ? undefined : Number(length);
  if (headers['transfer-encoding'] === 'chunked') {
    if (message.length < noChunks.length) return undefined;
    if (message.toString('latin1', 0, noChunks.length) === noChunks) return noChunks.length;
  } else if (headers['connection'] === 'close' && message.length === 0) {
    return 0;
  }
  throw new Error('an answer whose end is not told');
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
