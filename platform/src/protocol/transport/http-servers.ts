import http from 'node:http';
import http2, { type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Certificate } from '../certificate.ts';
import type { ProtocolLimits } from '../limits.ts';
import type { NodeResponse } from './node-exchange.ts';
import type { NodeRequest } from './request-head.ts';

/** Takes every request of every server. */
export type Serve = (request: NodeRequest, response: NodeResponse, expectsContinue: boolean) => void;

/** Takes what is not HTTP/1.1, and headers too long or too slow. */
export type OnMalformed = (error: NodeJS.ErrnoException, socket: Socket) => void;

/** Where the servers report their HTTP/2 sessions. */
export type OnSession = (session: ServerHttp2Session) => void;

/** Takes a decrypted connection and what ALPN agreed on, if anything. */
export type OnSecure = (socket: TLSSocket, speech: 'h1' | 'h2' | undefined) => void;

const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES_MAX = 64 * 1024;
const CHECK_INTERVAL_MS_MAX = 1000;

/** An HTTP/1.1 server that is handed its connections. */
export function createH1(limits: ProtocolLimits, serve: Serve, onMalformed: OnMalformed): http.Server {
  const server = http.createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: 0, // Bodies have a watch of their own, which does not count the wait for memory.
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS_MAX, limits.headerTimeoutMs),
  });
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));
  server.on('clientError', (error, socket) => onMalformed(error, socket as Socket));
  // Node starts looking after header time-outs and idle connections when a server listens; this one never does.
  server.emit('listening');
  return server;
}

/** An HTTP/2 server that is handed its connections, plain or decrypted. */
export function createH2(limits: ProtocolLimits, serve: Serve, onSession: OnSession): Http2Server {
  const server = http2.createServer(h2Options(limits));
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));
  server.on('session', (session) => {
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES); // The connection's window; settings cannot carry it.
    session.on('error', () => session.destroy()); // Its streams have the reason.
    session.setTimeout(limits.idleTimeoutMs, () => session.close());
    onSession(session);
  });
  server.on('sessionError', () => undefined); // Told to the session as well.
  return server;
}

/**
 * A TLS server that is handed its connections and hands on what it has decrypted. ALPN offers h2 and http/1.1; a client without ALPN
 * (the Java SDK's asynchronous one) shows by its first bytes which of the two it speaks.
 */
export function createTls(certificate: Certificate, limits: ProtocolLimits, onSecure: OnSecure): tls.Server {
  const server = tls.createServer({
    ...certificate,
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.headerTimeoutMs,
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy());
    onSecure(socket, socket.alpnProtocol === 'h2' ? 'h2' : socket.alpnProtocol === 'http/1.1' ? 'h1' : undefined);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function h2Options(limits: ProtocolLimits): http2.ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.streamsPerSessionMax,
      initialWindowSize: limits.streamWindowBytes,
      maxFrameSize: FRAME_BYTES_MAX,
      maxHeaderListSize: limits.headerBytesMax,
      enablePush: false,
    },
    maxSessionMemory: limits.sessionMemoryMebibytesMax,
    maxHeaderListPairs: 128,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: 1000,
    streamResetRate: 33,
  };
}

/** Answers what is not HTTP, and headers too long or too slow. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
