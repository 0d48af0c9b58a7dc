/**
 * Generates `docs/reference/client.md`: all that `@millrace/client` exports, with its documentation, from the declarations that the compiler
 * has made (`client/dist`). A diff there is a change of the public interface.
 *
 * - no argument: writes the file
 * - `--check`: writes nothing; ends with 1 when the file is stale
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const page = 'docs/reference/client.md';
const entries = {
  '@millrace/client': 'client/dist/index.d.ts',
  '@millrace/client/dynamodb': 'client/dist/dynamodb.d.ts',
};

/** Name and declaration of everything that a module exports, in order. */
function exportsOf(path: string): Map<string, string> {
  const text = readFileSync(path, 'utf8');
  const found = new Map(declarationsOf(text));
  for (const [, names, from] of text.matchAll(/^export (?:type )?(\*|\{[^}]*\}) from '([^']+)';$/gm)) {
    const all = exportsOf(join(dirname(path), (from as string).replace(/\.ts$/, '.d.ts')));
    if (names === '*') for (const [name, declaration] of all) found.set(name, declaration);
    else for (const name of namesIn(names as string)) found.set(name, declarationIn(all, name, path));
  }
  return found;
}

function namesIn(list: string): string[] {
  return [...list.matchAll(/(?:type )?(\w+)/g)].map(([, name]) => name as string);
}

function declarationIn(all: ReadonlyMap<string, string>, name: string, path: string): string {
  const declaration = all.get(name);
  if (declaration === undefined) throw new Error(`${path} exports ${name}, whose declaration was not found`);
  return declaration;
}

/** The compiler begins each statement in the first column, and ends it there, too. */
function* declarationsOf(text: string): Iterable<[name: string, declaration: string]> {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const start = at;
    if (lines[at]?.startsWith('/**') === true) while (lines[at]?.endsWith('*/') === false) at++;
    if (at > start || lines[at]?.startsWith('/**') === true) at++;
    const [, name] = /^export (?:declare )?(?:class|interface|type|const|function) (\w+)/.exec(lines[at] ?? '') ?? [];
    if (name === undefined) continue;
    while (!/^(\S.*;|\})$/.test(lines[at] as string)) at++;
    yield [
      name,
      lines
        .slice(start, at + 1)
        .filter(isPublic)
        .map(indentLess)
        .join('\n'),
    ];
  }
}

function isPublic(line: string): boolean {
  return !/^\s+(#private|private constructor\(\));$/.test(line);
}

function indentLess(line: string): string {
  return line.replace(/^( {4})+/, (spaces) => ' '.repeat(spaces.length / 2));
}

const sections = Object.entries(entries).map(([name, path]) => {
  const declarations = [...exportsOf(path)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, declaration]) => declaration);
  return `## \`${name}\`\n\n\`\`\`ts\n${declarations.join('\n\n')}\n\`\`\`\n`;
});
const made = `<!-- Made by tools/generate-client-api.ts; do not edit. -->\n\n# Client library\n\nAll that \`@millrace/client\` exports. A guide is in its README.\n\n${sections.join('\n')}`;
if (!process.argv.includes('--check')) writeFileSync(page, made);
else if (readFileSync(page, 'utf8') !== made) {
  console.error(`${page} is stale: npm run generate, and look at what has changed`);
  process.exitCode = 1;
}
