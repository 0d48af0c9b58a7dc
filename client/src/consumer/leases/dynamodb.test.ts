import { beforeEach, describe, expect, test } from 'vitest';
import { ManualTiming } from '../../testing/manual-timing.ts';
import { TableCalls } from './dynamodb/calls.ts';
import { DynamoDbLeaseStore } from './dynamodb/store.ts';
import { openTable } from './dynamodb/table.ts';
import type { Lease, NewLease } from './lease.ts';
import { leaseStoreContract } from './testing/contract.ts';
import { FakeDynamoDb, serviceError } from './testing/fake-dynamodb.ts';

const trimHorizon = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 };
const shard: NewLease = {
  shardId: 'shardId-000000000001',
  checkpoint: trimHorizon,
  parentShardIds: ['shardId-000000000000'],
  hashKeyRange: { start: '0'.repeat(32), end: 'f'.repeat(32) },
};

let fake: FakeDynamoDb;
let store: DynamoDbLeaseStore;

beforeEach(async () => {
  fake = new FakeDynamoDb();
  fake.itemsOf('app');
  store = new DynamoDbLeaseStore({ client: fake.client });
  await store.open('app');
});

async function taken(worker = 'a', lease: NewLease = shard): Promise<Lease> {
  await store.create(lease);
  return must(await store.take(must(await seen(lease.shardId)), worker));
}

async function seen(shardId: string = shard.shardId): Promise<Lease | undefined> {
  return (await store.list()).find((lease) => lease.shardId === shardId);
}

function must<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('there is none');
  return value;
}

function itemOf(shardId: string = shard.shardId): unknown {
  return fake.itemsOf('app').get(shardId);
}

describe('the table', () => {
  const calls = (table: string): TableCalls => new TableCalls({ client: fake.client, table, failoverMs: 2000 });

  test('is made with the index of KCL 3, and waited for', async () => {
    fake.creating = 2;
    const timing = new ManualTiming();
    const opened = openTable(calls('new'), timing);
    await timing.pass(2000);
    expect(fake.calls.slice(1)).toEqual(['DescribeTable', 'CreateTable', 'DescribeTable', 'DescribeTable']);
    await timing.pass(1000);
    await opened;
    expect(fake.tables.get('new')?.schema).toEqual({
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
      AttributeDefinitions: [
        { AttributeName: 'leaseKey', AttributeType: 'S' },
        { AttributeName: 'leaseOwner', AttributeType: 'S' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'LeaseOwnerToLeaseKeyIndex',
          KeySchema: [
            { AttributeName: 'leaseOwner', KeyType: 'HASH' },
            { AttributeName: 'leaseKey', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    });
  });

  test('may be made by several workers at once', async () => {
    const timing = new ManualTiming();
    const opened = Promise.all([openTable(calls('new'), timing), openTable(calls('new'), timing)]);
    await timing.pass(1000);
    await opened;
    expect(fake.calls.filter((name) => name === 'CreateTable')).toHaveLength(2);
  });

  test('is waited for two minutes at most', async () => {
    fake.creating = 1000;
    const timing = new ManualTiming();
    const opened = openTable(calls('new'), timing).catch((error: unknown) => error);
    await timing.pass(121_000);
    expect(await opened).toMatchObject({ code: 'MR_LEASES_TABLE_NOT_READY', isRetryable: true });
  });

  test('of KCL 2, without the index, stays as it is', () => {
    expect(fake.calls).toEqual(['DescribeTable']);
  });

  test('of something else is refused', async () => {
    fake.tables.set('orders', {
      schema: { KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }] },
      items: new Map(),
      creating: 0,
    });
    await expect(new DynamoDbLeaseStore({ client: fake.client, table: 'orders' }).open('app')).rejects.toMatchObject({
      code: 'MR_LEASES_OTHER_TABLE',
    });
  });

  test('that may not be made says what is missing', async () => {
    fake.mishaps.push({ call: 'CreateTable', error: serviceError('AccessDeniedException') });
    const opened = new DynamoDbLeaseStore({ client: fake.client }).open('other');
    await expect(opened).rejects.toThrow(/CreateTable on the lease table other is not allowed.*dynamodb:/);
    fake.mishaps.push({ call: 'CreateTable', error: serviceError('AccessDeniedException') });
    const again = new DynamoDbLeaseStore({ client: fake.client }).open('other');
    await expect(again).rejects.toMatchObject({ code: 'MR_LEASES_ACCESS_DENIED', isRetryable: false });
  });

  test('that is deleted meanwhile is told', async () => {
    fake.tables.delete('app');
    await expect(store.list()).rejects.toMatchObject({ code: 'MR_LEASES_NO_TABLE', isRetryable: false });
  });
});

test('a list is consistent when it is to be fresh', async () => {
  fake.staleItems = new Map();
  await store.create(shard);
  expect(await store.list()).toEqual([]);
  expect(await store.list({ isFresh: true })).toMatchObject([{ shardId: shard.shardId }]);
});

describe('an item', () => {
  test('is as KCL 3.5 writes it', async () => {
    await store.create(shard);
    expect(itemOf()).toEqual({
      leaseKey: { S: 'shardId-000000000001' },
      entityType: { S: 'LEASE' },
      leaseCounter: { N: '0' },
      ownerSwitchesSinceCheckpoint: { N: '0' },
      checkpoint: { S: 'TRIM_HORIZON' },
      checkpointSubSequenceNumber: { N: '0' },
      parentShardId: { SS: ['shardId-000000000000'] },
      startingHashKey: { S: '0' },
      endingHashKey: { S: '340282366920938463463374607431768211455' },
    });
  });

  test('keeps what is not known, and loses a pending checkpoint with the next one', async () => {
    await store.create(shard);
    Object.assign(itemOf() as object, {
      throughputKBps: { N: '12.5' },
      pendingCheckpoint: { S: '7' },
      pendingCheckpointSubSequenceNumber: { N: '1' },
      pendingCheckpointState: { B: new Uint8Array([1]) },
      leaseOwner: { S: 'java' },
    });
    const lease = must(await store.take(must(await seen()), 'a'));
    expect(itemOf()).toMatchObject({ ownerSwitchesSinceCheckpoint: { N: '1' }, pendingCheckpoint: { S: '7' } });
    await store.checkpoint(lease, { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 }, ['shardId-2', 'shardId-3']);
    expect(itemOf()).toEqual({
      leaseKey: { S: 'shardId-000000000001' },
      entityType: { S: 'LEASE' },
      leaseOwner: { S: 'a' },
      leaseCounter: { N: '2' },
      ownerSwitchesSinceCheckpoint: { N: '0' },
      checkpoint: { S: 'SHARD_END' },
      checkpointSubSequenceNumber: { N: '0' },
      parentShardId: { SS: ['shardId-000000000000'] },
      childShardIds: { SS: ['shardId-2', 'shardId-3'] },
      startingHashKey: { S: '0' },
      endingHashKey: { S: '340282366920938463463374607431768211455' },
      throughputKBps: { N: '12.5' },
    });
  });

  test('of KCL 2 is a lease', async () => {
    fake.itemsOf('app').set('shardId-9', {
      leaseKey: { S: 'shardId-9' },
      leaseCounter: { N: '41' },
      leaseOwner: { S: 'java' },
      ownerSwitchesSinceCheckpoint: { N: '0' },
      checkpoint: { S: '4900' },
      checkpointSubSequenceNumber: { N: '3' },
    });
    expect(await store.list()).toEqual([
      {
        shardId: 'shardId-9',
        owner: 'java',
        previousOwner: undefined,
        fence: 41,
        pulse: 41,
        checkpoint: { sequenceNumber: '4900', subSequenceNumber: 3 },
        parentShardIds: [],
        childShardIds: [],
        hashKeyRange: undefined,
      },
    ]);
  });

  test('of another kind is passed over', async () => {
    const items = fake.itemsOf('app');
    for (const kind of ['LEADER', 'CLIENT_VERSION_MIGRATION', 'TABLE_MIGRATION', 'WORKER_METRIC_STATS', 'STREAM']) {
      items.set(kind, {
        leaseKey: { S: kind },
        entityType: { S: kind },
        leaseCounter: { N: '1' },
        checkpoint: { S: '1' },
      });
    }
    items.set('odd', { leaseKey: { S: 'odd' } });
    fake.pageSize = 2;
    await store.create(shard);
    expect((await store.list()).map(({ shardId }) => shardId)).toEqual([shard.shardId]);
  });

  test('of an application for several streams is refused', async () => {
    fake.itemsOf('app').set('1:s:2:shardId-0', {
      leaseKey: { S: '1:s:2:shardId-0' },
      streamName: { S: '1:s:2' },
      leaseCounter: { N: '1' },
      checkpoint: { S: '1' },
    });
    await expect(store.list()).rejects.toMatchObject({ code: 'MR_LEASES_MULTI_STREAM' });
  });
});

describe('a handoff', () => {
  test('has the wire form of the KCL: the counter stays when it is asked for', async () => {
    const held = await taken('a');
    expect(await store.ask(held, 'b')).toMatchObject({ owner: 'b', previousOwner: 'a', fence: held.fence });
    expect(itemOf()).toMatchObject({ leaseOwner: { S: 'b' }, checkpointOwner: { S: 'a' }, leaseCounter: { N: '1' } });
    expect(await store.release(held, 'a')).toMatchObject({ owner: 'b', previousOwner: undefined, fence: 2 });
    expect(itemOf()).not.toHaveProperty('checkpointOwner');
  });

  test('is asked for although the holder has renewed meanwhile', async () => {
    const held = await taken('a');
    await store.renew('a', [held]);
    expect(await store.ask(held, 'b')).toMatchObject({ owner: 'b', previousOwner: 'a', fence: 2 });
  });

  test('is seen by the holder at its next renewal, which counts', async () => {
    const held = await taken('a');
    await store.ask(held, 'b');
    const now = await store.renew('a', [held]);
    expect(now.get(shard.shardId)).toMatchObject({ owner: 'b', previousOwner: 'a', fence: held.fence + 1 });
  });

  test('is not done by who waits for it', async () => {
    const asked = must(await store.ask(await taken('a'), 'b'));
    expect(await store.release(asked, 'b')).toBeUndefined();
    expect((await store.renew('b', [asked])).get(shard.shardId)).toBeUndefined();
    expect(await seen()).toEqual(asked);
  });
});

describe('a write whose answer is lost', () => {
  const lost = (hasEffect: boolean) => ({ call: 'UpdateItem', error: new Error('socket hang up'), hasEffect }) as const;

  test('leaves a renewal out, and the next one goes on from it', async () => {
    const held = await taken('a');
    const other = await taken('a', { ...shard, shardId: 'shardId-5' });
    fake.mishaps.push({ ...lost(true), shardId: shard.shardId });
    const now = await store.renew('a', [held, other]);
    expect([...now.keys()]).toEqual(['shardId-5']);
    const again = await store.renew('a', [held]);
    // One more than what had landed: a sign of life of now.
    expect(again.get(shard.shardId)).toMatchObject({ owner: 'a', fence: held.fence + 2 });
  });

  test('may be one after another', async () => {
    const held = await taken('a');
    for (let i = 0; i < 5; i++) {
      // From the second on: the first write is refused, and tells of the one before.
      fake.mishaps.push({ ...lost(true), after: i === 0 ? 0 : 1 });
      await expect(store.renew('a', [held])).rejects.toThrow('socket hang up');
    }
    const now = await store.renew('a', [held]);
    expect(now.get(shard.shardId)).toMatchObject({ owner: 'a', fence: held.fence + 6 });
    expect(await seen()).toEqual(now.get(shard.shardId));
  });

  test('is made again, of a checkpoint', async () => {
    const held = await taken('a');
    const checkpoint = { sequenceNumber: '49', subSequenceNumber: 2 };
    fake.mishaps.push(lost(true));
    await expect(store.checkpoint(held, checkpoint)).rejects.toMatchObject({ isRetryable: true });
    expect(await store.checkpoint(held, checkpoint)).toMatchObject({ checkpoint, owner: 'a', fence: held.fence + 2 });
  });

  test.each([true, false])(
    'is recognized, of taking, asking, releasing and deleting (landed: %s)',
    async (hasEffect) => {
      await store.create(shard);
      const free = must(await seen());
      const twice = async (call: () => Promise<Lease | undefined>): Promise<Lease> => {
        fake.mishaps.push(lost(hasEffect));
        await expect(call()).rejects.toMatchObject({ code: 'MR_LEASES_CALL_FAILED' });
        return must(await call());
      };
      const held = await twice(() => store.take(free, 'a'));
      expect(held).toMatchObject({ owner: 'a', fence: 1 });
      const asked = await twice(() => store.ask(held, 'b'));
      expect(asked).toMatchObject({ owner: 'b', previousOwner: 'a', fence: 1 });
      const handed = await twice(() => store.release(asked, 'a'));
      expect(handed).toMatchObject({ owner: 'b', previousOwner: undefined, fence: 2 });
      const free2 = await twice(() => store.release(handed, 'b'));
      expect(free2).toMatchObject({ owner: undefined, fence: 3 });
      fake.mishaps.push({ ...lost(hasEffect), call: 'DeleteItem' });
      await expect(store.delete(free2)).rejects.toThrow();
      expect(await store.delete(free2)).toBe(true);
    },
  );

  test('is not taken for a lease that came back by way of another worker', async () => {
    const held = await taken('a');
    const others = must(await store.take(held, 'b'));
    await store.take(others, 'a');
    expect((await store.renew('a', [held])).get(shard.shardId)).toBeUndefined();
    expect(await store.checkpoint(held, trimHorizon)).toBeUndefined();
    expect(await store.release(held, 'a')).toBeUndefined();
    expect(await store.delete(held)).toBe(false);
  });

  test('of the SDK, which has tried it again by itself, is recognized', async () => {
    const free = await taken('a');
    const refusal = Object.assign(serviceError('ConditionalCheckFailedException'), { $metadata: { attempts: 2 } });
    const others = new DynamoDbLeaseStore({ client: fake.client });
    await others.open('app');
    // Landed, and refused at the second attempt.
    await store.renew('a', [free]);
    fake.mishaps.push({ call: 'UpdateItem', error: Object.assign(refusal, { Item: itemOf() }) });
    const now = await others.renew('a', [free]);
    expect(now.get(shard.shardId)).toMatchObject({ owner: 'a', fence: free.fence + 2 });
  });

  test('is recognized without an item in the refusal', async () => {
    fake.tellsRefused = false;
    const held = await taken('a');
    fake.mishaps.push(lost(true));
    await expect(store.renew('a', [held])).rejects.toThrow('socket hang up');
    expect((await store.renew('a', [held])).get(shard.shardId)).toMatchObject({ owner: 'a', fence: held.fence + 2 });
  });
});

describe('renewals', () => {
  test('that are throttled are left out', async () => {
    const [first, second] = [await taken('a'), await taken('a', { ...shard, shardId: 'shardId-5' })];
    fake.mishaps.push({
      call: 'UpdateItem',
      shardId: first.shardId,
      error: serviceError('ProvisionedThroughputExceededException'),
    });
    const now = await store.renew('a', [first, second]);
    expect([...now]).toEqual([['shardId-5', { ...second, fence: 2, pulse: 2 }]]);
    expect((await store.renew('a', [first])).get(first.shardId)).toMatchObject({ fence: 2 });
  });

  test('say why when all fail', async () => {
    const held = await taken('a');
    fake.mishaps.push({ call: 'UpdateItem', error: serviceError('ThrottlingException') });
    await expect(store.renew('a', [held])).rejects.toMatchObject({ code: 'MR_LEASES_CALL_FAILED', isRetryable: true });
  });

  test('of what is lost or gone say so', async () => {
    const held = await taken('a');
    await store.take(held, 'b');
    const gone = await taken('a', { ...shard, shardId: 'shardId-5' });
    await store.delete(gone);
    expect([...(await store.renew('a', [held, gone]))]).toEqual([
      [held.shardId, undefined],
      ['shardId-5', undefined],
    ]);
  });

  test('are made at once, but not all', async () => {
    const held: Lease[] = [];
    for (let i = 0; i < 50; i++) held.push(await taken('a', { ...shard, shardId: `shardId-${i}` }));
    fake.mostAtOnce = 0;
    expect((await store.renew('a', held)).size).toBe(50);
    expect(fake.mostAtOnce).toBe(20);
  });
});

/**
 * The KCL asks whoever is the owner, whatever the counter is by then, or one that writes a lot could not be asked. So an owner that has lost the
 * lease and has it again is asked, too, where the contract wants a refusal: here it gets it.
 */
class StrictStore extends DynamoDbLeaseStore {
  override async ask(seen: Lease, worker: string): Promise<Lease | undefined> {
    const now = (await this.list()).find(({ shardId }) => shardId === seen.shardId);
    return now?.fence === seen.fence ? super.ask(seen, worker) : undefined;
  }
}

leaseStoreContract('dynamodb', async () => {
  const made = new FakeDynamoDb();
  made.itemsOf('application');
  return { storeOf: () => new StrictStore({ client: made.client }), cleanUp: async () => {} };
});
