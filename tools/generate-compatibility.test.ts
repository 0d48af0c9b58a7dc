import { describe, expect, it } from 'vitest';
import { compatibilityDocument, faultsOf } from './generate-compatibility.ts';
import type { ModelFile } from './models/format.ts';

const model: ModelFile = {
  metadata: { targetPrefix: 'T', endpointPrefix: 'e' },
  operations: {
    Get: { name: 'Get', http: { method: 'POST', requestUri: '/' }, input: { shape: 'GetInput' } },
    Put: { name: 'Put', http: { method: 'POST', requestUri: '/' }, input: { shape: 'PutInput' } },
  },
  shapes: {
    GetInput: { type: 'structure', members: {} },
    PutInput: { type: 'structure', members: { Items: { shape: 'Items' }, Key: { shape: 'Key' } } },
    Items: { type: 'list', member: { shape: 'Item' } },
    Item: { type: 'structure', members: { Size: { shape: 'Key' } } },
    Key: { type: 'string' },
  },
};
const test = 'a.test.ts';
const faults = (entries: Parameters<typeof faultsOf>[0]): string[] => faultsOf(entries, model, (path) => path === test);

describe('faultsOf', () => {
  it('accepts what is there and tested', () => {
    const parameters = { 'Items.Size': { status: 'partial', note: 'only even ones' } } as const;
    expect(faults({ Put: { status: 'partial', test, parameters }, Get: { status: 'implemented', test } })).toEqual([]);
  });

  it('refuses operations and parameters that do not exist', () => {
    const parameters = { Size: { status: 'implemented' } } as const;
    expect(faults({ Pet: { status: 'missing' }, Put: { status: 'implemented', test, parameters } })).toEqual([
      'Pet is not an operation of the model',
      'Size is not a parameter of Put',
    ]);
  });

  it('refuses an implemented operation without an existing test', () => {
    expect(faults({ Get: { status: 'implemented' }, Put: { status: 'implemented', test: 'b.test.ts' } })).toEqual([
      'Get is implemented but names no test',
      'Put names a test that does not exist: b.test.ts',
    ]);
  });

  it('refuses an operation that claims more than its parameters', () => {
    const parameters = { Key: { status: 'missing' } } as const;
    expect(faults({ Put: { status: 'implemented', test, parameters } })).toEqual(['Put is partial, since Key is']);
  });

  it('wants a note where something differs', () => {
    expect(faults({ Put: { status: 'partial', test, parameters: { Key: { status: 'partial' } } } })).toEqual([
      'Put.Key is partial but no note says how',
    ]);
  });
});

describe('compatibilityDocument', () => {
  it('lists every operation and parameter, missing unless said', () => {
    const parameters = { Key: { status: 'partial', note: 'a | b' } } as const;
    const text = compatibilityDocument({ Put: { status: 'partial', test, parameters } }, model);
    expect(text).toContain('Of 2 operations 0 are implemented, 1 partly, 1 not yet.');
    expect(text).toContain('| [Get](#get) | missing |  |');
    expect(text).toContain('| [Put](#put) | differs | `a.test.ts` |');
    expect(text).toContain('| Items.Size | implemented |\n| Key | differs: a \\| b |');
  });
});
