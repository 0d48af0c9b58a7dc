import { environmentName, settings, type Setting } from '../server/settings.ts';

/** Two columns, the first as wide as it must be. */
export function columns(rows: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}

export function generalHelp(): string {
  return `millrace: Kinesis on your own machine, durable

${columns([
  ['millrace serve', 'run the server (also without the word)'],
  ['millrace put STREAM', 'put the lines of stdin as records'],
  ['millrace tail STREAM', 'print records as they come, from all shards'],
  ['millrace streams', 'list, create, describe and delete streams'],
  ['millrace inspect', 'show what is in a data folder'],
  ['millrace check', 'verify a data folder, and say what is lost'],
  ['millrace version', 'print the version'],
])}
Each takes --help.
`;
}

export function serveHelp(): string {
  const isLimit = ({ name }: Setting): boolean => name.startsWith('limit-');
  const row = ({ name, value, help }: Setting): [string, string] => [
    `--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ];
  return `millrace serve: run the server

${columns(settings.filter((each) => !isLimit(each)).map(row))}
Single limits, beside or instead of --limits aws:

${columns(settings.filter(isLimit).map(row))}
Every setting has an environment variable, too (--data-dir is ${environmentName('data-dir')}), and a key of the same
name in the configuration file. A flag wins over the environment, that over the file.
`;
}

export const clientFlagsHelp: string = columns([
  ['--endpoint URL', 'server to call (default AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL or http://127.0.0.1:4566)'],
  ['--region NAME', 'region (default AWS_REGION or us-east-1)'],
]);
