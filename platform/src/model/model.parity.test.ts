import { readFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-kinesis';
import { describe, expect, it } from 'vitest';
import * as errors from './generated/kinesis-errors.ts';
import { kinesis } from './index.ts';
import type { Operation, Shape } from './shape.ts';

/** The SDK's schema tables: `[kind, namespace, name, traits, …]`, references as functions, scalars as numbers. */
type SdkSchema = readonly [number, string, string, unknown, ...unknown[]];
const schemas = sdk as unknown as Readonly<Record<string, SdkSchema | undefined>>;

const modelFile = JSON.parse(readFileSync(new URL('../../../tools/models/kinesis.json', import.meta.url), 'utf8')) as {
  operations: Record<string, FileOperation>;
  shapes: Record<string, FileShape>;
};
interface FileOperation {
  input: { shape: string };
  output?: { shape: string };
  errors: { shape: string }[];
}
interface FileShape {
  type: string;
  members?: Record<string, { shape: string }>;
  required?: string[];
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
  exception?: boolean;
  fault?: boolean;
}

const operations = [...kinesis.operations.values()];

/** Every shape that an operation reaches, by name. */
function reachable(roots: readonly Operation[]): Map<string, Shape> {
  const found = new Map<string, Shape>();
  const visit = (shape: Shape | undefined): void => {
    if (shape === undefined || found.has(shape.name)) return;
    found.set(shape.name, shape);
    if (shape.kind === 'structure') for (const member of shape.members) visit(member.shape);
    if (shape.kind === 'list') visit(shape.element);
    if (shape.kind === 'map') for (const part of [shape.key, shape.value]) visit(part);
  };
  for (const operation of roots) for (const shape of [operation.input, operation.output]) visit(shape);
  return found;
}

describe('the model against the schemas of the SDK', () => {
  const sdkOperations = Object.keys(schemas).filter((name) => Array.isArray(schemas[name]) && schemas[name]?.[0] === 9);

  it('has the same operations', () => {
    expect(sdkOperations.length).toBe(45);
    expect(operations.map((operation) => `${operation.name}$`).toSorted()).toEqual(sdkOperations.toSorted());
  });

  it.each(operations)('$name has the same input and output', (operation) => {
    const schema = schemas[`${operation.name}$`] as SdkSchema;
    expectSame(operation.input, resolve(schema[4]), operation.name);
    const output = resolve(schema[5]);
    if (operation.output === undefined) expect(output).toBe('unit');
    else expectSame(operation.output, output, operation.name);
  });

  it('has the same errors', () => {
    // The registry's own base class has kind -3 as well, and no members.
    const names = Object.values(schemas)
      .filter((schema) => Array.isArray(schema) && schema[0] === -3 && (schema[4] as string[]).length > 0)
      .map((schema) => (schema as SdkSchema)[2]);
    expect(Object.keys(errors).toSorted()).toEqual(names.toSorted());
    expect(names.length).toBeGreaterThan(15);
  });
});

function resolve(reference: unknown): unknown {
  const value: unknown = typeof reference === 'function' ? (reference as () => unknown)() : reference;
  // A member with traits of its own stands as [schema, traits].
  return Array.isArray(value) && value.length === 2 && typeof value[0] !== 'string' ? resolve(value[0]) : value;
}

/** The SDK's number for each scalar; `64 |` and `128 |` make lists and maps of scalars. */
const scalarCodes = { string: 0, integer: 1, long: 1, boolean: 2, timestamp: 4, blob: 21 } as const;

function expectSame(shape: Shape, schema: unknown, where: string): void {
  switch (shape.kind) {
    case 'structure': {
      const [, , name, , members, types, requiredCount = 0] = schema as SdkSchema;
      const names = members as string[];
      expect(shape.name, where).toBe(name);
      expect(shape.members.map((member) => member.name).toSorted(), where).toEqual(names.toSorted());
      if (!shape.isEventStream) {
        const required = shape.members.filter((member) => member.required).map((member) => member.name);
        expect(required.toSorted(), where).toEqual(names.slice(0, requiredCount as number).toSorted());
      }
      for (const member of shape.members) {
        const type = (types as unknown[])[names.indexOf(member.name)];
        expectSame(member.shape, resolve(type), `${where}.${member.name}`);
      }
      return;
    }
    case 'list':
      if (typeof schema === 'number') return expectSame(shape.element, schema & ~64, where);
      expect((schema as SdkSchema).slice(0, 3), where).toEqual([1, 'com.amazonaws.kinesis', shape.name]);
      return expectSame(shape.element, resolve((schema as SdkSchema)[4]), where);
    case 'map':
      expect(schema, where).toBe(128 | scalarCodes[shape.value.kind as 'string']);
      return;
    case 'string':
    case 'integer':
    case 'long':
    case 'boolean':
    case 'timestamp':
    case 'blob':
      expect(schema, where).toBe(scalarCodes[shape.kind]);
  }
}

describe('the model against its source file', () => {
  it('has the same bounds, patterns, enumerations and required members', () => {
    const shapes = reachable(operations);
    expect(shapes.size).toBeGreaterThan(100);
    for (const [name, shape] of shapes) {
      const file = modelFile.shapes[name] as FileShape;
      expect(shape.kind, name).toBe(file.type);
      const { min, max, pattern, values } = shape as {
        min?: number;
        max?: number;
        pattern?: string;
        values?: readonly string[];
      };
      expect({ min, max, pattern, values }, name).toEqual({
        min: file.min,
        max: file.max,
        pattern: file.pattern,
        values: file.enum,
      });
      if (shape.kind !== 'structure') continue;
      expect(
        shape.members.map((member) => [member.name, member.shape.name, member.required]),
        name,
      ).toEqual(
        Object.entries(file.members ?? {}).map(([member, { shape: type }]) => [
          member,
          type,
          file.required?.includes(member) ?? false,
        ]),
      );
    }
  });

  it('has the same errors per operation, and a class for each', () => {
    for (const operation of operations) {
      const file = modelFile.operations[operation.name] as FileOperation;
      expect(operation.errors, operation.name).toEqual(file.errors.map((error) => error.shape));
      for (const name of operation.errors) expect(errors, operation.name).toHaveProperty(name);
    }
  });

  it.each(Object.entries(errors))('%s has its code, status and fault', (name, ErrorClass) => {
    const isServerFault = modelFile.shapes[name]?.fault === true;
    expect(modelFile.shapes[name]?.exception).toBe(true);
    const error = new ErrorClass('why', { cause: 'that' });
    expect(error).toMatchObject({ code: name, name, message: 'why', cause: 'that', messageMember: 'message' });
    expect([error.status, error.fault]).toEqual(isServerFault ? [500, 'server'] : [400, 'client']);
  });

  it('names the methods and the one event stream', () => {
    expect(kinesis.operations.get('PutRecords')?.method).toBe('putRecords');
    const streaming = operations.filter((operation) => operation.isEventStream);
    expect(streaming.map((operation) => operation.name)).toEqual(['SubscribeToShard']);
    expect([kinesis.name, kinesis.targetPrefix]).toEqual(['kinesis', 'Kinesis_20131202']);
  });
});
