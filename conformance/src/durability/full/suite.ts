import { UnavailableError, type Checks } from '../../harness/checks.ts';
import { runCommand } from '../../harness/command.ts';
import { freshFolder, workspaceFile } from '../../harness/folders.ts';

const mount = 'mount -t tmpfs -o size=400m none "$1" && exec "$2" "$3" "$1"';

/** A real server on a file system of 400 MB that gets full; it is mounted in a name space of its own, so nobody else sees it. */
export async function fullSuite(checks: Checks): Promise<void> {
  const fresh = freshFolder('full');
  try {
    const program = workspaceFile('src/durability/full/program.ts');
    const args = ['--map-root-user', '--mount', 'sh', '-c', mount, 'sh', fresh.path, process.execPath, program];
    let hasEnded = false;
    const { stderr } = await runCommand('unshare', args, {
      onLine(line) {
        const failure = /^FAILED (.*?): (.*)$/.exec(line);
        if (/^\d+ passed, \d+ failed$/.test(line)) hasEnded = true;
        else if (line.startsWith('ok ')) checks.record(line.slice(3));
        else if (failure !== null) checks.record(failure[1] as string, failure[2]);
        else checks.say(line);
      },
    });
    if (!hasEnded) throw new UnavailableError(`no file system of its own could be made: ${stderr.slice(-2000)}`);
  } finally {
    fresh.remove();
  }
}
