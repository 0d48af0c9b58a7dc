import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const benchFolder = dirname(dirname(fileURLToPath(import.meta.url)));

export const repositoryFolder: string = dirname(benchFolder);

/** Peers, data of the servers and what they print; not committed. */
export const workFolder: string = join(benchFolder, '.work');

export const resultsFolder: string = join(benchFolder, 'results');

/** @returns an existing folder on the disk that is measured */
export function prepareWorkFolder(): string {
  mkdirSync(join(workFolder, 'data'), { recursive: true });
  mkdirSync(resultsFolder, { recursive: true });
  return workFolder;
}
