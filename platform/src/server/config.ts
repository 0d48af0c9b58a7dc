import { isIP } from 'node:net';
import { MillraceError } from '../kernel/errors.ts';
import { readTextFile } from '../kernel/text-file.ts';
import type { Durability } from '../log/index.ts';
import {
  rateLimitProfile,
  rateLimits,
  type RateLimitName,
  type RateLimits,
  type SubscriptionTimes,
} from '../streams/index.ts';
import { environmentName, limitSettingName, settings } from './settings.ts';

/** A setting has a value that cannot be used; the message says which and what would do. */
export class ConfigError extends MillraceError {
  constructor(message: string) {
    super('MR_CONFIG', message);
  }
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** All settings of a server, checked. */
export interface ServerConfig {
  readonly port: number;
  readonly hosts: readonly string[];
  readonly dataDir: string;
  readonly durability: Durability;
  readonly streams: ReadonlyArray<{ readonly name: string; readonly shards: number }>;
  readonly limits: RateLimits;
  /** How the limits are told to people. */
  readonly limitsProfile: 'off' | 'aws' | 'custom';
  readonly lifecycleDelayMs: number;
  readonly subscriptions: SubscriptionTimes;
  /** Path of the credentials file; undefined accepts any credentials. */
  readonly auth: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsOnly: boolean;
  readonly corsOrigins: readonly string[];
  readonly hostNames: readonly string[];
  readonly logLevel: LogLevel;
}

/** Values by setting name, as flags or a configuration file give them. */
export type SettingValues = Readonly<Record<string, unknown>>;

/**
 * Puts together what is said in flags, environment, configuration file and defaults, in this order.
 *
 * @throws ConfigError
 */
export function resolveConfig(
  flags: SettingValues,
  environment: Readonly<Record<string, string | undefined>>,
): ServerConfig {
  const fromEnvironment: Record<string, unknown> = {};
  for (const { name } of settings) {
    const value = environment[environmentName(name)];
    if (value !== undefined && value !== '') fromEnvironment[name] = value;
  }
  const file = (flags['config'] ?? fromEnvironment['config']) as string | undefined;
  const values = { ...readConfigFile(file), ...fromEnvironment, ...flags };
  return checkConfig(new Values(values));
}

function readConfigFile(path: string | undefined): SettingValues {
  if (path === undefined) return {};
  let content: unknown;
  try {
    content = JSON.parse(readTextFile(path));
  } catch (error) {
    throw new ConfigError(`the configuration file ${path} cannot be read: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigError(`the configuration file ${path} must hold a JSON object`);
  }
  const known = new Set(settings.map(({ name }) => name));
  const unknown = Object.keys(content).find((key) => !known.has(key));
  if (unknown !== undefined) throw new ConfigError(`the configuration file ${path} has an unknown key "${unknown}"`);
  return content as SettingValues;
}

/** Reads single settings, whatever form they were given in. */
class Values {
  readonly #values: SettingValues;

  constructor(values: SettingValues) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw new ConfigError(`--${name} takes a value`);
  }

  texts(name: string): string[] {
    const value = this.#values[name];
    if (value === undefined) return [];
    if (Array.isArray(value)) return value.map(String);
    return (this.text(name) as string).split(',').map((each) => each.trim());
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], otherwise: Choice): Choice {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    if ((choices as readonly string[]).includes(value)) return value as Choice;
    throw new ConfigError(`--${name} takes ${choices.join(', ')}; "${value}" is none of them`);
  }

  count(name: string, otherwise: number, max: number): number {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    const number = Number(value);
    if (/^\d+$/.test(value) && number <= max) return number;
    throw new ConfigError(`--${name} takes a whole number from 0 to ${max}; "${value}" is none`);
  }

  isOn(name: string): boolean {
    const value = this.#values[name];
    if (value === undefined || value === false || value === 'false' || value === '0') return false;
    if (value === true || value === 'true' || value === '1') return true;
    throw new ConfigError(`--${name} is a switch and takes no value but true or false`);
  }
}

function checkConfig(values: Values): ServerConfig {
  const limits = readLimits(values);
  const hosts = values.texts('host');
  const config: ServerConfig = {
    port: values.count('port', 4566, 65_535),
    hosts: hosts.length > 0 ? hosts : ['127.0.0.1'],
    dataDir: values.text('data-dir') ?? './.millrace',
    durability: values.oneOf('durability', ['fsync', 'os', 'memory'], 'fsync'),
    streams: values.texts('streams').map(readStream),
    ...limits,
    lifecycleDelayMs: values.count('lifecycle-delay-ms', 0, 3_600_000),
    subscriptions: {
      lifeMs: values.count('subscription-life-ms', 300_000, 3_600_000),
      takeoverMs: values.count('subscription-takeover-ms', 5000, 3_600_000),
    },
    auth: values.text('auth'),
    tlsCert: values.text('tls-cert'),
    tlsKey: values.text('tls-key'),
    tlsOnly: values.isOn('tls-only'),
    corsOrigins: values.texts('cors-origin'),
    hostNames: values.texts('host-name'),
    logLevel: values.oneOf('log-level', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
  };
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) {
    throw new ConfigError('--tls-cert and --tls-key go together');
  }
  checkExposure(config, values.isOn('insecure'));
  return config;
}

/** Reaching out of the machine must be asked for, with signatures and encryption, or knowingly without. */
function checkExposure(config: ServerConfig, isInsecure: boolean): void {
  const outside = config.hosts.find((host) => !isLoopback(host));
  if (outside === undefined || isInsecure || (config.auth !== undefined && config.tlsOnly)) return;
  throw new ConfigError(
    `listening on ${outside} lets other machines in: give --auth FILE and --tls-only, or say --insecure if everyone who reaches it may do everything`,
  );
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function readStream(text: string): { name: string; shards: number } {
  const match = /^([a-zA-Z0-9_.-]{1,128}):(\d{1,5})$/.exec(text);
  const shards = Number(match?.[2]);
  if (match === null || shards < 1)
    throw new ConfigError(`--streams takes NAME:SHARDS,…; "${text}" is not of that form`);
  return { name: match[1] as string, shards };
}

function readLimits(values: Values): Pick<ServerConfig, 'limits' | 'limitsProfile'> {
  const profile = values.oneOf('limits', ['off', 'aws'], 'off');
  const limits = rateLimitProfile(profile);
  let limitsProfile: ServerConfig['limitsProfile'] = profile;
  for (const limit of Object.keys(rateLimits) as RateLimitName[]) {
    const name = limitSettingName(limit);
    const value = values.text(name);
    if (value === undefined) continue;
    limits[limit] = value === 'off' ? Infinity : Number(value);
    limitsProfile = 'custom';
    if (!(limits[limit] > 0)) throw new ConfigError(`--${name} takes a number above 0, or off; "${value}" is neither`);
  }
  return { limits, limitsProfile };
}
