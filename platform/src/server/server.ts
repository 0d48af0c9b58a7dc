import { Catalog } from '../catalog/index.ts';
import { securityTokens } from '../companions/index.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import type { Disk } from '../kernel/disk.ts';
import { MillraceError } from '../kernel/errors.ts';
import { lockFolder } from '../kernel/folder-lock.ts';
import type { Logger } from '../kernel/logger.ts';
import { MemoryDisk } from '../kernel/memory-disk.ts';
import { systemRandom } from '../kernel/random.ts';
import { systemDisk } from '../kernel/system-disk.ts';
import { openEmbeddedLog } from '../log/index.ts';
import { kinesis } from '../model/index.ts';
import { defaultLimits, listen, type Listener, type LocalRoute } from '../protocol/index.ts';
import { StreamsService } from '../streams/index.ts';
import { CertificateStore } from './certificate-store.ts';
import type { ServerConfig } from './config.ts';
import { readCredentials } from './credentials.ts';
import { meteredDisk } from './metered-disk.ts';
import { Meters } from './meters.ts';
import { certificateRoute, healthRoute, metricsRoute, resetRoute } from './routes.ts';
import { makeStreams } from './starting-streams.ts';

/** The server cannot start; the message says why and what to do. */
export class StartError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('MR_START', message, { cause });
  }
}

export interface RunningServer {
  /** `http://127.0.0.1:PORT`, for SDKs. */
  readonly endpoint: string;
  readonly port: number;
  /** Takes no more calls, finishes those under way, writes a checkpoint and lets go of the folder. Idempotent. */
  close(): Promise<void>;
}

const closeGraceMs = 10_000;
const renewalCheckMs = 12 * 3_600_000;

/** Starts everything, bottom up; what had been started is closed again when a later part fails. */
export async function startServer(config: ServerConfig, logger: Logger): Promise<RunningServer> {
  const opened: Array<() => Promise<void> | void> = [];
  const closeAll = async (): Promise<void> => {
    for (const close of opened.splice(0).reverse()) await close();
  };
  try {
    return await startParts(config, logger, { opened, closeAll });
  } catch (error) {
    await closeAll();
    throw explained(error, config);
  }
}

interface Parts {
  readonly opened: Array<() => Promise<void> | void>;
  readonly closeAll: () => Promise<void>;
}

async function startParts(config: ServerConfig, logger: Logger, { opened, closeAll }: Parts): Promise<RunningServer> {
  const clock = systemClock;
  const meters = new Meters();
  const disk = openDisk(config, opened, meters);
  const streams = new StreamsService({ ...config, clock, random: systemRandom, logger });
  const catalog = new Catalog(clock, [streams.domain]);
  const { durability } = config;
  const log = await openEmbeddedLog({
    disk,
    clock,
    random: systemRandom,
    logger,
    telemetry: meters,
    machine: catalog,
    durability,
  });
  opened.push(() => log.close());
  catalog.attach(log);
  const operations = await streams.start(catalog, log);
  opened.push(() => streams.close());
  await makeStreams(config.streams, operations);
  const certificates = new CertificateStore(config, disk, clock);
  const routes: LocalRoute[] = [
    healthRoute({ config, clock, log, startedMs: clock.now() }),
    metricsRoute(meters, log),
    certificateRoute(certificates),
  ];
  if (durability === 'memory') routes.push(resetRoute(streams));
  const listener = await listen({
    hosts: config.hosts,
    port: config.port,
    requireTls: config.tlsOnly,
    certificate: () => certificates.current(),
    services: [
      {
        model: kinesis,
        operations: operations as Record<string, never>,
        answerBytesMax: (operation, input) => streams.answerBytesMax(operation, input),
      },
    ],
    queryServices: [securityTokens],
    routes,
    credentials: config.auth === undefined ? undefined : readCredentials(config.auth),
    corsOrigins: config.corsOrigins,
    hostNames: config.hostNames,
    limits: defaultLimits,
    clock,
    random: systemRandom,
    logger,
  });
  opened.push(() => listener.close(closeGraceMs));
  renewNowAndThen(certificates, listener, { clock, logger });
  let closing: Promise<void> | undefined;
  return {
    endpoint: endpointOf(config, listener),
    port: listener.port,
    close: () => (closing ??= closeAll()),
  };
}

function openDisk(config: ServerConfig, opened: Parts['opened'], meters: Meters): Disk {
  if (config.durability === 'memory') return new MemoryDisk();
  const lock = lockFolder(config.dataDir);
  if (lock === undefined) {
    throw new StartError(
      `another Millrace server is using the data folder ${config.dataDir}: stop it, or choose another folder with --data-dir`,
    );
  }
  opened.push(() => lock.release());
  return meteredDisk(systemDisk(config.dataDir), meters);
}

function endpointOf(config: ServerConfig, { port }: Listener): string {
  const [host = '127.0.0.1'] = config.hosts;
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${config.tlsOnly ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function renewNowAndThen(
  certificates: CertificateStore,
  listener: Listener,
  { clock, logger }: { clock: Clock; logger: Logger },
): void {
  const renew = async (): Promise<void> => {
    try {
      await certificates.renew();
      await listener.renewCertificate();
    } catch (error) {
      logger.warn({ error: String(error) }, 'could not renew the certificate');
    }
  };
  clock.after(renewalCheckMs, () => {
    void renew();
    renewNowAndThen(certificates, listener, { clock, logger });
  });
}

function explained(error: unknown, config: ServerConfig): unknown {
  const code = (error as { code?: unknown }).code;
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(
        `port ${config.port} is in use: stop what listens there, or choose another with --port N (0 picks a free one)`,
        error,
      );
    case 'EADDRNOTAVAIL':
      return new StartError(
        `this machine has no address ${config.hosts.join(' or ')}: choose another with --host`,
        error,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StartError(
        `no permission: ${(error as Error).message}. The data folder ${config.dataDir} must be writable, and ports below 1024 need privileges`,
        error,
      );
    case 'ENOSPC':
      return new StartError(`the disk of the data folder ${config.dataDir} is full: make room and start again`, error);
    case undefined:
    default:
      return error;
  }
}
