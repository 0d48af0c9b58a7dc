import { type AttributeValue, DynamoDBClient, ListTablesCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { credentials, region } from '../../harness/target.ts';

/** A lease as it stands in the table. */
export interface LeaseItem {
  readonly shard: string;
  readonly owner: string | undefined;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

/** What one application has in DynamoDB. */
export interface LeaseTable {
  readonly leases: readonly LeaseItem[];
  /** Of the items that are no leases. */
  readonly otherTypes: readonly string[];
  /** Tables besides the lease table, without the name of the application. */
  readonly otherTables: readonly string[];
}

/** Reads it without the help of either of the two that write it. */
export async function readLeaseTable(endpoint: string, application: string): Promise<LeaseTable> {
  const client = new DynamoDBClient({ endpoint, region, credentials });
  try {
    const { Items = [] } = await client.send(new ScanCommand({ TableName: application, ConsistentRead: true }));
    const types = Items.map((item) => item['entityType']?.S ?? 'LEASE');
    const { TableNames = [] } = await client.send(new ListTablesCommand({}));
    return {
      leases: Items.filter((_, i) => types[i] === 'LEASE').map(leaseOf),
      otherTypes: [...new Set(types)].filter((type) => type !== 'LEASE'),
      otherTables: TableNames.filter((name) => name.startsWith(`${application}-`)).map((name) =>
        name.slice(application.length),
      ),
    };
  } finally {
    client.destroy();
  }
}

function leaseOf(item: Record<string, AttributeValue>): LeaseItem {
  return {
    shard: item['leaseKey']?.S as string,
    owner: item['leaseOwner']?.S,
    sequenceNumber: item['checkpoint']?.S as string,
    subSequenceNumber: Number(item['checkpointSubSequenceNumber']?.N),
  };
}
