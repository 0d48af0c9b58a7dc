import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const workspace = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Root of the repository. */
export const repositoryFolder: string = dirname(workspace);

/** A file of this workspace. */
export function workspaceFile(path: string): string {
  return join(workspace, path);
}

/** Where suites install what they need; kept from run to run, not in git. */
export function workFolder(name: string): string {
  const folder = join(workspace, '.work', name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A folder for as long as it is needed. */
export interface FreshFolder {
  readonly path: string;
  remove(): void;
}

/** A new empty folder, to be removed by who asked for it; the end of the process removes it, too. */
export function freshFolder(purpose: string): FreshFolder {
  const path = mkdtempSync(join(workFolder('runs'), `${purpose}-`));
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(path, { recursive: true, force: true });
  };
  process.once('exit', remove);
  return { path, remove };
}
