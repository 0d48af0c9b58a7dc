import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type DeadLetter, readDeadLetter } from './letter.ts';
import { appendLetters } from './places.ts';

it('letters of several writers of a file are whole lines, however long they are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'));
  try {
    const file = join(folder, 'letters');
    const data = Buffer.alloc(1024, 'x').toString('base64');
    const letterOf = (partitionKey: string): DeadLetter => ({
      code: 'Expired',
      message: '',
      time: '',
      partitionKey,
      data,
    });
    const writers = ['a', 'b', 'c'];
    await Promise.all(
      writers.map((key) =>
        appendLetters(
          file,
          Array.from({ length: 500 }, () => letterOf(key)),
        ),
      ),
    );
    const keys = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => readDeadLetter(line).partitionKey);
    expect(keys.toSorted()).toEqual(writers.flatMap((key) => Array.from({ length: 500 }, () => key)));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
