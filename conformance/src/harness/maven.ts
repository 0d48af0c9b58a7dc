import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UnavailableError } from './checks.ts';
import { runCommand } from './command.ts';
import { workFolder, workspaceFile } from './folders.ts';

/** What a Java program runs with. */
export interface JavaProgram {
  readonly classPath: string;
  readonly dependencyFolder: string;
}

/**
 * Builds with Maven what has changed since the last time.
 *
 * @param project   folder of this workspace with a `pom.xml` that takes `build.folder` and copies its dependencies there
 * @throws UnavailableError
 */
export async function buildWithMaven(project: string): Promise<JavaProgram> {
  const folder = workFolder(project);
  const dependencyFolder = join(folder, 'dependencies');
  const program = {
    classPath: [join(folder, 'classes'), join(dependencyFolder, '*')].join(delimiter),
    dependencyFolder,
  };
  const stamp = join(folder, 'built');
  const sources = hashOf(workspaceFile(project));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return program;
  for (const made of ['classes', 'dependencies']) rmSync(join(folder, made), { recursive: true, force: true });
  const args = ['-q', '-B', '-f', workspaceFile(`${project}/pom.xml`), `-Dbuild.folder=${folder}`, 'package'];
  const { code, stdout, stderr } = await runCommand('mvn', args);
  if (code === 127) throw new UnavailableError('Maven and Java 17 are needed: there is no program mvn.');
  if (code !== 0) throw new UnavailableError(`Maven could not build ${project}: ${(stdout + stderr).slice(-1500)}`);
  writeFileSync(stamp, sources);
  return program;
}

function hashOf(folder: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex');
}
