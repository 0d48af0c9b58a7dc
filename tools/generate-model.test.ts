import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from './generate-model-code.ts';
import type { ModelFile } from './models/format.ts';

const root = new URL('../', import.meta.url);
const model = JSON.parse(readFileSync(new URL('tools/models/kinesis.json', root), 'utf8')) as ModelFile;

describe('generatedFiles', () => {
  it('gives what is in the repository', () => {
    for (const [name, text] of generatedFiles(model)) {
      expect(readFileSync(new URL(`platform/src/model/generated/${name}`, root), 'utf8') === text, name).toBe(true);
    }
  });

  it('refuses a shape that contains itself, and one that is not there', () => {
    const withItem = (shape: string): ModelFile => ({
      ...model,
      shapes: { ...model.shapes, StreamNameList: { type: 'list', member: { shape } } },
    });
    expect(() => generatedFiles(withItem('StreamNameList'))).toThrow('StreamNameList contains itself');
    expect(() => generatedFiles(withItem('Nothing'))).toThrow('the model does not define Nothing');
  });

  it('has no prose in the model', () => {
    expect(JSON.stringify(model)).not.toContain('"documentation"');
  });
});
