import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mutations } from './catalog.ts';
import { applyEdit } from './mutation.ts';

test.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
  'the mutation "%s" fits the source as it is',
  (_, { edits }) => {
    const texts = new Map<string, string>();
    for (const edit of edits) {
      const before = texts.get(edit.file) ?? readFileSync(edit.file, 'utf8');
      const after = applyEdit(before, edit);
      expect(after).not.toBe(before);
      texts.set(edit.file, after);
    }
  },
);

test('a mutation whose text has gone is refused', () => {
  const edit = { file: 'a.ts', from: 'one', to: 'two' };
  expect(() => applyEdit('nothing', edit)).toThrow('a.ts holds 0 times');
  expect(() => applyEdit('one one', edit)).toThrow('a.ts holds 2 times');
});
