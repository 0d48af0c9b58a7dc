import type { Checks } from './checks.ts';
import { runCommand } from './command.ts';
import { clientEnvironment, type Target, type Transport } from './target.ts';

/**
 * Runs a test program over each transport. It reports one line a check, `ok NAME` or
 * `FAILED NAME: REASON`, and ends with `N passed, N failed`.
 *
 * @param program   with its arguments, to which endpoint, certificate file (or `-`) and record count are added
 */
export async function runReportingProgram(target: Target, checks: Checks, program: readonly string[]): Promise<void> {
  for (const transport of target.transports) await runOver(transport, target.records, checks, program);
}

async function runOver(
  transport: Transport,
  records: number,
  checks: Checks,
  [program, ...args]: readonly string[],
): Promise<void> {
  const { name, endpoint } = transport;
  const certificate = transport.name === 'https' ? transport.pemFile : '-';
  let isComplete = false;
  const onLine = (line: string): void => {
    const failure = /^FAILED (.*?): (.*)$/.exec(line);
    if (/^\d+ passed, \d+ failed$/.test(line)) isComplete = true;
    else if (line.startsWith('ok ')) checks.record(`${name} ${line.slice(3)}`);
    else if (failure !== null) checks.record(`${name} ${failure[1]}`, failure[2]);
    else checks.say(line);
  };
  const env = {
    ...clientEnvironment,
    // Node takes a certificate for its default settings in no other way.
    ...(transport.name === 'https' ? { NODE_EXTRA_CA_CERTS: transport.pemFile } : {}),
  };
  const result = await runCommand(program as string, [...args, endpoint, certificate, String(records)], {
    onLine,
    env,
  });
  if (!isComplete) checks.record(`${name} runs to its end`, `exit code ${result.code}: ${endsOf(result.stderr)}`);
}

/** Java says first what is wrong, Python last. */
function endsOf(text: string): string {
  return text.length <= 2000 ? text : `${text.slice(0, 1000)}\n…\n${text.slice(-1000)}`;
}
