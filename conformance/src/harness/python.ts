import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from './checks.ts';
import { runCommand } from './command.ts';
import { workFolder } from './folders.ts';

/**
 * Makes a virtual environment with a package, once, and gives the folder of its programs.
 *
 * @param requirement   as pip takes it, with a version
 */
export async function pythonEnvironment(requirement: string): Promise<string> {
  const folder = workFolder(`python-${requirement.replaceAll(/[^a-zA-Z0-9.-]/g, '_')}`);
  const programs = join(folder, 'bin');
  const stamp = join(folder, 'installed');
  if (existsSync(stamp)) return programs;
  await mustRun(['python3', '-m', 'venv', folder], 'Python 3 with its venv module is needed');
  const pip = [join(programs, 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement];
  await mustRun(pip, `${requirement} could not be installed with pip`);
  await mustRun(['touch', stamp], 'the installation could not be noted');
  return programs;
}

async function mustRun([program, ...args]: readonly string[], sentence: string): Promise<void> {
  const { code, stderr } = await runCommand(program as string, args);
  if (code !== 0) throw new UnavailableError(`${sentence}: ${stderr.trim().split('\n').at(-1)}`);
}
