import { expect, it } from 'vitest';
import { SeededRandom } from '../../../../testing/src/seeded-random.ts';
import { RequestIds } from './request-ids.ts';

const ids = (seed: number): RequestIds => new RequestIds(new SeededRandom(seed));

it('has the form of a UUID, and of 72 bytes in base64', () => {
  const { requestId, extendedId } = ids(1).next();
  expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(extendedId).toMatch(/^[A-Za-z0-9+/]{96}$/);
});

it('never gives an id twice, also where the lower half of the count is full', () => {
  const some = ids(1);
  const seen = new Set<string>();
  const step = (): void => {
    const { requestId, extendedId } = some.next();
    seen.add(requestId).add(extendedId);
  };
  for (let i = 0; i < 1000; i++) step();
  for (let i = 1000; i < 2 ** 24 - 1000; i++) some.next();
  for (let i = 0; i < 2000; i++) step();
  expect(seen.size).toBe(2 * 3000);
});

it('differs between processes', () => {
  const [one, other] = [ids(1).next(), ids(2).next()];
  expect(one.requestId).not.toBe(other.requestId);
  expect(one.extendedId).not.toBe(other.extendedId);
});
