import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { ProtocolLimits } from '../limits.ts';

/** What a connection speaks. */
export type Speech = 'tls' | 'h2' | 'h1';

/** What to do with a connection once its first bytes have shown what it speaks; they are back in the socket, which is paused. */
export type Route = (speech: Speech, socket: Socket) => void;

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');
const TLS_HANDSHAKE = 0x16;

/**
 * Tells TLS, HTTP/2 with prior knowledge and HTTP/1.1 apart by the first bytes, however they are cut into packets: `P` alone may become
 * `PRI`, `POST` or `PUT`. A connection is idle until its first byte; then it must say enough in the time that headers have.
 */
export function sniff(socket: Socket, route: Route, { clock, limits }: { clock: Clock; limits: ProtocolLimits }): void {
  let seen: Buffer | undefined;
  let timer: Timer | undefined;
  const endAfter = (ms: number): void => {
    timer?.cancel();
    timer = clock.after(ms, () => socket.destroy());
  };
  const stop = (): void => {
    timer?.cancel();
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  };
  const onEnd = (): void => {
    stop();
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    const isFirst = seen === undefined;
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk]);
    const speech = speechOf(seen);
    if (speech === undefined) {
      if (isFirst) endAfter(limits.headerTimeoutMs);
      return;
    }
    stop();
    socket.pause();
    socket.unshift(seen);
    route(speech, socket);
  };
  endAfter(limits.idleTimeoutMs);
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
}

/** `undefined` while the bytes are a proper beginning of the HTTP/2 preface. */
function speechOf(seen: Buffer): Speech | undefined {
  if (seen[0] === TLS_HANDSHAKE) return 'tls';
  const count = Math.min(seen.length, PREFACE.length);
  if (seen.compare(PREFACE, 0, count, 0, count) !== 0) return 'h1';
  return count === PREFACE.length ? 'h2' : undefined;
}
