// Before `npm pack` of the published package: a fresh build, and the files that belong to every copy.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
execFileSync(process.execPath, [join(root, 'scripts/run.mjs'), 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
for (const name of ['README.md', 'LICENSE', 'NOTICE']) copyFileSync(join(root, name), join(root, 'platform', name));
