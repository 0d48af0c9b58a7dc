import { expect, it } from 'vitest';
import { InvalidArgumentError } from '../../errors.ts';
import { MemoryLeaseStore } from './memory.ts';
import { leaseStoreContract } from './testing/contract.ts';

leaseStoreContract('memory', async () => {
  const store = new MemoryLeaseStore();
  return { storeOf: () => store, cleanUp: async () => {} };
});

it('is of one application', async () => {
  const store = new MemoryLeaseStore();
  await store.open('one');
  await store.open('one');
  await expect(store.open('another')).rejects.toThrow(InvalidArgumentError);
});

it('goes on for the others when one has closed it', async () => {
  const store = new MemoryLeaseStore({ failoverMs: 500 });
  expect(store.failoverMs).toBe(500);
  await store.open('one');
  await store.close();
  expect(await store.list()).toEqual([]);
});
