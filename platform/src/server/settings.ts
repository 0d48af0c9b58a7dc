import { rateLimits, type RateLimitName } from '../streams/index.ts';

/** One setting: a flag `--name`, a variable `MILLRACE_NAME` and a key `name` of the configuration file are the same thing. */
export interface Setting {
  readonly name: string;
  /** What its value is called in help; undefined for a switch. */
  readonly value: string | undefined;
  readonly isRepeatable: boolean;
  readonly help: string;
}

function setting(name: string, value: string | undefined, help: string, isRepeatable = false): Setting {
  return { name, value, help, isRepeatable };
}

/** Every setting of the server. */
export const settings: readonly Setting[] = [
  setting('port', 'N', 'port to listen on; 0 picks a free one (default 4566)'),
  setting('host', 'ADDRESS', 'address to listen on; more than once for several (default 127.0.0.1 and ::1)', true),
  setting('data-dir', 'FOLDER', 'where the data is kept (default ./.millrace)'),
  setting(
    'durability',
    'MODE',
    'fsync: synced before the answer (default) · os: synced every second · memory: nothing on disk',
  ),
  setting('streams', 'NAME:SHARDS,…', 'streams to make at the start when they are not there, e.g. orders:4,clicks:1'),
  setting(
    'limits',
    'off|aws',
    'rates and account quotas: off (default), or as AWS has them; sizes are always enforced',
  ),
  ...Object.entries(rateLimits).map(([name, { aws, help }]) =>
    setting(`limit-${name}`, 'N|off', `${help} (AWS: ${aws})`),
  ),
  setting('lifecycle-delay-ms', 'MS', 'how long streams stay CREATING and DELETING (default 0)'),
  setting(
    'subscription-life-ms',
    'MS',
    'after so long SubscribeToShard ends and is to be called again (default 300000)',
  ),
  setting(
    'subscription-takeover-ms',
    'MS',
    'how long after a SubscribeToShard another of the same consumer and shard is refused (default 5000)',
  ),
  setting('auth', 'FILE', 'verify signatures against this credentials file (AWS format, with aws_account_id)'),
  setting('tls-cert', 'FILE', 'certificate chain (PEM); without one a certificate for localhost is made'),
  setting('tls-key', 'FILE', 'private key of the certificate (PEM)'),
  setting('tls-only', undefined, 'take TLS connections only'),
  setting('insecure', undefined, 'allow other addresses than loopback without --auth and --tls-only'),
  setting('cors-origin', 'ORIGIN', 'let web pages of this origin call; more than once for several', true),
  setting(
    'host-name',
    'NAME',
    'accept this name in Host besides loopback and bound addresses; more than once for several',
    true,
  ),
  setting('log-level', 'LEVEL', 'debug, info (default), warn, error or silent; the log goes to stderr'),
  setting('config', 'FILE', 'JSON file with these settings as keys'),
];

export function limitSettingName(limit: RateLimitName): string {
  return `limit-${limit}`;
}

/** `data-dir` → `MILLRACE_DATA_DIR`. */
export function environmentName(setting: string): string {
  return `MILLRACE_${setting.replaceAll('-', '_').toUpperCase()}`;
}
