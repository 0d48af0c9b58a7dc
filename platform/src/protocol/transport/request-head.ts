import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';

/** What stands before a request's body, the same for every way in. */
export interface RequestHead {
  readonly method: string;
  /** As sent, up to the question mark. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  /** `Host` or `:authority`, as sent. */
  readonly host: string | undefined;
  readonly isTls: boolean;
  /** The address this connection came in on. */
  readonly localAddress: string | undefined;
  /** One header by lower-case name; several of one name are joined by `, `. */
  header(name: string): string | undefined;
  /** Each occurrence of a header, by lower-case name. */
  values(name: string): string[];
}

/** A request as Node's HTTP/1.1 and HTTP/2 servers give it; the two differ in little that matters here. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** By what the request is, not by the version it claims: an HTTP/1.1 connection may say `POST / HTTP/2.0`. */
export function isHttp2(request: NodeRequest): request is Http2ServerRequest {
  return 'stream' in request;
}

/** The head of a request of Node's servers. */
export class NodeHead implements RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly host: string | undefined;
  readonly #request: NodeRequest;

  constructor(request: NodeRequest) {
    this.#request = request;
    this.method = request.method ?? '';
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    this.host = this.header('host') ?? this.header(':authority');
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  values(name: string): string[] {
    const raw = this.#request.rawHeaders;
    const values: string[] = [];
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const key = raw[index] as string;
      if (key.length === name.length && key.toLowerCase() === name) values.push(raw[index + 1] as string);
    }
    return values;
  }

  get isTls(): boolean {
    return (this.#request.socket as TLSSocket).encrypted === true;
  }

  get localAddress(): string | undefined {
    return this.#request.socket.localAddress;
  }
}
