/**
 * Every constraint of every member of every request, just below, at and just above its bound. Values and expectations
 * are made from `tools/models/kinesis.json` alone.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileReader, kinesis, ValidationException, type RequestReader } from './index.ts';

interface FileShape {
  type: string;
  members?: Record<string, { shape: string }>;
  required?: string[];
  member?: { shape: string };
  key?: { shape: string };
  value?: { shape: string };
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
}
const file = JSON.parse(readFileSync(new URL('../../../tools/models/kinesis.json', import.meta.url), 'utf8')) as {
  operations: Record<string, { input: { shape: string } }>;
  shapes: Record<string, FileShape>;
};

function shapeNamed(name: string | undefined): FileShape {
  const shape = file.shapes[name as string];
  if (shape === undefined) throw new Error(`no shape ${name}`);
  return shape;
}

/** Per pattern of the model: a matching beginning, and what may follow it any number of times. */
const beginnings: Readonly<Record<string, readonly [string, string]>> = {
  '[a-zA-Z0-9_.-]+': ['a', 'Z'],
  'arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+': ['arn:aws:kinesis:eu-west-1:123456789012:stream/a', 'b'],
  'arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+': ['arn:aws:kinesis:eu-west-1:123456789012:stream/a', 'b'],
  '^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+': [
    'arn:aws:kinesis:eu-west-1:123456789012:stream/a/consumer/b:1',
    '7',
  ],
  'arn:aws.*:kinesis:.*:\\d{12}:channel/\\S+': ['arn:aws:kinesis:eu-west-1:123456789012:channel/a', 'b'],
  '[a-z0-9]{20}-[a-z0-9]{3}': ['abcdefghij0123456789-abc', ''],
  '0|([1-9]\\d{0,38})': ['1', '0'],
  '0|([1-9]\\d{0,128})': ['1', '0'],
  'arn:aws[-a-z0-9]*:s3:::[a-z0-9._-]{3,63}': ['arn:aws:s3:::abc', ''],
  '\\d{12}': ['123456789012', ''],
  "^[0-9A-Za-z!_'.*()/=:{} -]+$": ['a', 'b'],
  "[0-9A-Za-z!\\-_'.*()\\/]+": ['a', 'b'],
  'arn:aws[-a-z0-9]*:s3tables:[-a-z0-9]+:\\d{12}:bucket/[a-z0-9_-]{3,63}': [
    'arn:aws:s3tables:eu-west-1:123456789012:bucket/abc',
    '',
  ],
  '[0-9a-z_]+': ['a', 'b'],
  '^[a-zA-Z0-9._]+$': ['a', 'b'],
  'arn:aws[-a-z0-9]*:glue:[-a-z0-9]+:\\d{12}:schema/[-a-zA-Z0-9_$#.]+/[-a-zA-Z0-9_$#.]+': [
    'arn:aws:glue:eu-west-1:123456789012:schema/r/s',
    't',
  ],
  '[^:*]*': ['a', 'b'],
};

/** A string of `length` that matches the shape's pattern where one of that length exists. */
function stringOf(shape: FileShape, length: number): string {
  if (shape.pattern === undefined) return 'a'.repeat(length);
  const [start, more] = beginnings[shape.pattern] as readonly [string, string];
  return length <= start.length ? start.slice(0, length) : start + (more || 'x').repeat(length - start.length);
}

/** A sound value, every optional member present. */
function sample(name: string): unknown {
  const shape = shapeNamed(name);
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(
        Object.entries(shape.members ?? {}).map(([member, { shape: type }]) => [member, sample(type)]),
      );
    case 'list':
      return Array.from({ length: Math.max(shape.min ?? 1, 1) }, () => sample(shape.member?.shape as string));
    case 'map':
      return { key: sample(shape.value?.shape as string) };
    case 'string':
      if (shape.enum !== undefined) return shape.enum[0];
      return shape.pattern === undefined ? 'a' : beginnings[shape.pattern]?.[0];
    case 'integer':
    case 'long':
      return shape.min ?? 1;
    case 'blob':
      return new Uint8Array(shape.min ?? 0);
    case 'timestamp':
      return 1_441_215_410_867;
    default:
      return true;
  }
}

type Step = string | number;
interface Site {
  steps: readonly Step[];
  shapeName: string;
  isRequired: boolean;
}

/** Every member of a request, at any depth, and how to get there. */
function sitesOf(shapeName: string, steps: readonly Step[]): Site[] {
  const shape = shapeNamed(shapeName);
  if (shape.type === 'list') return sitesOf(shape.member?.shape as string, [...steps, 0]);
  return Object.entries(shape.members ?? {}).flatMap(([member, { shape: type }]) => [
    { steps: [...steps, member], shapeName: type, isRequired: shape.required?.includes(member) ?? false },
    ...sitesOf(type, [...steps, member]),
  ]);
}

function pathText(steps: readonly Step[]): string {
  return steps
    .map((step) => (typeof step === 'number' ? `${step + 1}.member` : step.charAt(0).toLowerCase() + step.slice(1)))
    .join('.');
}

/** The sample request of an operation with another value at one place. */
function requestWith(operation: string, steps: readonly Step[], value: unknown): unknown {
  const request = sample(file.operations[operation]?.input.shape as string);
  let at = request as Record<Step, unknown>;
  for (const step of steps.slice(0, -1)) at = at[step] as Record<Step, unknown>;
  at[steps.at(-1) as Step] = value;
  return request;
}

/** What the service says of a scalar: pattern, enumeration, longest, shortest. */
function brokenTexts(shape: FileShape, value: unknown): string[] {
  const size = typeof value === 'number' ? value : sizeOf(value);
  const what = typeof value === 'number' ? 'value' : 'length';
  const texts: string[] = [];
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(value as string)) {
    texts.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
  if (shape.enum !== undefined && !shape.enum.includes(value as string)) {
    texts.push(`Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  }
  if (shape.max !== undefined && size > shape.max) {
    texts.push(`Member must have ${what} less than or equal to ${shape.max}`);
  }
  if (shape.min !== undefined && size < shape.min) {
    texts.push(`Member must have ${what} greater than or equal to ${shape.min}`);
  }
  return texts;
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array) return value.length;
  return Object.keys(value as object).length;
}

/** The constraints of the strings in a list or map, all of them. */
function allTexts(shape: FileShape): string {
  const texts: string[] = [];
  if (shape.pattern !== undefined) texts.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  if (shape.enum !== undefined) texts.push(`Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  if (shape.max !== undefined) texts.push(`Member must have length less than or equal to ${shape.max}`);
  if (shape.min !== undefined) texts.push(`Member must have length greater than or equal to ${shape.min}`);
  return `[${texts.join(', ')}]`;
}

function shown(value: unknown, shape: FileShape): string {
  if (value instanceof Uint8Array) return `java.nio.HeapByteBuffer[pos=0 lim=${value.length} cap=${value.length}]`;
  if (Array.isArray(value)) {
    const element = shape.member?.shape as string;
    const isStructure = shapeNamed(element).type === 'structure';
    const texts = value.map((item) => (isStructure ? `com.amazonaws.kinesis.v20131202.${element}@#` : String(item)));
    return `[${texts.join(', ')}]`;
  }
  if (typeof value !== 'object') return String(value as string | number);
  return `{${Object.entries(value as object)
    .map(([key, item]) => `${key}=${item}`)
    .join(', ')}}`;
}

interface Case {
  value: unknown;
  /** Constraint texts that must be reported, in order. */
  texts: readonly string[];
}

/** Values around every bound of a shape. */
function casesOf(shape: FileShape): Case[] {
  const around = [shape.min, shape.max].flatMap((bound) => (bound === undefined ? [] : [bound - 1, bound, bound + 1]));
  const sizes = [...new Set(around)].filter((size) => size >= 0 || shape.type === 'integer' || shape.type === 'long');
  const own = (value: unknown): Case => ({ value, texts: brokenTexts(shape, value) });
  switch (shape.type) {
    case 'string': {
      const lengths = sizes.map((size) => stringOf(shape, size));
      const wrong = shape.pattern === undefined && shape.enum === undefined ? [] : ['', ':*\u00e9 ;', 'no'];
      // The longest match and one more, for patterns that carry the only bound.
      const digits = /\\d\{0,(\d+)\}/.exec(shape.pattern ?? '')?.[1];
      const long = digits === undefined ? [] : [-1, 0, 1].map((more) => '1'.repeat(Number(digits) + 1 + more));
      return [...lengths, ...(shape.enum ?? []), ...wrong, ...long].map(own);
    }
    case 'integer':
    case 'long':
      return sizes.map(own);
    case 'blob':
      return sizes.map((size) => own(new Uint8Array(size)));
    case 'list': {
      const element = sample(shape.member?.shape as string);
      return [...sizes.map((size) => own(Array.from({ length: size }, () => element))), ...elementCases(shape)];
    }
    case 'map': {
      const maps = sizes.map((size) =>
        Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, 'v'])),
      );
      return [...maps.map(own), ...entryCases(shape)];
    }
    default:
      return [];
  }
}

/** Strings in a list: the list is blamed, once, with everything its elements must satisfy. */
function elementCases(shape: FileShape): Case[] {
  const element = shapeNamed(shape.member?.shape);
  if (element.type !== 'string') return [];
  return casesOf(element).map(({ value, texts }) => ({
    value: [sample(shape.member?.shape as string), value, value],
    texts: texts.length === 0 ? [] : [`Member must satisfy constraint: ${allTexts(element)}`],
  }));
}

function entryCases(shape: FileShape): Case[] {
  const key = shapeNamed(shape.key?.shape);
  const item = shapeNamed(shape.value?.shape);
  return [
    ...casesOf(key).map(({ value, texts }) => ({
      value: { a: 'v', [value as string]: 'v' },
      texts: texts.length === 0 ? [] : [`Map keys must satisfy constraint: ${allTexts(key)}`],
    })),
    ...casesOf(item).map(({ value, texts }) => ({
      value: { a: 'v', b: value },
      texts: texts.length === 0 ? [] : [`Map value must satisfy constraint: ${allTexts(item)}`],
    })),
  ];
}

/** `undefined` when the request is sound; hashes of structures are left out. */
function complaint(read: RequestReader, request: unknown): string | undefined {
  try {
    read(request, 'cbor');
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ValidationException);
    return (error as Error).message.replaceAll(/@[0-9a-f]+/g, '@#');
  }
}

function expectComplaint(actual: string | undefined, texts: readonly string[], value: string, path: string): void {
  if (texts.length === 0) {
    expect(actual, path).toBeUndefined();
    return;
  }
  const plural = texts.length === 1 ? '' : 's';
  const expected = texts.map((text) => `Value ${value} at '${path}' failed to satisfy constraint: ${text}`);
  const whole = `${texts.length} validation error${plural} detected: ${expected.join('; ')}`;
  if (whole.length < 32_000) {
    expect(actual, path).toBe(whole);
  } else {
    // Longer values are cut somewhere; the rest is as ever.
    expect(actual?.startsWith(whole.slice(0, 32_000)), path).toBe(true);
    expect(actual?.endsWith(whole.slice(whole.lastIndexOf("' at '"))), path).toBe(true);
  }
}

describe.each(Object.keys(file.operations))('constraints of %s', (operation) => {
  const read = compileReader(kinesis, operation);
  const sites = sitesOf(file.operations[operation]?.input.shape as string, []);

  it('accepts a sound request', () => {
    expect(complaint(read, sample(file.operations[operation]?.input.shape as string))).toBeUndefined();
  });

  it.each(sites.map((site) => [site.steps.join('.'), site] as const))('%s', (_path, site) => {
    const path = pathText(site.steps);
    const required = site.isRequired ? ['Member must not be null'] : [];
    for (const absent of [undefined, null]) {
      expectComplaint(complaint(read, requestWith(operation, site.steps, absent)), required, 'null', path);
    }
    const shape = shapeNamed(site.shapeName);
    for (const { value, texts } of casesOf(shape)) {
      const actual = complaint(read, requestWith(operation, site.steps, value));
      expectComplaint(actual, texts, `'${shown(value, shape)}'`, path);
    }
  });
});

it('covers every pattern that a request has', () => {
  for (const [name, shape] of Object.entries(file.shapes)) {
    if (shape.pattern === undefined) continue;
    expect(Object.keys(beginnings), name).toContain(shape.pattern);
    expect(sample(name), name).toMatch(new RegExp(`^(?:${shape.pattern})$`));
  }
});
