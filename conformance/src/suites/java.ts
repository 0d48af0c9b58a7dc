import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UnavailableError, type Checks } from '../harness/checks.ts';
import { runCommand } from '../harness/command.ts';
import { workFolder, workspaceFile } from '../harness/folders.ts';
import { runReportingProgram } from '../harness/reporting-program.ts';
import type { Target } from '../harness/target.ts';

export async function javaSuite(target: Target, checks: Checks): Promise<void> {
  const folder = await build();
  const classPath = [join(folder, 'classes'), join(folder, 'dependencies', '*')].join(delimiter);
  await runReportingProgram(target, checks, ['java', '-cp', classPath, 'millrace.conformance.Main']);
}

/** Compiles with Maven what has changed since the last time; gives the folder with classes and dependencies. */
async function build(): Promise<string> {
  const folder = workFolder('java');
  const stamp = join(folder, 'built');
  const sources = hashOf(workspaceFile('java'));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return folder;
  for (const made of ['classes', 'dependencies']) rmSync(join(folder, made), { recursive: true, force: true });
  const args = ['-q', '-B', '-f', workspaceFile('java/pom.xml'), `-Dbuild.folder=${folder}`, 'package'];
  const { code, stdout, stderr } = await runCommand('mvn', args);
  if (code === 127) throw new UnavailableError('Maven and Java 17 are needed: there is no program mvn.');
  if (code !== 0)
    throw new UnavailableError(`Maven could not build the Java program: ${(stdout + stderr).slice(-1500)}`);
  writeFileSync(stamp, sources);
  return folder;
}

function hashOf(folder: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex');
}
