import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Readable } from 'node:stream';
import { FrameReader, type EventFrame } from '../wire/event-stream.ts';
import { encode, requestOf } from '../wire/call.ts';
import { anyAuthorization, NoAnswerError } from './connection.ts';

/** The call was refused, or its stream has ended with an exception. */
export class EventError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.type = type;
  }
}

interface Answer {
  readonly status: number;
  readonly body: Readable;
}

/** Calls that are answered with streams of events, several at a time. */
export class EventConnection {
  readonly #endpoint: string;
  readonly #protocol: 'HTTP/1.1' | 'HTTP/2';
  /** Subscriptions that are open hold a socket each. */
  readonly #agent = new http.Agent({ keepAlive: true });
  #session: http2.ClientHttp2Session | undefined;

  constructor(endpoint: string, protocol: 'HTTP/1.1' | 'HTTP/2') {
    this.#endpoint = endpoint;
    this.#protocol = protocol;
  }

  /**
   * Gives the content of event after event until the server ends the stream, or who takes them has enough.
   *
   * @throws EventError, NoAnswerError when the stream breaks off
   */
  async *events(operation: string, input: object): AsyncGenerator<Readonly<Record<string, unknown>>> {
    const { status, body } = await this.#send(operation, input).catch(breakOff);
    try {
      if (status !== 200) throw errorOf(Buffer.concat(await body.toArray().catch(breakOff)));
      const reader = new FrameReader();
      let count = 0;
      for await (const chunk of chunksOf(body)) {
        for (const frame of reader.push(chunk)) {
          const content = contentOf(frame, operation, count++ === 0);
          if (content !== undefined) yield content;
        }
      }
      if (!reader.isAtBoundary) throw new NoAnswerError('the stream of events ends in the middle of a frame');
    } finally {
      body.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #send(operation: string, input: object): Promise<Answer> {
    const { headers, body } = requestOf(operation, encode(input, 'json'), 'json');
    const all = { ...headers, authorization: anyAuthorization, 'x-amz-date': '20260101T000000Z' };
    return this.#protocol === 'HTTP/2' ? this.#sendHttp2(all, body) : this.#sendHttp1(all, body);
  }

  async #sendHttp1(headers: Record<string, string>, body: Uint8Array): Promise<Answer> {
    const options = { agent: this.#agent, method: 'POST', headers: { ...headers, 'content-length': body.length } };
    const request = http.request(this.#endpoint, options);
    request.end(body);
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    request.on('error', (error) => answer.destroy(error));
    return { status: answer.statusCode as number, body: answer };
  }

  async #sendHttp2(headers: Record<string, string>, body: Uint8Array): Promise<Answer> {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = http2.connect(this.#endpoint).on('error', () => {});
    }
    const stream = this.#session.request({ ...headers, ':method': 'POST', ':path': '/' });
    stream.end(body);
    const head = await new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
      stream.on('response', resolve);
      stream.on('error', reject);
      // Without an error, too, when the connection has gone meanwhile.
      stream.on('close', () => reject(new Error('the answer was cut')));
    });
    return { status: Number(head[':status']), body: stream };
  }
}

function breakOff(error: Error): never {
  throw new NoAnswerError(error.message, { cause: error });
}

async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    breakOff(error as Error);
  }
}

/** Undefined for what begins a stream. */
function contentOf(
  { headers, payload }: EventFrame,
  operation: string,
  isFirst: boolean,
): Record<string, unknown> | undefined {
  const { ':message-type': messageType, ':event-type': eventType, ':exception-type': exceptionType } = headers;
  const content = JSON.parse(payload.toString()) as Record<string, unknown>;
  if (messageType === 'exception') throw new EventError(String(exceptionType), String(content['message']));
  const expected = isFirst ? 'initial-response' : `${operation}Event`;
  if (eventType !== expected) throw new Error(`an event ${eventType} came where ${expected} has to be`);
  return isFirst ? undefined : content;
}

function errorOf(body: Buffer): EventError {
  const { __type: type, message } = JSON.parse(body.toString()) as Record<string, string>;
  return new EventError(String(type).split('#').at(-1) as string, String(message));
}
