import { connect, type Socket } from 'node:net';
import { silentLogger } from '../../kernel/logger.ts';
import { systemClock } from '../../kernel/clock.ts';
import { systemRandom } from '../../kernel/random.ts';
import { kinesis } from '../../model/index.ts';
import {
  type Certificate,
  defaultLimits,
  generateCertificate,
  type Listener,
  listen,
  type ListenerOptions,
} from '../index.ts';
import type { Handler } from '../call.ts';

/** A listener on a free loopback port with these handlers of Data Streams, everything else as by default. */
export function startListener(
  operations: Record<string, Handler>,
  options: Partial<ListenerOptions> & { answerBytesMax?: (operation: string, input: unknown) => number } = {},
): Promise<Listener> {
  const { answerBytesMax, ...rest } = options;
  let certificate: Promise<Certificate> | undefined;
  return listen({
    hosts: ['127.0.0.1'],
    port: 0,
    certificate: () => (certificate ??= generateCertificate(systemClock)),
    services: [{ model: kinesis, operations, ...(answerBytesMax === undefined ? {} : { answerBytesMax }) }],
    queryServices: [],
    routes: [],
    credentials: undefined,
    corsOrigins: [],
    hostNames: [],
    limits: defaultLimits,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...rest,
  });
}

/** Headers of a request to an operation with credentials that nobody verifies. */
export function headersFor(operation: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `Kinesis_20131202.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=00',
    ...more,
  };
}

/** The bytes of an HTTP/1.1 POST. */
export function rawRequest(headers: Record<string, string>, body = ''): string {
  const lines = Object.entries({ host: 'localhost', 'content-length': String(Buffer.byteLength(body)), ...headers });
  return `POST / HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** A raw connection that keeps what it receives. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  readonly closed: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.received += text;
      this.#wake?.();
    });
    this.socket.on('error', () => undefined); // What a test looks at is what was received, and that it closed.
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    void this.closed.then(() => this.#wake?.());
  }

  /** Resolves when what was received matches; rejects when the connection ends without it. */
  async until(what: RegExp | ((received: string) => boolean)): Promise<string> {
    const isThere = typeof what === 'function' ? what : (received: string): boolean => what.test(received);
    while (!isThere(this.received)) {
      if (this.socket.destroyed) throw new Error(`closed after: ${this.received}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.received;
  }
}
