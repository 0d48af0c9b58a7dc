import { connect, type Socket } from 'node:net';
import { ResponseReader } from './response-reader.ts';

export interface Response {
  readonly status: number;
  /** Good until the next request on the same connection. */
  readonly body: Buffer;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Waiting {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

const readBytes = 256 * 1024;

/**
 * One keep-alive HTTP/1.1 connection. Requests are whole buffers, head and body, so that sending one costs a single
 * write; one request at a time.
 */
export class Connection {
  readonly #address: Address;
  readonly #reader = new ResponseReader();
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;

  /** Connects at the first `send`. */
  constructor(address: Address) {
    this.#address = address;
  }

  /** @throws the socket's error when nobody listens */
  static async open(address: Address): Promise<Connection> {
    const connection = new Connection(address);
    await connection.#connect();
    return connection;
  }

  /** Sends one request and waits for its answer; connects again when the server has closed in between. */
  async send(request: Uint8Array): Promise<Response> {
    if (this.#waiting !== undefined) throw new Error('one request at a time');
    if (this.#socket === undefined) await this.#connect();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#reader.reset();
      this.#socket?.write(request);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onread = {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback: (size: number, bytes: Uint8Array) => this.#take(bytes.subarray(0, size)),
      };
      const socket = connect({ ...this.#address, noDelay: true, onread });
      socket.on('connect', () => {
        this.#socket = socket;
        resolve();
      });
      socket.on('error', (error) => {
        reject(error);
        this.#fail(error);
      });
      socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    });
  }

  #take(bytes: Uint8Array): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined || !this.#reader.push(bytes)) return true;
    this.#waiting = undefined;
    waiting.resolve({ status: this.#reader.status, body: this.#reader.body() });
    return true;
  }

  #fail(error: Error): void {
    this.#socket = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
