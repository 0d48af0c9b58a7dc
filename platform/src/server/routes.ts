import { createRequire } from 'node:module';
import type { Clock } from '../kernel/clock.ts';
import type { LogEngine } from '../log/index.ts';
import type { LocalRoute } from '../protocol/index.ts';
import type { StreamsService } from '../streams/index.ts';
import type { CertificateStore } from './certificate-store.ts';
import type { ServerConfig } from './config.ts';
import type { Meters } from './meters.ts';

/** The version in package.json. */
export const version: string = (createRequire(import.meta.url)('../../package.json') as { version: string }).version;

interface HealthParts {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly log: LogEngine;
  readonly startedMs: number;
}

/** `GET /_millrace/health`: answers as soon as everything is served. */
export function healthRoute({ config, clock, log, startedMs }: HealthParts): LocalRoute {
  return {
    method: 'GET',
    path: '/_millrace/health',
    open: true,
    handle() {
      const { state, reason, damage } = log.status();
      const health = {
        status: state,
        ...(reason !== undefined && { reason }),
        ...(damage.length > 0 && { damage }),
        version,
        engine: 'embedded',
        durability: log.durability,
        limits: config.limitsProfile,
        uptimeMs: clock.now() - startedMs,
      };
      return { status: 200, contentType: 'application/json', body: `${JSON.stringify(health)}\n` };
    },
  };
}

/** `GET /_millrace/metrics`: what Prometheus scrapes. */
export function metricsRoute(meters: Meters, log: LogEngine): LocalRoute {
  // The library costs memory and start-up time, so it is loaded when somebody asks.
  const load = async () => (await import('./metrics.ts')).makeRegistry({ meters, log, version });
  let registry: ReturnType<typeof load> | undefined;
  return {
    method: 'GET',
    path: '/_millrace/metrics',
    async handle() {
      const loaded = await (registry ??= load());
      return { status: 200, contentType: loaded.contentType, body: await loaded.metrics() };
    },
  };
}

const certificateBlocks = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^-]+-----END \1-----/g;

/** `GET /_millrace/certificate`: in PEM, for clients to be given as CA. */
export function certificateRoute(certificates: CertificateStore): LocalRoute {
  return {
    method: 'GET',
    path: '/_millrace/certificate',
    async handle() {
      // A file that the settings name may have the key in it as well.
      const { cert } = await certificates.current();
      const blocks = cert.match(certificateBlocks) ?? [];
      return { status: 200, contentType: 'application/x-pem-file', body: `${blocks.join('\n')}\n` };
    },
  };
}

/** `POST /_millrace/reset`: empties a server that keeps nothing anyway; for the time between two tests. */
export function resetRoute(streams: StreamsService): LocalRoute {
  return {
    method: 'POST',
    path: '/_millrace/reset',
    async handle() {
      await streams.reset();
      return { status: 200, contentType: 'application/json', body: '{"status":"empty"}\n' };
    },
  };
}
