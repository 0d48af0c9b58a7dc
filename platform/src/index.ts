import { resolveConfig, type LogLevel } from './server/config.ts';
import { stderrLogger } from './server/log-output.ts';
import { startServer, type RunningServer } from './server/server.ts';

export { ConfigError } from './server/config.ts';
export { StartError, type RunningServer } from './server/server.ts';

/** Settings by their names without dashes; those left out have the command's defaults, but for the log, which is silent. */
export interface StartOptions {
  /** 0, the default here, picks a free one. */
  readonly port?: number;
  readonly host?: string | readonly string[];
  readonly dataDir?: string;
  readonly durability?: 'fsync' | 'os' | 'memory';
  /** `orders:4,clicks:1` */
  readonly streams?: string;
  readonly limits?: 'off' | 'aws';
  readonly lifecycleDelayMs?: number;
  readonly subscriptionLifeMs?: number;
  readonly subscriptionTakeoverMs?: number;
  /** Path of a credentials file. */
  readonly auth?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsOnly?: boolean;
  readonly insecure?: boolean;
  readonly corsOrigin?: string | readonly string[];
  readonly hostName?: string | readonly string[];
  readonly logLevel?: LogLevel;
}

/**
 * Runs a server inside this process, for instance in a test.
 *
 * @throws ConfigError   a setting cannot be used
 * @throws StartError    the port or the data folder cannot be had; the message says what to do
 * @example
 * await using server = await start({ durability: 'memory', streams: 'orders:2' });
 * const client = new KinesisClient({ endpoint: server.endpoint, … });
 */
export async function start(options: StartOptions = {}): Promise<RunningServer & AsyncDisposable> {
  const values: Record<string, unknown> = { port: 0, 'log-level': 'silent' };
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) values[name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)] = value;
  }
  const config = resolveConfig(values, {});
  const server = await startServer(config, stderrLogger(config.logLevel));
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}
