import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workFolder } from '../work-folder.ts';
import type { Target } from './target.ts';

const sources = [new URL('../limits/main.ts', import.meta.url), new URL('../limits/commit-group.ts', import.meta.url)];
const plainFolder = join(workFolder, 'limits');

/** The bar that a durable server has to be held against: see `limits/main.ts`. */
export const naiveDurable = 'naive-durable';

/** Bare Node servers, from the cheapest to the one that does all that a naive server would. */
export const limits: readonly Target[] = [
  limit('echo', 'echo', 'nothing: a socket is answered'),
  limit('receive', 'receive', 'nothing: the body is read'),
  limit('parse', 'parse', 'nothing: the body is parsed'),
  limit('naive-memory', 'memory', 'memory only'),
  limit(naiveDurable, 'durable', 'one fdatasync a group of calls'),
];

function limit(name: string, step: string, mode: string): Target {
  return {
    name,
    kind: 'limit',
    mode,
    prepare: makePlain,
    command: ({ port, folder }) => ({
      args: [join(plainFolder, 'main.js'), step, String(port), join(folder, 'appended.log')],
    }),
  };
}

/** Plain JavaScript of the sources: a limit must not carry the compiler that Node loads to run TypeScript. */
function makePlain(): void {
  mkdirSync(plainFolder, { recursive: true });
  writeFileSync(join(plainFolder, 'package.json'), '{ "type": "module" }\n');
  for (const source of sources) {
    const code = stripTypeScriptTypes(readFileSync(source, 'utf8')).replaceAll(".ts';", ".js';");
    writeFileSync(join(plainFolder, basename(fileURLToPath(source)).replace('.ts', '.js')), code);
  }
}
