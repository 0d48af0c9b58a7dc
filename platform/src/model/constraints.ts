/**
 * Checks typed values against the bounds, patterns, enumerations and required members of their shapes.
 * Wording and order within a value (pattern, enumeration, then bounds) are from recorded messages of the service.
 */
import { wholeValuePattern } from './pattern.ts';
import type { BlobShape, ListShape, MapShape, NumberShape, Shape, StringShape, StructureShape } from './shape.ts';
import type { Violations } from './violations.ts';

/** Reports what is wrong with a value that is not absent. Bounded by the shapes, not by the value. */
export type Check = (value: unknown, violations: Violations) => void;

/** Longest value a pattern is tried on when the value is too long anyway, in UTF-16 code units. */
const patternCharactersMax = 4096;
const mustNotBeNull = 'Member must not be null';

/** One constraint of a scalar and the text that names it. */
interface Constraint {
  readonly text: string;
  readonly isMet: (value: never) => boolean;
}

/** The check of a structure and of everything in it. */
export function compileCheck(shape: StructureShape): Check {
  const members = shape.members.map((member) => ({
    name: member.name,
    pathName: member.name.charAt(0).toLowerCase() + member.name.slice(1),
    shape: member.shape,
    isRequired: member.required,
    isSound: quickTest(member.shape),
    check: checkOf(member.shape),
  }));
  return (value, violations) => {
    const structure = value as Readonly<Record<string, unknown>>;
    for (const member of members) {
      const item = structure[member.name];
      if (item === undefined ? !member.isRequired : member.isSound?.(item) === true) continue;
      violations.enter(member.pathName);
      if (item === undefined) violations.add(undefined, member.shape, mustNotBeNull);
      else member.check(item, violations);
      violations.leave();
    }
  };
}

function checkOf(shape: Shape): Check {
  switch (shape.kind) {
    case 'structure':
      return compileCheck(shape);
    case 'list':
      return listCheck(shape);
    case 'map':
      return mapCheck(shape);
    case 'string':
    case 'integer':
    case 'long':
    case 'blob':
      return scalarCheck(shape);
    case 'timestamp':
    case 'boolean':
      return () => {};
  }
}

/** Says `true` only of a value without violations. */
type QuickTest = (value: unknown) => boolean;

/** Spares sound values the bookkeeping. `undefined` for shapes that always need the full check. */
function quickTest(shape: Shape): QuickTest | undefined {
  switch (shape.kind) {
    case 'structure':
      return quickStructureTest(shape);
    case 'list':
    case 'map':
      return undefined;
    case 'timestamp':
    case 'boolean':
      return () => true;
    case 'integer':
    case 'long': {
      const { min = -Infinity, max = Infinity } = shape;
      return (value) => (value as number) >= min && (value as number) <= max;
    }
    case 'string':
    case 'blob':
      return quickLengthTest(shape);
  }
}

function quickLengthTest(shape: StringShape | BlobShape): QuickTest {
  const { min = 0, max = Infinity } = shape;
  const isLengthSound = (value: unknown): boolean => {
    const { length } = value as string | Uint8Array;
    return length >= min && length <= max;
  };
  if (shape.kind === 'blob' || (shape.pattern === undefined && shape.values === undefined)) return isLengthSound;
  const others = [...patternConstraints(shape), ...valueConstraints(shape)];
  return (value) => isLengthSound(value) && meetsAll(value, others);
}

function quickStructureTest(shape: StructureShape): QuickTest | undefined {
  const names = shape.members.map((member) => member.name);
  const isRequired = shape.members.map((member) => member.required);
  const tests = shape.members.map((member) => quickTest(member.shape)).filter((test) => test !== undefined);
  if (tests.length < names.length) return undefined;
  return (value) => {
    const structure = value as Readonly<Record<string, unknown>>;
    for (let index = 0; index < tests.length; index++) {
      const item = structure[names[index] as string];
      if (item === undefined ? isRequired[index] === true : !(tests[index] as QuickTest)(item)) return false;
    }
    return true;
  };
}

function scalarCheck(shape: StringShape | NumberShape | BlobShape): Check {
  const constraints = constraintsOf(shape);
  return (value, violations) => {
    for (const constraint of constraints) {
      if (!constraint.isMet(value as never)) violations.add(value, shape, constraint.text);
    }
  };
}

function constraintsOf(shape: StringShape | NumberShape | BlobShape): readonly Constraint[] {
  switch (shape.kind) {
    case 'string':
      return [...patternConstraints(shape), ...valueConstraints(shape), ...lengthConstraints(shape)];
    case 'blob':
      return lengthConstraints(shape);
    case 'integer':
    case 'long':
      return numberConstraints(shape);
  }
}

/**
 * A value that is too long is told so; whether it also breaks the pattern is not looked into when it is very long.
 * Assumed: nobody reads the second message then, and matching must stay cheap.
 */
function patternConstraints(shape: StringShape): Constraint[] {
  if (shape.pattern === undefined) return [];
  const pattern = wholeValuePattern(shape.pattern);
  const lengthMax = shape.max === undefined ? Infinity : Math.max(shape.max, patternCharactersMax);
  return [
    {
      text: `Member must satisfy regular expression pattern: ${shape.pattern}`,
      isMet: (value: string) => value.length > lengthMax || pattern.test(value),
    },
  ];
}

function valueConstraints(shape: StringShape): Constraint[] {
  if (shape.values === undefined) return [];
  const values = new Set(shape.values);
  return [
    {
      text: `Member must satisfy enum value set: [${shape.values.join(', ')}]`,
      isMet: (value: string) => values.has(value),
    },
  ];
}

/** Assumed: a string's length is counted in UTF-16 code units, as Java's `length()` does. */
function lengthConstraints(shape: {
  readonly min: number | undefined;
  readonly max: number | undefined;
}): Constraint[] {
  const constraints: Constraint[] = [];
  const { min, max } = shape;
  if (max !== undefined) {
    constraints.push({ text: lengthText('less', max), isMet: (value: { length: number }) => value.length <= max });
  }
  if (min !== undefined) {
    constraints.push({ text: lengthText('greater', min), isMet: (value: { length: number }) => value.length >= min });
  }
  return constraints;
}

function lengthText(relation: 'less' | 'greater', bound: number): string {
  return `Member must have length ${relation} than or equal to ${bound}`;
}

function numberConstraints({ min, max }: NumberShape): Constraint[] {
  const constraints: Constraint[] = [];
  if (max !== undefined) {
    constraints.push({
      text: `Member must have value less than or equal to ${max}`,
      isMet: (value: number) => value <= max,
    });
  }
  if (min !== undefined) {
    constraints.push({
      text: `Member must have value greater than or equal to ${min}`,
      isMet: (value: number) => value >= min,
    });
  }
  return constraints;
}

/** Elements beyond the list's largest length are not looked at: the list is refused anyway. */
function listCheck(shape: ListShape): Check {
  const { min, max, element } = shape;
  const ownConstraints = lengthConstraints(shape);
  const checkElements = element.kind === 'string' ? stringsCheck(shape, element) : elementsCheck(shape);
  return (value, violations) => {
    const list = value as readonly unknown[];
    if ((max !== undefined && list.length > max) || (min !== undefined && list.length < min)) {
      for (const constraint of ownConstraints) {
        if (!constraint.isMet(list as never)) violations.add(list, shape, constraint.text);
      }
    }
    checkElements(list, violations);
  };
}

function elementsCheck({ element, max = Infinity }: ListShape): Check {
  const check = checkOf(element);
  const isSound = quickTest(element);
  return (value, violations) => {
    const list = value as readonly unknown[];
    const end = Math.min(list.length, max);
    for (let index = 0; index < end && !violations.isFull; index++) {
      const item = list[index];
      if (item !== null && isSound?.(item) === true) continue;
      violations.enter(index + 1);
      violations.enter('member');
      // Assumed: an element must not be null; no recording shows one.
      if (item === null) violations.add(null, element, mustNotBeNull);
      else check(item, violations);
      violations.leave();
      violations.leave();
    }
  };
}

/** A bad string in a list is reported once, as a fault of the list, with all constraints of its elements. */
function stringsCheck(shape: ListShape, element: StringShape): Check {
  const { max = Infinity } = shape;
  const constraints = constraintsOf(element);
  const nullCheck = elementsCheck({ ...shape, element: { ...element, ...unconstrained } });
  const text = `Member must satisfy constraint: ${allTexts(constraints)}`;
  return (value, violations) => {
    nullCheck(value, violations);
    const list = value as readonly (string | null)[];
    const end = Math.min(list.length, max);
    for (let index = 0; index < end; index++) {
      const item = list[index] as string | null;
      if (item === null || meetsAll(item, constraints)) continue;
      violations.add(list, shape, text);
      return;
    }
  };
}

const unconstrained = { min: undefined, max: undefined, pattern: undefined, values: undefined };

/** Bad keys, and bad values that are strings, are each reported once, as a fault of the map. */
function mapCheck(shape: MapShape): Check {
  const keyConstraints = constraintsOf(shape.key);
  const valueConstraintList = shape.value.kind === 'string' ? constraintsOf(shape.value) : [];
  const ownConstraints = lengthConstraints(shape);
  // String values are looked at above all together.
  const checkValue: Check = shape.value.kind === 'string' ? () => {} : checkOf(shape.value);
  const isSound: QuickTest | undefined = shape.value.kind === 'string' ? () => true : quickTest(shape.value);
  return (value, violations) => {
    const map = value as Readonly<Record<string, unknown>>;
    const keys = Object.keys(map);
    for (const constraint of ownConstraints) {
      if (!constraint.isMet(keys as never)) violations.add(map, shape, constraint.text);
    }
    const checked = shape.max === undefined ? keys : keys.slice(0, shape.max);
    if (checked.some((key) => !meetsAll(key, keyConstraints))) {
      violations.add(map, shape, `Map keys must satisfy constraint: ${allTexts(keyConstraints)}`);
    }
    if (checked.some((key) => map[key] !== null && !meetsAll(map[key], valueConstraintList))) {
      violations.add(map, shape, `Map value must satisfy constraint: ${allTexts(valueConstraintList)}`);
    }
    for (const key of checked) {
      if (violations.isFull) return;
      const item = map[key];
      if (item !== null && isSound?.(item) === true) continue;
      violations.enter(key);
      violations.enter('member');
      if (item === null) violations.add(null, shape.value, mustNotBeNull);
      else checkValue(item, violations);
      violations.leave();
      violations.leave();
    }
  };
}

function meetsAll(value: unknown, constraints: readonly Constraint[]): boolean {
  for (const constraint of constraints) if (!constraint.isMet(value as never)) return false;
  return true;
}

function allTexts(constraints: readonly Constraint[]): string {
  return `[${constraints.map((constraint) => constraint.text).join(', ')}]`;
}
