import type { Model, Shape } from './model.ts';

/** One broken constraint, as a message tells it. */
export interface Violation {
  /** As the message shows it; undefined for null. */
  readonly value: string | undefined;
  readonly path: string;
  readonly constraint: string;
  /** Newer front-ends leave out the values of blobs, lists and maps. */
  readonly mayOmitValue: boolean;
}

/** At most so many are told of one request. */
const violationsMax = 10;

/**
 * What the service has against a request, from its model alone.
 * Source: data-streams reference §2.2.
 */
export function violationsOf(model: Model, shape: Shape, value: unknown, path: readonly string[] = []): Violation[] {
  switch (shape.type) {
    case 'structure':
      return structureViolations(model, shape, value as Readonly<Record<string, unknown>>, path);
    case 'list':
      return listViolations(model, shape, value as readonly unknown[], path);
    case 'map':
      return mapViolations(model, shape, value as Readonly<Record<string, string>>, path);
    case 'string':
    case 'blob':
    case 'integer':
    case 'long':
      return brokenConstraints(shape, value).map((constraint) => violation(model, shape, value, path, constraint));
    case 'timestamp':
    case 'boolean':
      return [];
  }
}

/** The count that a message gives. */
export function reportedCount(violations: readonly Violation[]): number {
  return Math.min(violations.length, violationsMax);
}

function structureViolations(
  model: Model,
  shape: Shape,
  value: Readonly<Record<string, unknown>>,
  path: readonly string[],
): Violation[] {
  return Object.entries(shape.members ?? {}).flatMap(([name, { shape: type }]) => {
    const memberPath = [...path, name.charAt(0).toLowerCase() + name.slice(1)];
    const item = value[name];
    if (item !== undefined && item !== null) return violationsOf(model, model.shape(type), item, memberPath);
    if (shape.required?.includes(name) !== true) return [];
    return [
      { value: undefined, path: memberPath.join('.'), constraint: 'Member must not be null', mayOmitValue: false },
    ];
  });
}

function listViolations(model: Model, shape: Shape, list: readonly unknown[], path: readonly string[]): Violation[] {
  const own = brokenLength(shape, list.length).map((constraint) => violation(model, shape, list, path, constraint));
  const element = model.shape(shape.member?.shape);
  if (element.type !== 'string') {
    const inside = list.flatMap((item, index) =>
      violationsOf(model, element, item, [...path, String(index + 1), 'member']),
    );
    return [...own, ...inside];
  }
  const isBad = list.some((item) => brokenConstraints(element, item).length > 0);
  const constraint = `Member must satisfy constraint: ${allConstraints(element)}`;
  return isBad ? [...own, violation(model, shape, list, path, constraint)] : own;
}

function mapViolations(
  model: Model,
  shape: Shape,
  map: Readonly<Record<string, string>>,
  path: readonly string[],
): Violation[] {
  const key = model.shape(shape.key?.shape);
  const item = model.shape(shape.value?.shape);
  const texts = brokenLength(shape, Object.keys(map).length);
  if (Object.keys(map).some((each) => brokenConstraints(key, each).length > 0)) {
    texts.push(`Map keys must satisfy constraint: ${allConstraints(key)}`);
  }
  if (Object.values(map).some((each) => brokenConstraints(item, each).length > 0)) {
    texts.push(`Map value must satisfy constraint: ${allConstraints(item)}`);
  }
  return texts.map((constraint) => violation(model, shape, map, path, constraint));
}

function violation(model: Model, shape: Shape, value: unknown, path: readonly string[], constraint: string): Violation {
  const mayOmitValue = shape.type === 'blob' || shape.type === 'list' || shape.type === 'map';
  return { value: shown(model, shape, value), path: path.join('.'), constraint, mayOmitValue };
}

function brokenConstraints(shape: Shape, value: unknown): string[] {
  if (typeof value === 'number') return broken(shape, value, 'value');
  const text = value as string;
  const constraints = brokenLength(shape, text.length);
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(text))
    constraints.push(patternText(shape));
  if (shape.enum !== undefined && !shape.enum.includes(text)) constraints.push(enumText(shape));
  return constraints;
}

function brokenLength(shape: Shape, length: number): string[] {
  return broken(shape, length, 'length');
}

function broken({ min, max }: Shape, size: number, what: 'value' | 'length'): string[] {
  const constraints: string[] = [];
  if (max !== undefined && size > max) constraints.push(`Member must have ${what} less than or equal to ${max}`);
  if (min !== undefined && size < min) constraints.push(`Member must have ${what} greater than or equal to ${min}`);
  return constraints;
}

/** What the strings of a list or map must satisfy, all of it. */
function allConstraints(shape: Shape): string {
  const constraints = broken(
    { type: 'string', ...(shape.max === undefined ? {} : { max: shape.max }) },
    Infinity,
    'length',
  );
  constraints.push(
    ...broken({ type: 'string', ...(shape.min === undefined ? {} : { min: shape.min }) }, -Infinity, 'length'),
  );
  if (shape.pattern !== undefined) constraints.push(patternText(shape));
  if (shape.enum !== undefined) constraints.push(enumText(shape));
  return `[${constraints.join(', ')}]`;
}

function patternText({ pattern }: Shape): string {
  return `Member must satisfy regular expression pattern: ${pattern}`;
}

function enumText(shape: Shape): string {
  return `Member must satisfy enum value set: [${[...(shape.enum ?? [])].sort().join(', ')}]`;
}

/** As Java prints it; the hash of a structure is `#`. */
function shown(model: Model, shape: Shape, value: unknown): string {
  if (value instanceof Uint8Array) return `java.nio.HeapByteBuffer[pos=0 lim=${value.length} cap=${value.length}]`;
  if (Array.isArray(value)) {
    const element = shape.member?.shape;
    const isStructure = model.shape(element).type === 'structure';
    return `[${value.map((item) => (isStructure ? `com.amazonaws.kinesis.v20131202.${element}@#` : String(item))).join(', ')}]`;
  }
  if (typeof value !== 'object' || value === null) return String(value as string | number);
  const entries = Object.entries(value).map(([key, item]) => `${key}=${item}`);
  return `{${entries.join(', ')}}`;
}
