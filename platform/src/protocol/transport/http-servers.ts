import http from 'node:http';
import http2, { type Http2SecureServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Certificate } from '../certificate.ts';
import type { ProtocolLimits } from '../limits.ts';
import type { AnyResponse } from './exchange.ts';
import type { AnyRequest } from './request-head.ts';

/** Takes every request of every server. */
export type Serve = (request: AnyRequest, response: AnyResponse, expectsContinue: boolean) => void;

/** Where the servers report their HTTP/2 sessions. */
export type OnSession = (session: ServerHttp2Session) => void;

const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES_MAX = 64 * 1024;
const CHECK_INTERVAL_MS_MAX = 2000;

/** An HTTP/1.1 server that is handed its connections. */
export function createH1(limits: ProtocolLimits, serve: Serve): http.Server {
  const server = http.createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: 0, // Bodies have a watch of their own, which does not count the wait for memory.
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS_MAX, limits.headerTimeoutMs),
  });
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));
  server.on('clientError', refuseMalformed);
  // Node starts looking after header time-outs and idle connections when a server listens; this one never does.
  server.emit('listening');
  return server;
}

/** An HTTP/2 server (prior knowledge) that is handed its connections. */
export function createH2(limits: ProtocolLimits, serve: Serve, onSession: OnSession): Http2Server {
  const server = http2.createServer(h2Options(limits));
  prepareH2(server, limits, serve, onSession);
  return server;
}

/** A TLS server that is handed its connections; ALPN offers h2 and http/1.1. */
export function createTls(
  certificate: Certificate,
  limits: ProtocolLimits,
  serve: Serve,
  onSession: OnSession,
): Http2SecureServer {
  const server = http2.createSecureServer({
    ...h2Options(limits),
    ...certificate,
    allowHTTP1: true,
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.headerTimeoutMs,
    maxHeaderSize: limits.headerBytesMax,
  } as http2.SecureServerOptions);
  // Its HTTP/1.1 connections take their time-outs from here, not from the options.
  Object.assign(server, {
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS_MAX, limits.headerTimeoutMs),
  });
  prepareH2(server, limits, serve, onSession);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', refuseMalformed);
  server.emit('listening');
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
    unknownProtocolTimeout: limits.headerTimeoutMs,
  };
}

function prepareH2(
  server: Http2Server | Http2SecureServer,
  limits: ProtocolLimits,
  serve: Serve,
  onSession: OnSession,
): void {
  const events = server as Http2Server;
  events.on('request', (request, response) => serve(request as AnyRequest, response as AnyResponse, false));
  events.on('checkContinue', (request, response) => serve(request as AnyRequest, response as AnyResponse, true));
  events.on('session', (session) => {
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES); // The connection's window; settings cannot carry it.
    session.on('error', () => session.destroy()); // Its streams have the reason.
    session.setTimeout(limits.idleTimeoutMs, () => session.close());
    onSession(session);
  });
  events.on('sessionError', () => undefined); // Told to the session as well.
}

/** Answers what is not HTTP, and headers too long or too slow. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
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

/** Ends the HTTP/1.1 connections that are between requests. */
export function closeIdle(server: http.Server | Http2SecureServer): void {
  http.Server.prototype.closeIdleConnections.call(server as unknown as http.Server);
}
