import type { Model, Shape } from '../../model/model.ts';

/** A value near a bound, or one that breaks or keeps some other constraint. */
export interface Value {
  readonly name: string;
  readonly value: unknown;
}

/** A string that matches a pattern, by what it begins with and what may follow any number of times. */
interface Sample {
  readonly start: string;
  readonly more: string;
  /** Texts that match, or do not. */
  readonly others: readonly string[];
}

const arn = (account: string): string => `arn:aws:kinesis:us-east-1:${account}:stream/a`;
const wrongArns = [
  'a',
  'arn:aws:kinesis:us-east-1:123:stream/a',
  'arn:aws:s3:us-east-1:123456789012:stream/a',
  `${arn('123456789012')} b`,
];
const wrongNumbers = ['', '0', '00', '01', '-1', '1.0', 'a', ' 1'];
const samples: Readonly<Record<string, Sample>> = {
  '[a-zA-Z0-9_.-]+': { start: 'a', more: 'Z', others: ['a b', 'a/b', 'é', 'a\n', '._-'] },
  'arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+': { start: arn('123456789012'), more: 'b', others: wrongArns },
  'arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+': { start: arn('123456789012'), more: 'b', others: wrongArns },
  '^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+': {
    start: `${arn('123456789012')}/consumer/c:1`,
    more: '2',
    others: [
      ...wrongArns,
      arn('123456789012'),
      `${arn('123456789012')}/consumer/c`,
      `${arn('123456789012')}/consumer/c:1a`,
    ],
  },
  '[a-z0-9]{20}-[a-z0-9]{3}': {
    start: 'abcdefghij0123456789-abc',
    more: 'd',
    others: ['ABCDEFGHIJ0123456789-abc', 'a'],
  },
  '0|([1-9]\\d{0,38})': { start: '1', more: '0', others: [...wrongNumbers, ...digitsAround(39)] },
  '0|([1-9]\\d{0,128})': { start: '1', more: '0', others: [...wrongNumbers, ...digitsAround(129)] },
};

function digitsAround(count: number): string[] {
  return [count - 1, count, count + 1].map((length) => '1'.padEnd(length, '0'));
}

/** A sound value, as small as may be. */
export function soundValue(model: Model, shape: Shape): unknown {
  switch (shape.type) {
    case 'structure': {
      const members = (shape.required ?? []).map((name) => [
        name,
        soundValue(model, model.shape(shape.members?.[name]?.shape)),
      ]);
      return Object.fromEntries(members);
    }
    case 'list':
      return [soundValue(model, model.shape(shape.member?.shape))];
    case 'map':
      return { k: 'v' };
    case 'string':
      return shape.enum?.[0] ?? sampleOf(shape).start;
    case 'integer':
    case 'long':
      return shape.min ?? 1;
    case 'blob':
      return Uint8Array.of(1);
    case 'timestamp':
      return 1;
    case 'boolean':
      return false;
  }
}

/** Values just below, at and just above every bound of a shape, and around its pattern or enumeration. */
export function valuesAround(model: Model, shape: Shape): Value[] {
  switch (shape.type) {
    case 'string':
      return stringsAround(shape);
    case 'integer':
    case 'long':
      return sizesAround(shape).map((value) => ({ name: String(value), value }));
    case 'blob':
      return lengthsAround(shape).map((length) => ({ name: `${length} bytes`, value: new Uint8Array(length) }));
    case 'list':
      return listsAround(model, shape);
    case 'map':
      return mapsAround(model, shape);
    case 'structure':
    case 'timestamp':
    case 'boolean':
      return [];
  }
}

function sampleOf({ pattern }: Shape): Sample {
  if (pattern === undefined) return { start: 'a', more: 'a', others: [] };
  const sample = samples[pattern];
  if (sample === undefined) throw new Error(`there is no sample of the pattern ${pattern}: add one`);
  return sample;
}

function stringsAround(shape: Shape): Value[] {
  const { start, more, others } = sampleOf(shape);
  const ofLength = (length: number): Value => ({
    name: `${length} characters`,
    value: length <= start.length ? start.slice(0, length) : start.padEnd(length, more),
  });
  // Characters of two bytes count once.
  const wide =
    shape.pattern === undefined && shape.max !== undefined && shape.max < 1000 ? [shape.max, shape.max + 1] : [];
  return [
    ...lengthsAround(shape).map(ofLength),
    ...wide.map((length) => ({ name: `${length} characters of two bytes`, value: 'é'.repeat(length) })),
    ...[...(shape.enum ?? []), ...others].map((value) => ({ name: JSON.stringify(value), value })),
    ...(shape.enum === undefined
      ? []
      : ['', 'NO_SUCH', shape.enum[0]?.toLowerCase()].map((value) => ({ name: `"${value}"`, value }))),
  ];
}

function listsAround(model: Model, shape: Shape): Value[] {
  const element = model.shape(shape.member?.shape);
  const sound = soundValue(model, element);
  const lists = lengthsAround(shape).map((length) => ({
    name: `${length} elements`,
    value: Array.from({ length }, () => sound),
  }));
  if (element.type !== 'string') return lists;
  return [
    ...lists,
    ...valuesAround(model, element).map(({ name, value }) => ({
      name: `an element of ${name}`,
      value: [sound, value],
    })),
  ];
}

function mapsAround(model: Model, shape: Shape): Value[] {
  const mapOf = (length: number): object =>
    Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, 'v']));
  const around = (
    part: { readonly shape: string } | undefined,
    what: string,
    make: (value: string) => object,
  ): Value[] =>
    valuesAround(model, model.shape(part?.shape)).map(({ name, value }) => ({
      name: `a ${what} of ${name}`,
      value: make(value as string),
    }));
  return [
    ...lengthsAround(shape).map((length) => ({ name: `${length} entries`, value: mapOf(length) })),
    ...around(shape.key, 'key', (value) => ({ a: 'v', [value]: 'v' })),
    ...around(shape.value, 'value', (value) => ({ a: 'v', b: value })),
  ];
}

function sizesAround({ min, max }: Shape): number[] {
  const sizes = [min, max].flatMap((bound) => (bound === undefined ? [] : [bound - 1, bound, bound + 1]));
  return [...new Set(sizes)];
}

function lengthsAround(shape: Shape): number[] {
  return sizesAround(shape).filter((length) => length >= 0);
}
