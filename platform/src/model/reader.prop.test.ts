import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileReader, kinesis, WireError } from './index.ts';
import type { Shape } from './shape.ts';

const readers = [...kinesis.operations.values()].map((operation) => ({
  operation,
  read: compileReader(kinesis, operation.name),
}));

/** Calls the reader and says whether it accepted; anything thrown must be a wire error with a bounded message. */
function accepts(read: () => object): boolean {
  try {
    read();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    expect((error as Error).message.length).toBeLessThan(100_000);
    return false;
  }
}

const anything = fc.anything({
  key: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'StreamName', 'Records', 'Data')),
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Values that are nearly of a shape: so that the deeper parts are reached. */
function nearly(shape: Shape): fc.Arbitrary<unknown> {
  const stray = { arbitrary: anything, weight: 1 };
  const or = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ arbitrary, weight: 30 }, stray);
  switch (shape.kind) {
    case 'structure': {
      const members = shape.members.map((member) => [member.name, fc.option(nearly(member.shape))]);
      return or(fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] }));
    }
    case 'list':
      return or(fc.array(nearly(shape.element), { maxLength: 4 }));
    case 'map':
      return or(fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), nearly(shape.value), { maxKeys: 4 }));
    case 'string':
      return or(fc.oneof(fc.string(), fc.constantFrom(...(shape.values ?? ['a', '1', '', 'a'.repeat(3000)]))));
    case 'integer':
    case 'long':
      return or(fc.oneof(fc.integer(), fc.double(), fc.constantFrom(shape.min ?? 0, shape.max ?? 0)));
    case 'blob':
      return or(fc.oneof(fc.base64String(), fc.uint8Array()));
    case 'timestamp':
      return or(fc.oneof(fc.double(), fc.date()));
    case 'boolean':
      return or(fc.boolean());
  }
}

describe('reading whatever comes', () => {
  it('throws nothing but wire errors for any decoded value', () => {
    fc.assert(
      fc.property(
        anything,
        fc.constantFrom(...readers),
        fc.constantFrom('json', 'cbor'),
        (value, { read }, encoding) => {
          accepts(() => read(value, encoding));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each(readers)(
    'throws nothing but wire errors for values that are nearly those of $operation.name',
    ({ operation, read }) => {
      fc.assert(
        fc.property(nearly(operation.input), fc.constantFrom('json', 'cbor'), (value, encoding) => {
          accepts(() => read(value, encoding));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('takes base64 exactly as it is defined', () => {
    const read = compileReader(kinesis, 'PutRecord');
    const strict = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;
    const character = fc.oneof(
      { arbitrary: fc.constantFrom('A', 'B', 'Q', 'g', 'w', 'z', '0', '1', '9', '+', '/', '='), weight: 8 },
      { arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), weight: 1 },
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 16 }), (characters) => {
        const text = characters.join('');
        const isTaken = accepts(() => read({ Data: text }, 'json'));
        expect(isTaken).toBe(strict.test(text));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const input = read({ Data: Buffer.from(bytes).toString('base64') }, 'json') as { Data: Uint8Array };
        expect(Buffer.compare(input.Data, bytes)).toBe(0);
      }),
    );
  });

  it('is not led anywhere by a prototype in the request', () => {
    const value: unknown = JSON.parse('{"StreamName":"s","__proto__":{"polluted":1},"Tags":{"__proto__":{"x":1}}}');
    for (const { read } of readers) accepts(() => read(value, 'json'));
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('does not follow deep nesting', () => {
    let deep: unknown = 'end';
    for (let level = 0; level < 100_000; level++) deep = { Records: [deep], Tags: deep, StreamName: deep };
    for (const { read } of readers) accepts(() => read(deep, 'json'));
  });

  it('bounds its work on huge lists, maps and strings', () => {
    const list = Array.from({ length: 100_000 }, () => ({ PartitionKey: '' }));
    const tags = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, '']));
    const keys = Array.from({ length: 100_000 }, () => '');
    const arn = `arn:aws${':kinesis::123456789012:stream/a/consumer/a'.repeat(30_000)} `;
    const value = { Records: list, Tags: tags, TagKeys: keys, ShardLevelMetrics: keys, StreamFilter: list };
    const start = process.cpuUsage();
    for (const { read } of readers) {
      accepts(() => read({ ...value, StreamARN: arn, ConsumerARN: arn, ResourceARN: arn }, 'json'));
    }
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(3000);
  });
});
