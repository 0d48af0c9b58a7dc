import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  type ScanCommandInput,
  type TableDescription,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { unlessAborted } from '../../../deadline.ts';
import { ClientError } from '../../../errors.ts';
import type { Lease } from '../lease.ts';
import { type Change, conditionOf, updateOf } from './changes.ts';
import { callFailure } from './failures.ts';
import { type Item, keyOf, leaseOf } from './items.ts';

/** How a conditional write ended. */
export interface Outcome {
  readonly isDone: boolean;
  /** What there is now. */
  readonly lease: Lease | undefined;
  /** The SDK has made the call several times: refused, it may have had its effect before. */
  readonly isRetried: boolean;
}

export interface TableCallsOptions {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly failoverMs: number;
}

/** Of a call for the table itself, while no lease is held. */
const tableCallMsMax = 30_000;

type CallName = 'CreateTable' | 'DeleteItem' | 'DescribeTable' | 'GetItem' | 'PutItem' | 'Scan' | 'UpdateItem';

interface Sending {
  readonly abortSignal: AbortSignal;
}

/** What a lease store asks of DynamoDB. All throw ClientError. */
export class TableCalls {
  readonly table: string;
  readonly #client: DynamoDBClient;
  readonly #failoverMs: number;

  constructor({ client, table, failoverMs }: TableCallsOptions) {
    this.table = table;
    this.#client = client;
    this.#failoverMs = failoverMs;
  }

  /** Undefined when there is none. */
  describe(): Promise<TableDescription | undefined> {
    return this.#call('DescribeTable', async (sending) => {
      const command = new DescribeTableCommand({ TableName: this.table });
      const answer = await this.#client.send(command, sending).catch(unless('ResourceNotFoundException'));
      return answer?.Table;
    });
  }

  /** Begun; by another worker, perhaps. */
  create(schema: Omit<CreateTableCommandInput, 'TableName'>): Promise<void> {
    return this.#call('CreateTable', async (sending) => {
      const command = new CreateTableCommand({ ...schema, TableName: this.table });
      await this.#client.send(command, sending).catch(unless('ResourceInUseException'));
    });
  }

  async scan(isConsistent: boolean): Promise<Item[]> {
    const items: Item[] = [];
    let from: ScanCommandInput['ExclusiveStartKey'];
    do {
      const command = new ScanCommand({ TableName: this.table, ConsistentRead: isConsistent, ExclusiveStartKey: from });
      const answer = await this.#call('Scan', (sending) => this.#client.send(command, sending));
      items.push(...(answer.Items ?? []));
      from = answer.LastEvaluatedKey;
    } while (from !== undefined);
    return items;
  }

  /** False when there is an item with that key. */
  put(item: Item): Promise<boolean> {
    return this.#call('PutItem', async (sending) => {
      const condition = { ConditionExpression: 'attribute_not_exists(leaseKey)' };
      const command = new PutItemCommand({ TableName: this.table, Item: item, ...condition });
      const answer = await this.#client.send(command, sending).catch(unless('ConditionalCheckFailedException'));
      return answer !== undefined;
    });
  }

  update(seen: Lease, change: Change): Promise<Outcome> {
    return this.#call('UpdateItem', async (sending) => {
      const command = new UpdateItemCommand({
        TableName: this.table,
        ...updateOf(seen, change),
        ReturnValues: 'ALL_NEW',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      const { Attributes, refused } = await this.#client.send(command, sending).then(asDone, asRefused);
      const item = Attributes ?? refused?.Item ?? (await this.#get(seen.shardId));
      return { isDone: refused === undefined, lease: item && leaseOf(item), isRetried: isRetried(refused) };
    });
  }

  delete(seen: Lease): Promise<Outcome> {
    return this.#call('DeleteItem', async (sending) => {
      const command = new DeleteItemCommand({
        TableName: this.table,
        ...conditionOf(seen),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      const { refused } = await this.#client.send(command, sending).then(asDone, asRefused);
      const item = refused && (refused.Item ?? (await this.#get(seen.shardId)));
      return { isDone: refused === undefined, lease: item && leaseOf(item), isRetried: isRetried(refused) };
    });
  }

  /** For a refused write whose answer has no item: it is gone, or what answers is an older stand-in for DynamoDB. */
  async #get(shardId: string): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.table, Key: keyOf(shardId), ConsistentRead: true });
    return (await this.#call('GetItem', (sending) => this.#client.send(command, sending))).Item;
  }

  /** Of one call, with all that the SDK tries for it. */
  #timeoutMs(name: CallName): number {
    if (name === 'DescribeTable' || name === 'CreateTable') return tableCallMsMax;
    // Renewals that hang, in a round and the next, must leave time for a third one.
    return name === 'UpdateItem' ? this.#failoverMs / 6 : this.#failoverMs / 2;
  }

  async #call<Answer>(name: CallName, call: (sending: Sending) => Promise<Answer>): Promise<Answer> {
    const abortSignal = AbortSignal.timeout(Math.ceil(this.#timeoutMs(name)));
    try {
      // The SDK does not listen while it waits for credentials.
      return await unlessAborted(abortSignal, call({ abortSignal }));
    } catch (error) {
      throw error instanceof ClientError ? error : callFailure(error, name, this.table);
    }
  }
}

/** By name: the client may be of another copy of the SDK. */
function unless(name: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof Error && error.name === name)) throw error;
  };
}

/** A refusal, as far as it is looked at. */
interface Refused {
  readonly Item?: Item;
  readonly $metadata?: { readonly attempts?: number };
}

interface Answered {
  readonly Attributes?: Item | undefined;
  readonly refused?: Refused;
}

function asDone({ Attributes }: { readonly Attributes?: Item | undefined }): Answered {
  return { Attributes };
}

function asRefused(error: unknown): Answered {
  unless('ConditionalCheckFailedException')(error);
  return { refused: error as Refused };
}

function isRetried(refused: Refused | undefined): boolean {
  return (refused?.$metadata?.attempts ?? 1) > 1;
}
