import { Model, type Shape } from '../../model/model.ts';
import { encode } from '../../wire/call.ts';
import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { AttackKind, Subject } from '../attack.ts';
import { framedAttack } from '../request.ts';

type Path = readonly (string | number)[];

/** Every member of every operation that is built, of a wrong type or far too large. */
export function memberAttacks(subject: Subject): AttackKind[] {
  const model = Model.read();
  const members = model.builtOperations.flatMap((operation) =>
    membersOf(model, model.inputOf(operation), []).map((member) => ({ operation, ...member })),
  );
  const bounded = members.filter(({ shape }) => isBounded(shape));
  return [
    ...(['json', 'cbor'] as const).map((encoding) => ({
      name: `${encoding === 'json' ? 'JSON' : 'CBOR'}: members of a wrong type`,
      weight: 14,
      make: (random: SeededRandom) => {
        const { operation, path, shape } = random.pick(members);
        const value = random.pick(encoding === 'json' ? wrongInJson(shape) : wrongInCbor(shape));
        const body = encode(withValue(path, value), encoding);
        return framedAttack(subject, { operation, encoding, body }, random, {
          expects: 'refused',
          types: ['SerializationException'],
        });
      },
    })),
    ...(['json', 'cbor'] as const).map((encoding) => ({
      name: `${encoding === 'json' ? 'JSON' : 'CBOR'}: huge values`,
      weight: 3,
      make: (random: SeededRandom) => {
        const { operation, path, shape } = random.pick(bounded);
        const body = encode(withValue(path, hugeValue(shape, random)), encoding);
        return framedAttack(subject, { operation, encoding, body }, random, { expects: 'refused' });
      },
    })),
  ];
}

/** Numbers in a path are list indexes. */
function membersOf(model: Model, shape: Shape, path: Path): { path: Path; shape: Shape }[] {
  if (shape.type === 'list') {
    const element = model.shape(shape.member?.shape);
    return [{ path: [...path, 0], shape: element }, ...membersOf(model, element, [...path, 0])];
  }
  if (shape.type === 'map') return [{ path: [...path, 'key'], shape: model.shape(shape.value?.shape) }];
  return Object.entries(shape.members ?? {}).flatMap(([name, member]) => {
    const inner = model.shape(member.shape);
    return [{ path: [...path, name], shape: inner }, ...membersOf(model, inner, [...path, name])];
  });
}

function withValue([step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value;
  const inner = withValue(rest, value);
  return typeof step === 'number' ? [inner] : { [step]: inner };
}

/** Source: data-streams reference §2.3; what converts (a string `true`, a fraction) is not among them. */
function wrongInJson({ type }: Shape): unknown[] {
  switch (type) {
    case 'string':
      return [1, -1.5, 1e300, true, false, [], ['a'], {}, { a: 1 }];
    case 'integer':
    case 'long':
      return ['1', '', true, [], [1], {}, { a: 1 }];
    case 'blob':
      return [1, true, [], [1], {}, 'a', 'YQ', 'Y===', '@@@@', 'YQ=Q', 'YWJ-', 'éééé', ' YWI'];
    case 'timestamp':
      return ['1', '2026-01-01T00:00:00Z', true, [], {}];
    case 'boolean':
      return ['maybe', '', 1, [], {}];
    case 'list':
      return [1, 'a', true, {}, { 0: 'a' }];
    case 'map':
      return [1, 'a', true, [], [1]];
    case 'structure':
      return [1, 'a', true, [], [1]];
  }
}

function wrongInCbor(shape: Shape): unknown[] {
  const bytes = Uint8Array.of(1, 2, 3);
  switch (shape.type) {
    case 'blob':
      return [1, true, [], {}, 'YWJj'];
    case 'timestamp':
      return ['1', true, [], {}, bytes];
    case 'string':
    case 'integer':
    case 'long':
    case 'boolean':
    case 'list':
    case 'map':
    case 'structure':
      return [...wrongInJson(shape), bytes];
  }
}

/** Whether there is a value that is too large whatever the state of the streams. */
function isBounded({ type, max, enum: choices }: Shape): boolean {
  if (type === 'string') return max !== undefined || choices !== undefined;
  return (type === 'integer' || type === 'blob' || type === 'list' || type === 'map') && max !== undefined;
}

function hugeValue({ type, max = 0 }: Shape, random: SeededRandom): unknown {
  if (type === 'integer') return random.pick([1e300, 2 ** 53, 2 ** 31, -1e300, -(2 ** 40)]);
  const length = max + random.pick([1, 1000, 100_000]);
  switch (type) {
    case 'blob':
      return new Uint8Array(length);
    case 'list':
      return Array.from({ length }, () => 'a');
    case 'map':
      return Object.fromEntries(Array.from({ length: Math.min(length, 20_000) }, (_, index) => [`k${index}`, 'v']));
    case 'string':
      return random.pick(['a', 'é', '\u0000', '\u{1f600}', '"', '\ud800']).repeat(length);
    case 'long':
    case 'timestamp':
    case 'boolean':
    case 'structure':
      throw new Error(`there is no huge ${type}`);
  }
}
