import { connect, type Socket } from 'node:net';
import type { Api } from './api.ts';

export interface PushedRecord {
  readonly SequenceNumber: string;
  readonly Data: string;
}

/** One SubscribeToShard over HTTP/1.1: gives the records of each event as they come. */
export class Subscriber {
  readonly #socket: Socket;
  /** Of the answer, not yet taken. */
  #bytes: Buffer = Buffer.alloc(0);
  /** Of the event stream, not yet taken. */
  #events: Buffer = Buffer.alloc(0);
  #hasHead = false;
  readonly #onRecords: (records: readonly PushedRecord[]) => void;
  readonly #ready: Promise<void>;
  #setReady!: () => void;
  #fail!: (error: Error) => void;

  constructor(
    api: Api,
    { consumerArn, shard }: { consumerArn: string; shard: string },
    onRecords: (records: readonly PushedRecord[]) => void,
  ) {
    this.#onRecords = onRecords;
    this.#ready = new Promise((resolve, reject) => {
      this.#setReady = resolve;
      this.#fail = reject;
    });
    const input = { ConsumerARN: consumerArn, ShardId: shard, StartingPosition: { Type: 'LATEST' } };
    this.#socket = connect({ ...api.address, noDelay: true });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.write(api.signer.request('SubscribeToShard', input));
  }

  /** Resolves with the first event. @throws Error when the call is refused */
  get ready(): Promise<void> {
    return this.#ready;
  }

  stopReading(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (!this.#hasHead) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#bytes.toString('latin1', 0, end);
      if (!head.startsWith('HTTP/1.1 200')) {
        this.#fail(new Error(`SubscribeToShard: ${this.#bytes.toString('utf8', 0, 600)}`));
        return;
      }
      this.#hasHead = true;
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    this.#takeChunks();
  }

  /** Out of the chunks of HTTP. */
  #takeChunks(): void {
    for (;;) {
      const lineEnd = this.#bytes.indexOf('\r\n');
      if (lineEnd < 0) return;
      const start = lineEnd + 2;
      const length = Number.parseInt(this.#bytes.toString('latin1', 0, lineEnd), 16);
      if (this.#bytes.length < start + length + 2) return;
      const content = this.#bytes.subarray(start, start + length);
      this.#bytes = this.#bytes.subarray(start + length + 2);
      this.#events = this.#events.length === 0 ? content : Buffer.concat([this.#events, content]);
      this.#takeFrames();
    }
  }

  #takeFrames(): void {
    while (this.#events.length >= 4 && this.#events.length >= this.#events.readUInt32BE(0)) {
      const length = this.#events.readUInt32BE(0);
      const payload = this.#events.toString('utf8', 12 + this.#events.readUInt32BE(4), length - 4);
      this.#events = this.#events.subarray(length);
      const { Records } = JSON.parse(payload) as { Records?: readonly PushedRecord[] };
      if (Records === undefined) continue;
      this.#setReady();
      if (Records.length > 0) this.#onRecords(Records);
    }
  }
}
