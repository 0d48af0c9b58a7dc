import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RequestHead } from '../request-head.ts';
import type { FastRequest } from './request.ts';

/** The head of a request on the fast path. */
export class FastHead implements RequestHead {
  readonly method = 'POST';
  readonly path = '/';
  readonly query = '';
  readonly host: string | undefined;
  readonly #request: FastRequest;
  readonly #socket: Socket;

  constructor(request: FastRequest, socket: Socket) {
    this.#request = request;
    this.#socket = socket;
    this.host = this.header('host');
  }

  header(name: string): string | undefined {
    return this.#request.header(name);
  }

  values(name: string): string[] {
    const value = this.header(name);
    return value === undefined ? [] : [value];
  }

  get isTls(): boolean {
    return (this.#socket as TLSSocket).encrypted === true;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }
}
