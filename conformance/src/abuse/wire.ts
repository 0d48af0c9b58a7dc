import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readAnswers, type Outcome } from './answer.ts';
import type { Attack } from './attack.ts';
import { lastPing, readHttp2 } from './http2-frames.ts';

const answerMsMax = 25_000;
const nothing = Buffer.alloc(0);

/** One raw connection. */
export class Wire {
  readonly socket: Socket;
  received: Buffer = nothing;
  isClosed = false;
  #wake: (() => void) | undefined;

  constructor(port: number, tls?: 'http/1.1' | 'h2') {
    const options = { host: '127.0.0.1', port, noDelay: true };
    this.socket =
      tls === undefined
        ? connectTcp(options)
        : connectTls({ ...options, rejectUnauthorized: false, ALPNProtocols: [tls], servername: 'localhost' });
    this.socket.on('data', (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
      this.#wake?.();
    });
    this.socket.on('error', () => undefined); // That it closed is what counts.
    this.socket.once('close', () => {
      this.isClosed = true;
      this.#wake?.();
    });
  }

  /** Resolves when `isDone` or closed; true when neither happened in time. */
  async until(isDone: () => boolean, msMax = answerMsMax): Promise<boolean> {
    const endMs = Date.now() + msMax;
    const timer = setTimeout(() => this.#wake?.(), msMax + 1);
    try {
      while (!isDone() && !this.isClosed) {
        if (Date.now() >= endMs) return true;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives what has been received, and forgets it. */
  take(): Buffer {
    const { received } = this;
    this.received = nothing;
    return received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Makes one attack on a connection and tells what came back. */
export async function attackOn(wire: Wire, attack: Attack): Promise<Outcome> {
  wire.take();
  wire.socket.write(attack.bytes);
  if (attack.expects.startsWith('good')) await wire.until(() => readAnswers(wire.received).answers.length > 0);
  if (attack.isCut) wire.socket.end();
  switch (attack.speech) {
    case 'HTTP/1.1':
      return http1Outcome(wire, attack);
    case 'HTTP/2':
      return http2Outcome(wire, attack);
    case 'bytes': {
      const isLate = await wire.until(() => false);
      const isHttp = wire.received.toString('latin1', 0, 5) === 'HTTP/';
      return isHttp ? http1Outcome(wire, attack) : { answers: [], isClosed: wire.isClosed, isLate, rest: wire.take() };
    }
  }
}

async function http1Outcome(wire: Wire, { expects, isCut }: Attack): Promise<Outcome> {
  const isDone = (): boolean =>
    !isCut && expects !== 'refused or closed' && readAnswers(wire.received).answers.length > 0;
  const isLate = await wire.until(isDone);
  return { ...readAnswers(wire.take()), isClosed: wire.isClosed, isLate };
}

async function http2Outcome(wire: Wire, { bytes }: Attack): Promise<Outcome> {
  // Server and client settle on TLS and frames first; a first answer may be an alert or HTTP/1.1's refusal.
  let reading = readHttp2(nothing);
  const hasPing = bytes.includes(lastPing);
  const isLate = await wire.until(() => {
    if (wire.received.toString('latin1', 0, 5) === 'HTTP/') return false;
    reading = readHttp2(wire.received);
    return reading.isGoingAway || (hasPing ? reading.isPinged : reading.endedStreams.size > 0);
  });
  if (wire.received.toString('latin1', 0, 5) === 'HTTP/')
    return { ...readAnswers(wire.take()), isClosed: wire.isClosed, isLate };
  reading = readHttp2(wire.received);
  // A reset, a farewell, or everything read and nothing said, is as good as closed.
  const isClosed = wire.isClosed || reading.isGoingAway || reading.isPinged;
  return { answers: reading.answers, isClosed, isLate, rest: nothing };
}
