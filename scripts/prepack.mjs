// Before `npm pack` of a published package, in its folder: a fresh build, and the named files of the root.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
execFileSync(process.execPath, [join(root, 'scripts/run.mjs'), 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
for (const name of process.argv.slice(2)) copyFileSync(join(root, name), name);
