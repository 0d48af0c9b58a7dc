import { compileCheck, type Check } from './constraints.ts';
import { listMismatch, mapMismatch, readString, scalarReader, type Encoding, type Reader } from './read-scalar.ts';
import type { Fields, ListShape, MapShape, ServiceModel, Shape, StructureShape } from './shape.ts';
import { Violations } from './violations.ts';
import { ValidationException } from './generated/kinesis-errors.ts';
import { SerializationException } from './wire-error.ts';
import { assert } from '../kernel/assert.ts';

/**
 * Reads the decoded body of one operation's request: a new object with every member of the input shape, in the model's
 * order, absent ones `undefined`; unknown members are left behind. Blobs of a CBOR body stay views of it, nothing else
 * of `value` is kept.
 *
 * - JSON: what `JSON.parse` gives.
 * - CBOR: structures and maps as `Map` or as plain objects, byte strings as `Uint8Array`, tag 1 as `Date` or as a
 *   number of epoch milliseconds.
 *
 * @throws SerializationException  a value of another type; the first one found
 * @throws ValidationException     broken constraints, at most ten of them in one message
 */
export type RequestReader = (value: unknown, encoding: Encoding) => object;

/**
 * Compiles the reader of an operation's input; meant to be done once per operation.
 *
 * @param operationName wire spelling; must be an operation of `model`
 */
export function compileReader(model: ServiceModel, operationName: string): RequestReader {
  const operation = model.operations.get(operationName);
  assert(operation !== undefined, `${operationName} is an operation of the model`);
  const fromJson = structureReader(operation.input, 'json');
  const fromCbor = structureReader(operation.input, 'cbor');
  const check: Check = compileCheck(operation.input);
  return (value, encoding) => {
    // Whatever is not an object at all does not even get a message. Source: recorded.
    if (!isObject(value)) throw new SerializationException();
    const input = encoding === 'json' ? fromJson(value) : fromCbor(value);
    const violations = new Violations();
    check(input, violations);
    if (violations.count > 0) throw new ValidationException(violations.message());
    return input as object;
  };
}

function compile(shape: Shape, encoding: Encoding): Reader {
  switch (shape.kind) {
    case 'structure':
      return structureReader(shape, encoding);
    case 'list':
      return listReader(shape, encoding);
    case 'map':
      return mapReader(shape, encoding);
    case 'string':
    case 'integer':
    case 'long':
    case 'blob':
    case 'timestamp':
    case 'boolean':
      return scalarReader(shape.kind, encoding);
  }
}

/**
 * Names come from the model, never from the request, so a `__proto__` in a request is just another unknown member.
 */
function structureReader(shape: StructureShape, encoding: Encoding): Reader {
  const readers = shape.members.map((member) => optional(compile(member.shape, encoding)));
  const names = shape.members.map((member) => member.name);
  const { assemble } = shape;
  return (value) => {
    if (!isObject(value)) throw listMismatch(value) ?? new SerializationException('Expected null');
    return assemble(value instanceof Map ? fieldsOf(value, names) : (value as Fields), readers);
  };
}

/** What a map holds of the model's members; its other keys, which may be anything, are not touched. */
function fieldsOf(map: ReadonlyMap<unknown, unknown>, names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, map.get(name)]));
}

/** A member that is `null` counts as absent. */
function optional(read: Reader): Reader {
  return (value) => (value === undefined || value === null ? undefined : read(value));
}

/** Elements that are `null` stay, for the constraint check to name them. */
function listReader(shape: ListShape, encoding: Encoding): Reader {
  const readElement = compile(shape.element, encoding);
  return (value) => {
    if (!Array.isArray(value)) throw mapMismatch(value) ?? new SerializationException('Expected list or null');
    const result: unknown[] = [];
    for (const element of value as readonly unknown[]) {
      result.push(element === undefined || element === null ? null : readElement(element));
    }
    return result;
  };
}

/**
 * The result has no prototype, so any key is only a key. Of a map that is too large only the types are looked at beyond
 * the first entry too many, which is enough for it to be refused: keeping entries is what costs.
 */
function mapReader(shape: MapShape, encoding: Encoding): Reader {
  const readValue = compile(shape.value, encoding);
  const keptMax = (shape.max ?? Infinity) + 1;
  return (value) => {
    if (!isObject(value)) throw listMismatch(value) ?? new SerializationException('Expected map or null');
    const result = Object.create(null) as Record<string, unknown>;
    const isMap = value instanceof Map;
    const keys: Iterable<unknown> = isMap ? value.keys() : Object.keys(value);
    let count = 0;
    for (const key of keys) {
      const name = readString(key);
      const item: unknown = isMap ? value.get(name) : (value as Fields)[name];
      const typed = item === undefined || item === null ? null : readValue(item);
      if (count++ < keptMax) result[name] = typed;
    }
    return result;
  };
}

/** A structure or map in its decoded form. */
function isObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Uint8Array || value instanceof Date);
}
