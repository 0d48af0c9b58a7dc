/*
 * What the examples have in common: a client of the official SDK, a stream, and settings from the command line.
 *
 * Without more they go to the server that `npm start` runs. KINESIS_ENDPOINT, AWS_REGION and credentials in the environment lead elsewhere.
 */
import { parseArgs } from 'node:util';
import { CreateStreamCommand, KinesisClient, waitUntilStreamExists } from '@aws-sdk/client-kinesis';

const endpoint = process.env['KINESIS_ENDPOINT'] ?? 'http://127.0.0.1:4566';

export function kinesisClient(): KinesisClient {
  const hasCredentials = 'AWS_ACCESS_KEY_ID' in process.env || 'AWS_PROFILE' in process.env;
  return new KinesisClient({
    endpoint,
    region: process.env['AWS_REGION'] ?? 'us-east-1',
    ...(!hasCredentials && { credentials: { accessKeyId: 'test', secretAccessKey: 'test' } }),
    maxAttempts: 1, // The producer and the consumer try again by themselves.
  });
}

/** Makes the stream unless it is there, and waits until it is active. Without a server the program ends here. */
export async function openStream(client: KinesisClient, name: string, shards: number): Promise<void> {
  try {
    await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
  } catch (error) {
    if (isRefused(error)) fail(`There is no server at ${endpoint}: run \`npm start\` first, in another terminal.`);
    if ((error as Error).name !== 'ResourceInUseException') throw error;
  }
  await waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1 }, { StreamName: name });
}

/** Settings as `--name value`. What has a number for its default is a number above 0. `--help` tells about them, and ends the program. */
export function readSettings<Settings extends Record<string, string | number>>(
  what: string,
  defaults: Settings,
): Settings {
  const names = Object.keys(defaults);
  const options = {
    help: { type: 'boolean' },
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  } as const;
  let values: Record<string, string | boolean | undefined> = {};
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail((error as Error).message, 2);
  }
  if (values['help'] === true) {
    console.log([what, '', ...names.map((name) => `  --${name} (default ${defaults[name]})`)].join('\n'));
    process.exit();
  }
  const entries = names.map((name) => {
    const [value, standard] = [values[name] ?? defaults[name], defaults[name]];
    if (typeof standard === 'number' && !(Number(value) > 0)) fail(`--${name} is a number above 0, not ${value}`, 2);
    return [name, typeof standard === 'number' ? Number(value) : value];
  });
  return Object.fromEntries(entries) as Settings;
}

/** Says why the program cannot go on, and ends it. */
export function fail(why: string, code = 1): never {
  console.error(why);
  process.exit(code);
}

function isRefused(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return code === 'ECONNREFUSED' || (cause instanceof Error && isRefused(cause));
}
