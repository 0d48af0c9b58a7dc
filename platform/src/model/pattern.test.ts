import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wholeValuePattern } from './pattern.ts';

const file = JSON.parse(readFileSync(new URL('../../../tools/models/kinesis.json', import.meta.url), 'utf8')) as {
  shapes: Record<string, { pattern?: string }>;
};
const patterns = [...new Set(Object.values(file.shapes).flatMap(({ pattern }) => pattern ?? []))];

describe('wholeValuePattern', () => {
  it('matches the whole value only', () => {
    expect(wholeValuePattern('0|([1-9]\\d{0,3})').test('12345')).toBe(false);
    expect(wholeValuePattern('a|b').test('ac')).toBe(false);
    expect(wholeValuePattern('[a-z]+').test('ab\n')).toBe(false);
  });

  it('takes escapes that only the older syntax allows', () => {
    expect(wholeValuePattern('a\\-b').test('a-b')).toBe(true);
  });

  it.each(patterns)('accepts exactly what the plain pattern accepts: %s', (pattern) => {
    const plain = new RegExp(`^(?:${pattern})$`);
    const compiled = wholeValuePattern(pattern);
    const pieces = ['arn', ':', 'arn:aws', ':kinesis:', 'us-east-1', ':123456789012:', '123456789012', 'stream/', 'a', '0', '1', '/consumer/', 'x:1', ' ', '\n', 'é', 'channel/', ':s3:::', 'bucket/', ':s3tables:', ':glue:', 'schema/']; // oxfmt-ignore
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (parts) => {
        const value = parts.join('');
        expect(compiled.test(value)).toBe(plain.test(value));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 4 }), fc.nat(8), (parts, at) => {
        const good = ['arn:aws', ':kinesis:', 'eu-west-1', ':123456789012:', 'stream/name', '/consumer/', 'c:1'];
        const value = good.toSpliced(at, 0, ...parts).join('');
        expect(compiled.test(value)).toBe(plain.test(value));
      }),
      { numRuns: 300 },
    );
  });

  it.each(patterns)('answers quickly for a hostile value: %s', (pattern) => {
    const compiled = wholeValuePattern(pattern);
    const values = [
      `arn:aws${':kinesis:'.repeat(120)}${':123456789012:'.repeat(100)}${'stream/a/consumer/'.repeat(60)} `,
      `arn:aws${':kinesis::123456789012:stream/'.repeat(130)} `,
      `arn:aws${':kinesis::123456789012:stream/a/consumer/a'.repeat(90)} `,
      'a'.repeat(4096) + ' ',
    ];
    const start = process.cpuUsage();
    for (const value of values) compiled.test(value);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(100);
  });
});
