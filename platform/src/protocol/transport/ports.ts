import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A place to listen at. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** Open listening sockets, all of one port. */
export interface Ports {
  readonly addresses: readonly BoundAddress[];
  /** Stops accepting; connections live on. */
  close(): void;
}

const PICK_ATTEMPTS_MAX = 10;
const BACKLOG = 1024;
/** This machine has no such address, e.g. no IPv6. */
const UNAVAILABLE = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/**
 * Listens at every host with one port. `127.0.0.1` brings `::1` with it where the machine has it, since `localhost` may mean either.
 *
 * @param port   0 picks one that is free at all hosts
 * @throws the error of the first host that cannot be had, with nothing left open
 */
export async function openPorts(
  hosts: readonly string[],
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<Ports> {
  const wanted = hosts.includes('127.0.0.1') && !hosts.includes('::1') ? [...hosts, '::1'] : [...hosts];
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    try {
      for (const host of wanted) {
        const taken = servers[0] === undefined ? port : portOf(servers[0]);
        const server = await openOne(host, taken, !hosts.includes(host), onSocket);
        if (server !== undefined) servers.push(server);
      }
      return {
        addresses: servers.map((server) => ({ host: (server.address() as AddressInfo).address, port: portOf(server) })),
        close: () => servers.forEach((server) => server.close()),
      };
    } catch (error) {
      for (const server of servers) server.close();
      const isRace = port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isRace || attempt >= PICK_ATTEMPTS_MAX) throw error;
    }
  }
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function openOne(
  host: string,
  port: number,
  isOptional: boolean,
  onSocket: (socket: Socket) => void,
): Promise<Server | undefined> {
  const server = createServer({ noDelay: true }, onSocket);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (isOptional && UNAVAILABLE.has(error.code ?? '')) resolve(undefined);
      else reject(error);
    });
    server.listen({ host, port, backlog: BACKLOG, ipv6Only: host.includes(':') }, () => {
      server.removeAllListeners('error');
      // Errors of a listening socket (too many open files) are per connection and pass.
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}
