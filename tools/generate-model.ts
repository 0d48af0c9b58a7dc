/**
 * Generates `platform/src/model/generated/*` from `tools/models/kinesis.json`.
 *
 * - no argument: writes the files
 * - `--check`: writes nothing; ends with 1 when a file is stale
 * - `--import DIR`: first makes `tools/models/kinesis.json` anew from botocore's `kinesis.json` and
 *   `kinesis.additions-2026-09.json` in DIR
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generatedFiles } from './generate-model-code.ts';
import { importKinesis } from './generate-model-import.ts';
import type { ModelFile } from './models/format.ts';

const root = join(import.meta.dirname, '..');
const modelFile = join(root, 'tools/models/kinesis.json');
const outFolder = join(root, 'platform/src/model/generated');

const { values } = parseArgs({ options: { check: { type: 'boolean' }, import: { type: 'string' } } });
if (values.import !== undefined) writeFileSync(modelFile, `${JSON.stringify(importKinesis(values.import), null, 1)}\n`);

const model = JSON.parse(readFileSync(modelFile, 'utf8')) as ModelFile;
mkdirSync(outFolder, { recursive: true });
for (const [name, text] of generatedFiles(model)) {
  const file = join(outFolder, name);
  const isFresh = existsSync(file) && readFileSync(file, 'utf8') === text;
  if (isFresh) continue;
  if (values.check === true) {
    console.error(`stale: platform/src/model/generated/${name} (npm run generate)`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote platform/src/model/generated/${name}`);
  }
}
