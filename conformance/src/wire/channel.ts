import { once } from 'node:events';
import type { Readable } from 'node:stream';
import * as http from 'node:http';
import * as https from 'node:https';
import * as http2 from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import type { Transport } from '../harness/target.ts';

/** A request as it goes out: nothing is added but what HTTP itself needs. */
export interface RawRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case, without HTTP/2's own. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer whose body comes as it comes. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** To be destroyed by who does not read it to its end: on HTTP/2 the stream is reset, on HTTP/1.1 the connection is gone. */
  readonly body: Readable;
  /** When the body has ended: whether the server ended it, and nothing cut it off. */
  readonly isWhole: () => boolean;
}

export type Protocol = 'HTTP/1.1' | 'HTTP/2';

/** A connection, or several, to send raw requests through. */
export interface Channel {
  readonly protocol: Protocol;
  send(request: RawRequest): Promise<RawAnswer>;
  open(request: RawRequest): Promise<OpenAnswer>;
  close(): void;
  /** Breaks off, as a process that dies. */
  drop(): void;
}

const answerMsMax = 60_000;
/** Windows of answers that fit into that of a connection. */
const windowsMax = 64;

export function openHttp1(transport: Transport): Channel {
  const client = transport.name === 'https' ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 8 });
  const close = (): void => agent.destroy();
  return whole({
    protocol: 'HTTP/1.1',
    close,
    drop: close,
    async open({ method, path, headers, body }) {
      const length = body.length > 0 || method === 'POST' ? { 'content-length': String(body.length) } : {};
      const options = {
        agent,
        method,
        headers: { ...headers, ...length },
        timeout: answerMsMax,
        ...trustOf(transport),
      };
      const request = client.request(new URL(path, transport.endpoint), options);
      request.on('timeout', () => request.destroy(new Error(`no answer within ${answerMsMax} ms`)));
      request.end(body);
      const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
      const isWhole = (): boolean => answer.complete;
      return { status: answer.statusCode as number, headers: plain(answer.headers), body: answer, isWhole };
    },
  });
}

export interface Http2Options {
  /** False: TLS without ALPN, HTTP/2 taken for granted, as the Netty client of the Java SDK does. */
  readonly isNegotiated: boolean;
  /** What the server may send of an answer before it is read; of all answers together, many times that. */
  readonly windowBytes?: number;
  /** Called with each connection that is made. */
  readonly onSession?: (session: http2.ClientHttp2Session) => void;
}

export function openHttp2(transport: Transport, options: Http2Options = { isNegotiated: true }): Channel {
  const { windowBytes } = options;
  let session: http2.ClientHttp2Session | undefined;
  // Said here, since Node leaves out the brackets of an IPv6 address.
  const authority = new URL(transport.endpoint).host;
  const sessionOf = (): http2.ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(transport.endpoint, {
        ...trustOf(transport),
        ...(options.isNegotiated ? {} : { createConnection: () => connectWithoutAlpn(transport) }),
        ...(windowBytes === undefined ? {} : { settings: { initialWindowSize: windowBytes } }),
      });
      const opened = session;
      if (windowBytes !== undefined) opened.once('connect', () => opened.setLocalWindowSize(windowBytes * windowsMax));
      options.onSession?.(opened);
      // Every request has its own error; without a listener this one would end the process.
      session.on('error', () => {});
    }
    return session;
  };
  return whole({
    protocol: 'HTTP/2',
    close: () => session?.close(),
    drop: () => session?.destroy(),
    async open({ method, path, headers, body }) {
      const endStream = body.length === 0;
      const stream = sessionOf().request(
        { ...headers, ':method': method, ':path': path, ':authority': authority },
        { endStream },
      );
      stream.setTimeout(answerMsMax, () => stream.destroy(new Error(`no answer within ${answerMsMax} ms`)));
      if (!endStream) stream.end(body);
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      const isWhole = (): boolean => (stream.rstCode ?? 0) === 0;
      return { status: Number(answer[':status']), headers: plain(answer), body: stream, isWhole };
    },
  });
}

function whole(channel: Omit<Channel, 'send'>): Channel {
  return {
    ...channel,
    async send(request) {
      const { status, headers, body } = await channel.open(request);
      return { status, headers, body: await bytesOf(body) };
    },
  };
}

function connectWithoutAlpn(transport: Transport): TLSSocket {
  const { hostname, port } = new URL(transport.endpoint);
  return connect({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port || 443), ...trustOf(transport) });
}

function trustOf(transport: Transport): { ca?: string } {
  return transport.name === 'https' ? { ca: transport.pem } : {};
}

function plain(headers: http.IncomingHttpHeaders): Record<string, string> {
  const pairs = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
  return Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]));
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
