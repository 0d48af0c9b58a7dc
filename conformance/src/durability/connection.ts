import http from 'node:http';
import http2 from 'node:http2';
import { Decoder } from 'cbor-x';
import { credentials, region } from '../harness/target.ts';
import { decode, encode, requestOf, type Encoding } from '../wire/call.ts';

/** No whole answer came: the call may have happened or not. */
export class NoAnswerError extends Error {}

export interface Reply {
  readonly status: number;
  /** Of an error: its type without namespace; else undefined. */
  readonly type: string | undefined;
  readonly requestId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ConnectionOptions {
  readonly protocol?: 'HTTP/1.1' | 'HTTP/2';
  readonly encoding?: Encoding;
}

/** Times come as whole milliseconds of eight bytes, which the default makes bigints of. */
const cbor = new Decoder({ useRecords: false, mapsAsObjects: true, int64AsNumber: true } as object);

const answerMsMax = 60_000;
/** The suites' own server takes any signature; making one for each call would take the time that the load needs. */
export const anyAuthorization: string =
  `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20260101/${region}/kinesis/aws4_request, ` +
  `SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`;

interface Bytes {
  readonly status: number;
  readonly requestId: string;
  readonly body: Buffer;
}

/** One connection with one call under way at a time. */
export class Connection {
  readonly #endpoint: string;
  readonly #encoding: Encoding;
  readonly #protocol: 'HTTP/1.1' | 'HTTP/2';
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #session: http2.ClientHttp2Session | undefined;

  constructor(endpoint: string, { protocol = 'HTTP/1.1', encoding = 'cbor' }: ConnectionOptions = {}) {
    this.#endpoint = endpoint;
    this.#encoding = encoding;
    this.#protocol = protocol;
  }

  /** @throws NoAnswerError */
  call(operation: string, input: object): Promise<Reply> {
    return this.callEncoded(operation, this.encode(input));
  }

  /** A body that can be sent again and again: encoding takes longer than serving. */
  encode(input: object): Uint8Array {
    return encode(input, this.#encoding);
  }

  /** @throws NoAnswerError */
  async callEncoded(operation: string, bytes: Uint8Array): Promise<Reply> {
    const request = requestOf(operation, bytes, this.#encoding);
    const headers = { ...request.headers, authorization: anyAuthorization, 'x-amz-date': '20260101T000000Z' };
    const send =
      this.#protocol === 'HTTP/2' ? this.#sendHttp2(headers, request.body) : this.#sendHttp1(headers, request.body);
    const { status, requestId, body } = await send;
    const content = body.length === 0 ? {} : (this.#decode(body) as Record<string, unknown>);
    const type = status === 200 ? undefined : String(content['__type']).split('#').at(-1);
    return { status, type, requestId, body: content };
  }

  /** The same, of which success is expected. @throws NoAnswerError, Error */
  async mustCall(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, type, body } = await this.call(operation, input);
    if (status !== 200) throw new Error(`${operation} answered ${status} ${type}: ${String(body['message'])}`);
    return body;
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #decode(body: Buffer): unknown {
    return this.#encoding === 'cbor' ? cbor.decode(body) : decode(body, 'json');
  }

  #sendHttp1(headers: Record<string, string>, body: Uint8Array): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new NoAnswerError(error.message, { cause: error }));
      const options = {
        agent: this.#agent,
        method: 'POST',
        headers: { ...headers, 'content-length': body.length },
        timeout: answerMsMax,
      };
      const request = http.request(this.#endpoint, options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () => {
          if (!answer.complete) return fail(new Error('the answer was cut'));
          const requestId = String(answer.headers['x-amzn-requestid']);
          resolve({ status: answer.statusCode as number, requestId, body: Buffer.concat(chunks) });
        });
      });
      request.on('timeout', () => request.destroy(new Error(`no answer within ${answerMsMax} ms`)));
      request.on('error', fail);
      request.end(body);
    });
  }

  #sendHttp2(headers: Record<string, string>, body: Uint8Array): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new NoAnswerError(error.message, { cause: error }));
      if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
        this.#session = http2.connect(this.#endpoint).on('error', () => {});
      }
      const stream = this.#session.request({ ...headers, ':method': 'POST', ':path': '/' });
      const chunks: Buffer[] = [];
      let answer: http2.IncomingHttpHeaders | undefined;
      let isWhole = false;
      stream.on('response', (head) => (answer = head));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => (isWhole = stream.rstCode === http2.constants.NGHTTP2_NO_ERROR && !stream.aborted));
      stream.on('error', fail);
      stream.on('close', () => {
        if (answer === undefined || !isWhole || this.#session?.destroyed) return fail(new Error('the answer was cut'));
        const requestId = String(answer['x-amzn-requestid']);
        resolve({ status: Number(answer[':status']), requestId, body: Buffer.concat(chunks) });
      });
      stream.setTimeout(answerMsMax, () => stream.destroy(new Error(`no answer within ${answerMsMax} ms`)));
      stream.end(body);
    });
  }
}

/** A blob of an answer, in whichever encoding it came. */
export function blobOf(value: unknown): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : (value as Uint8Array);
}
