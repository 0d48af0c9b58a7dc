#!/usr/bin/env node
import { version } from '../server/routes.ts';
import { generalHelp } from './help.ts';
import { UsageError } from './usage.ts';

type Command = (args: string[]) => Promise<void>;

/** Each command is loaded when it is called for, so that the server starts without the clients' SDK. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  put: async () => (await import('./put.ts')).put,
  tail: async () => (await import('./tail.ts')).tail,
  streams: async () => (await import('./streams.ts')).streams,
  inspect: async () => (await import('./inspect.ts')).inspect,
  check: async () => (await import('./check.ts')).check,
};

async function main(args: string[]): Promise<void> {
  const [first = 'serve', ...rest] = args;
  if (['help', '--help', '-h'].includes(first)) {
    process.stdout.write(generalHelp());
  } else if (['version', '--version', '-v'].includes(first)) {
    process.stdout.write(`${version}\n`);
  } else if (first.startsWith('-')) {
    // `millrace --port 4600` serves, too.
    await run('serve', args);
  } else {
    await run(first, rest);
  }
}

async function run(name: string, args: string[]): Promise<void> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) throw new UsageError(`there is no command "${name}"`);
  const command = await load();
  await command(args);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const { message, code, stack } = error as Error & { code?: string };
  if (error instanceof UsageError) process.stderr.write(`millrace: ${message}\nTry: millrace --help\n`);
  else if (code?.startsWith('MR_') === true) process.stderr.write(`millrace: ${message}\n`);
  else process.stderr.write(`millrace: ${process.env['MILLRACE_DEBUG'] === undefined ? message : stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
