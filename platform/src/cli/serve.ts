import { resolve } from 'node:path';
import { resolveConfig, type ServerConfig } from '../server/config.ts';
import { stderrLogger } from '../server/log-output.ts';
import { version } from '../server/routes.ts';
import { startServer, type RunningServer } from '../server/server.ts';
import { settings } from '../server/settings.ts';
import { columns, serveHelp } from './help.ts';
import { boundYoungGeneration } from './young-generation.ts';
import { parseCommand } from './usage.ts';

/** `millrace serve`: runs until it is told to stop. */
export async function serve(args: string[]): Promise<void> {
  const options = Object.fromEntries(
    settings.map(({ name, value, isRepeatable }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: isRepeatable },
    ]),
  );
  const parsed = parseCommand(args, options, serveHelp, 0);
  if (parsed === undefined) return;
  const config = resolveConfig(parsed.values, process.env);
  const logger = stderrLogger(config.logLevel);
  boundYoungGeneration();
  const server = await startServer(config, logger);
  process.stdout.write(banner(server, config));
  stopOnSignals(server);
}

/** `on`, not `once`: the same signal can come twice, from the terminal and from npm, and the second must not kill. */
function stopOnSignals(server: RunningServer): void {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    process.stdout.write('stopping: finishing calls under way\n');
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`millrace: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
}

const durabilityWords = {
  fsync: 'fsync: an answered put is on the disk',
  os: 'os: survives a crash of the process; a power cut may take the last second',
  memory: 'memory: nothing is kept when the server stops',
} as const;

const limitWords = {
  off: 'sizes as AWS has them; rates off (--limits aws turns them on)',
  aws: 'sizes and rates as AWS has them',
  custom: 'sizes as AWS has them; rates as set',
} as const;

function banner(server: RunningServer, config: ServerConfig): string {
  const { endpoint } = server;
  const data = config.durability === 'memory' ? 'none' : resolve(config.dataDir);
  return `Millrace ${version}: Kinesis Data Streams

${columns([
  ['endpoint', `${endpoint}  (HTTP/1.1, HTTP/2 and TLS on the one port)`],
  ['data', data],
  ['durability', durabilityWords[config.durability]],
  ['limits', limitWords[config.limitsProfile]],
  ['access', config.auth === undefined ? 'any credentials' : `keys of ${config.auth}`],
])}
AWS CLI:

  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws --endpoint-url ${endpoint} --region us-east-1 kinesis list-streams

JavaScript SDK:

  new KinesisClient({ endpoint: '${endpoint}', region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })

Ctrl-C stops it. millrace --help tells more.
`;
}
