import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb';
import { ClientError } from '../../../errors.ts';
import type { Timing } from '../../../timing.ts';
import type { TableCalls } from './calls.ts';

/** DynamoDB takes some seconds for a new table. */
const waitMsMax = 120_000;
const pollMs = 1000;

/**
 * With the index, so that KCL 3 need not make it. A table of KCL 2 without it stays as it is: nobody here reads it, and KCL 3 makes it when it
 * starts.
 */
const schema: Omit<CreateTableCommandInput, 'TableName'> = {
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
};

/** Resolves when there is a lease table that can be used. Makes it when there is none. @throws ClientError */
export async function openTable(calls: TableCalls, timing: Timing): Promise<void> {
  const endMs = timing.now() + waitMsMax;
  for (;;) {
    const table = await calls.describe();
    const [key, ...otherKeys] = table?.KeySchema ?? [];
    if (table !== undefined && (key?.AttributeName !== 'leaseKey' || otherKeys.length > 0)) {
      throw new ClientError(
        'MR_LEASES_OTHER_TABLE',
        `The table ${calls.table} has another key than leaseKey, so it is no lease table: give the store the name of another table, or the consumer another application.`,
      );
    }
    // An index of it may be in the making then.
    if (table?.TableStatus === 'ACTIVE' || table?.TableStatus === 'UPDATING') return;
    if (timing.now() >= endMs) {
      throw new ClientError(
        'MR_LEASES_TABLE_NOT_READY',
        `The lease table ${calls.table} was not ready after ${waitMsMax / 1000} seconds: it is ${table?.TableStatus ?? 'not there'}.`,
        { isRetryable: true },
      );
    }
    if (table === undefined) await calls.create(schema);
    await new Promise<void>((resolve) => {
      timing.after(pollMs, resolve);
    });
  }
}
