import type http from 'node:http';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { BufferPool } from '../kernel/buffer-pool.ts';
import { ByteBudget } from '../kernel/byte-budget.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Random } from '../kernel/random.ts';
import { type Credentials, SignatureVerifier } from './auth/verifier.ts';
import type { QueryBinding, ServiceBinding } from './call.ts';
import type { Certificate } from './certificate.ts';
import { ByteWriter } from './codec/byte-writer.ts';
import type { ProtocolLimits } from './limits.ts';
import { FrontDoor } from './pipeline/front-door.ts';
import { type LocalRoute, LocalServer } from './pipeline/local-routes.ts';
import { OperationRunner } from './pipeline/operation-runner.ts';
import { QueryRunner } from './pipeline/query-runner.ts';
import { ServiceTable } from './pipeline/service-table.ts';
import { FastConnection, type FastPath } from './transport/fast-path/connection.ts';
import { HttpDate } from './transport/http-date.ts';
import { createH1, createH2, createTls, refuseMalformed } from './transport/http-servers.ts';
import { NodeExchange, type NodeResponse } from './transport/node-exchange.ts';
import { OriginRule, type OriginRuleOptions } from './transport/origin-rule.ts';
import { type BoundAddress, openPorts, type Ports } from './transport/ports.ts';
import { RequestIds } from './transport/request-ids.ts';
import { isHttp2, type NodeRequest } from './transport/request-head.ts';
import { sniff, type Speech } from './transport/sniffer.ts';
import { StallWatch } from './transport/stall-watch.ts';

/** What to listen at, what to serve, and the ports of the kernel. */
export interface ListenerOptions extends OriginRuleOptions {
  /** Addresses to bind; `127.0.0.1` brings `::1` with it. */
  readonly hosts: readonly string[];
  /** 0 picks one. */
  readonly port: number;
  /** Gives the certificate; asked at the first TLS connection and by {@link Listener.renewCertificate}. */
  readonly certificate: () => Promise<Certificate> | Certificate;
  /** Connections that do not speak TLS are closed. */
  readonly requireTls?: boolean;
  readonly services: readonly ServiceBinding[];
  readonly queryServices: readonly QueryBinding[];
  readonly routes: readonly LocalRoute[];
  /** `undefined`: any credentials are accepted, and no signature is verified. */
  readonly credentials: Credentials | undefined;
  readonly limits: ProtocolLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** An open port. */
export interface Listener {
  readonly port: number;
  readonly addresses: readonly BoundAddress[];
  /** Asks for the certificate again; connections from then on get the new one. Does nothing before the first TLS connection. */
  renewCertificate(): Promise<void>;
  /**
   * Stops accepting, ends idle connections, lets calls under way finish and cuts what is left after `graceMs`. Resolves when the last
   * connection has gone. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Opens the port. Every connection may speak HTTP/1.1, HTTP/2 (prior knowledge) or TLS with either.
 *
 * @throws the operating system's error (`EADDRINUSE`, `EACCES`) when an address cannot be had
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const listener = new OnePort(options);
  await listener.open();
  return listener;
}

/** An HTTP/1.1 connection's calls under way. */
interface Pipelined {
  callCount: number;
  /** The newest; its body may not have come whole. */
  last: NodeRequest;
  /** Nothing after the calls under way can be read. */
  isBroken: boolean;
}

class OnePort implements Listener {
  readonly #options: ListenerOptions;
  readonly #door: FrontDoor;
  readonly #path: FastPath;
  readonly #h1: http.Server;
  readonly #h2: Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #sniffing = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #pipelined = new WeakMap<object, Pipelined>();
  readonly #watch: StallWatch;
  #tls: Promise<TlsServer> | undefined;
  #ports: Ports | undefined;
  #closing: Promise<void> | undefined;
  #onLastSocket: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { limits, clock } = options;
    this.#watch = new StallWatch(clock);
    this.#door = createFrontDoor(options, this.#watch);
    this.#path = {
      limits,
      watch: this.#watch,
      clock,
      fast: { headerBytesMax: limits.headerBytesMax, requestBytesMax: limits.smallBodyBytesMax },
      date: new HttpDate(clock),
      keepAlive: `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(limits.idleTimeoutMs / 1000)}\r\n`,
      connections: new Set(),
      isClosing: () => this.#closing !== undefined,
      serve: (exchange) => this.#door.serve(exchange),
      handOver: this.#handOver,
    };
    this.#h1 = createH1(limits, this.#serve, this.#onMalformed);
    this.#h2 = createH2(limits, this.#serve, this.#onSession);
  }

  get port(): number {
    return this.addresses[0]?.port ?? 0;
  }

  get addresses(): readonly BoundAddress[] {
    return this.#ports?.addresses ?? [];
  }

  async open(): Promise<void> {
    this.#ports = await openPorts(this.#options.hosts, this.#options.port, this.#onSocket);
  }

  async renewCertificate(): Promise<void> {
    if (this.#tls === undefined) return;
    const server = await this.#tls;
    server.setSecureContext(await this.#options.certificate());
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#ports?.close();
    for (const socket of this.#sniffing) socket.destroy();
    this.#door.endStreams();
    for (const session of this.#sessions) session.close();
    for (const connection of this.#path.connections) connection.closeIdle();
    this.#h1.closeIdleConnections();
    const deadline = this.#options.clock.after(graceMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    if (this.#sockets.size > 0) await new Promise<void>((resolve) => (this.#onLastSocket = resolve));
    deadline.cancel();
    this.#watch.close();
    // It never listened; this ends its timers.
    this.#h1.close(() => undefined);
  }

  readonly #onSocket = (socket: Socket): void => {
    const { limits } = this.#options;
    if (this.#closing !== undefined || this.#sockets.size >= limits.connectionsMax) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#sniffing.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#sniffing.delete(socket);
      if (this.#sockets.size === 0) this.#onLastSocket?.();
    });
    sniff(socket, this.#route, this.#options);
  };

  readonly #route = (speech: Speech, socket: Socket): void => {
    this.#sniffing.delete(socket);
    if (speech !== 'tls' && this.#options.requireTls === true) {
      socket.destroy();
      return;
    }
    switch (speech) {
      case 'h1':
        new FastConnection(socket, this.#path).open();
        break;
      case 'h2':
        this.#h2.emit('connection', socket);
        break;
      case 'tls':
        void this.#routeTls(socket);
        break;
    }
  };

  async #routeTls(socket: Socket): Promise<void> {
    try {
      this.#tls ??= this.#createTls();
      const server = await this.#tls;
      if (!socket.destroyed) server.emit('connection', socket);
    } catch (error) {
      this.#tls = undefined; // The next connection tries again.
      this.#options.logger.error({ error }, 'there is no certificate for TLS');
      socket.destroy();
    }
  }

  async #createTls(): Promise<TlsServer> {
    return createTls(await this.#options.certificate(), this.#options.limits, this.#onSecure);
  }

  readonly #onSecure = (socket: TLSSocket, speech: 'h1' | 'h2' | undefined): void => {
    if (speech === undefined) {
      sniff(socket, this.#routeSecure, this.#options);
    } else this.#routeSecure(speech, socket);
  };

  readonly #routeSecure = (speech: Speech, socket: Socket): void => {
    if (speech === 'h2') {
      // Node's HTTP/2 refuses a decrypted connection on which nothing was agreed.
      (socket as TLSSocket).alpnProtocol = 'h2';
      this.#h2.emit('connection', socket);
    } else new FastConnection(socket, this.#path).open();
  };

  readonly #handOver = (socket: Socket): void => {
    this.#h1.emit('connection', socket);
    socket.resume(); // HTTP/1.1 hangs without it.
  };

  readonly #onSession = (session: ServerHttp2Session): void => {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#closing !== undefined) session.close();
  };

  readonly #serve = (request: NodeRequest, response: NodeResponse, expectsContinue: boolean): void => {
    const exchange = new NodeExchange(request, response, this.#path, expectsContinue);
    if (isHttp2(request)) void this.#door.serve(exchange);
    else if (request.httpVersionMajor !== 1) this.#onMalformed(new Error('not HTTP/1'), request.socket);
    else void this.#serveH1(exchange);
  };

  /** HTTP/2 bounds the streams of a connection by itself; HTTP/1.1 lets a peer send any number of requests ahead. */
  async #serveH1(exchange: NodeExchange): Promise<void> {
    const { socket } = exchange.request;
    let connection = this.#pipelined.get(socket);
    if (connection === undefined) {
      connection = { callCount: 0, last: exchange.request, isBroken: false };
      this.#pipelined.set(socket, connection);
    }
    if (connection.callCount >= this.#options.limits.pipelinedMax) {
      socket.destroy();
      return;
    }
    connection.callCount++;
    connection.last = exchange.request;
    await this.#door.serve(exchange);
    connection.callCount--;
    if (connection.isBroken && wholeCalls(connection) === 0) socket.destroySoon();
  }

  /** A refusal must not be taken for the answer to a call before it: those are answered first, and then the connection ends. */
  readonly #onMalformed = (error: NodeJS.ErrnoException, socket: Socket): void => {
    const connection = this.#pipelined.get(socket);
    if (connection === undefined || wholeCalls(connection) === 0) refuseMalformed(error, socket);
    else connection.isBroken = true;
  };
}

/** Calls that have come whole and are not answered yet. */
function wholeCalls({ callCount, last }: Pipelined): number {
  return callCount > 0 && !last.complete ? callCount - 1 : callCount;
}

function createFrontDoor(options: ListenerOptions, watch: StallWatch): FrontDoor {
  const { limits, clock, random, logger, credentials, routes } = options;
  const verifier = credentials === undefined ? undefined : new SignatureVerifier(credentials, clock);
  const writer = new ByteWriter();
  return new FrontDoor({
    runner: new OperationRunner({
      table: new ServiceTable(options.services),
      writer,
      verifier,
      inMaking: new ByteBudget(limits.answersInMakingBytesMax),
      logger,
    }),
    query: new QueryRunner({ services: options.queryServices, verifier, logger }),
    local: new LocalServer({
      routes,
      access: credentials === undefined || verifier === undefined ? undefined : { credentials, verifier },
      logger,
    }),
    originRule: new OriginRule(options),
    ids: new RequestIds(random),
    shares: {
      limits,
      small: new ByteBudget(limits.smallBodiesBytesMax),
      arriving: new ByteBudget(limits.arrivingBytesMax),
      large: new ByteBudget(limits.bodiesBytesMax),
      buffers: new BufferPool({ bufferBytes: limits.pooledBodyBytesMax, countMax: limits.pooledBodiesMax }),
      watch,
    },
    writer,
    logger,
  });
}
