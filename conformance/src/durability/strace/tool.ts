import { UnavailableError } from '../../harness/checks.ts';
import { runCommand } from '../../harness/command.ts';

/** Makes sure that strace is there and may trace. @throws UnavailableError */
export async function needStrace(): Promise<void> {
  if (!(await has())) {
    for (const args of [['update'], ['install', '-y', 'strace']]) {
      await runCommand('apt-get', args, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    }
  }
  if (!(await has())) {
    throw new UnavailableError('strace is needed and could not be installed: run `apt-get install strace` as root');
  }
  const { code, stderr } = await runCommand('strace', ['-f', '-o', '/dev/null', 'true']);
  if (code !== 0)
    throw new UnavailableError(`strace may not trace here (a container needs SYS_PTRACE): ${stderr.trim()}`);
}

async function has(): Promise<boolean> {
  return (await runCommand('strace', ['-V'])).code === 0;
}
