import {
  type AttributeValue,
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';

type Item = Record<string, AttributeValue>;

interface Table {
  readonly schema: Partial<CreateTableCommandInput>;
  readonly items: Map<string, Item>;
  /** How many descriptions call it CREATING yet. */
  creating: number;
}

/** What happens to a call instead of what should. */
export interface Mishap {
  readonly call: 'CreateTable' | 'DeleteItem' | 'DescribeTable' | 'GetItem' | 'PutItem' | 'Scan' | 'UpdateItem';
  /** Of any lease when left out. */
  readonly shardId?: string;
  readonly error: Error;
  /** The call has its effect all the same; only the answer is lost. Default false. */
  readonly hasEffect?: boolean;
  /** How many calls that it fits go well before. */
  after?: number;
}

/** DynamoDB in memory, of nothing but what the lease store uses: any other command or expression is an error. */
export class FakeDynamoDb {
  readonly tables = new Map<string, Table>();
  /** Each happens once, to the next call that it fits. */
  readonly mishaps: Mishap[] = [];
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  /** Items of a scanned page. */
  pageSize = 1000;
  /** What scans see that need not be consistent; undefined: what there is. */
  staleItems: ReadonlyMap<string, Item> | undefined;
  /** Refused writes tell what there is. Older stand-ins for DynamoDB do not. */
  tellsRefused = true;
  /** How long a new table is in the making, in descriptions. */
  creating = 0;
  mostAtOnce = 0;
  #atOnce = 0;

  get client(): DynamoDBClient {
    return { send: (command: object) => this.#send(command) } as unknown as DynamoDBClient;
  }

  /** Makes a table when there is none, as other programs do. */
  itemsOf(table: string): Map<string, Item> {
    const found = this.tables.get(table);
    if (found !== undefined) return found.items;
    const items = new Map<string, Item>();
    const KeySchema = [{ AttributeName: 'leaseKey', KeyType: 'HASH' as const }];
    this.tables.set(table, { schema: { KeySchema }, items, creating: 0 });
    return items;
  }

  async #send(command: object): Promise<unknown> {
    const call = command.constructor.name.replace(/Command$/, '');
    const { Key, Item } = (command as { readonly input: { readonly Key?: Item; readonly Item?: Item } }).input;
    const shardId = (Key ?? Item)?.['leaseKey']?.S;
    this.calls.push(call);
    this.#atOnce++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.#atOnce--;
    const mishap = this.#mishapOf(call, shardId);
    if (mishap === undefined) return structuredClone(this.#answer(command));
    if (mishap.hasEffect === true) this.#act(command);
    throw mishap.error;
  }

  #mishapOf(call: string, shardId: string | undefined): Mishap | undefined {
    const fits = (each: Mishap): boolean => each.call === call && [undefined, shardId].includes(each.shardId);
    const mishap = this.mishaps.find(fits);
    if (mishap === undefined) return undefined;
    mishap.after = (mishap.after ?? 0) - 1;
    if (mishap.after >= 0) return undefined;
    this.mishaps.splice(this.mishaps.indexOf(mishap), 1);
    return mishap;
  }

  /** A refusal does not reach anybody either. */
  #act(command: object): void {
    try {
      this.#answer(command);
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ConditionalCheckFailedException')) throw error;
    }
  }

  #answer(command: object): unknown {
    if (command instanceof DescribeTableCommand) return this.#describe(command);
    if (command instanceof CreateTableCommand) return this.#create(command);
    if (command instanceof ScanCommand) return this.#scan(command);
    if (command instanceof GetItemCommand) {
      return { Item: this.#tableOf(command.input).items.get(keyOf(command.input.Key)) };
    }
    if (command instanceof PutItemCommand) return this.#put(command);
    if (command instanceof UpdateItemCommand) return this.#update(command);
    if (command instanceof DeleteItemCommand) return this.#delete(command);
    throw new Error(`the fake has no ${command.constructor.name}`);
  }

  #describe({ input }: DescribeTableCommand): unknown {
    const table = this.#tableOf(input);
    return { Table: { ...table.schema, TableStatus: table.creating-- > 0 ? 'CREATING' : 'ACTIVE' } };
  }

  #create({ input }: CreateTableCommand): unknown {
    const { TableName = '', ...schema } = input;
    if (this.tables.has(TableName)) throw serviceError('ResourceInUseException');
    this.tables.set(TableName, { schema, items: new Map(), creating: this.creating });
    return {};
  }

  #scan({ input }: ScanCommand): unknown {
    const { TableName, ExclusiveStartKey, ConsistentRead, ...others } = input;
    refuse(others);
    const now = this.#tableOf({ TableName }).items;
    const items = ConsistentRead === true ? now : (this.staleItems ?? now);
    const keys = [...items.keys()].sort();
    const start = ExclusiveStartKey === undefined ? 0 : keys.indexOf(keyOf(ExclusiveStartKey)) + 1;
    const page = keys.slice(start, start + this.pageSize);
    const Items = page.map((key) => items.get(key));
    const last = page.at(-1);
    const isLast = last === undefined || start + page.length === keys.length;
    return { Items, ...(!isLast && { LastEvaluatedKey: { leaseKey: { S: last } } }) };
  }

  #put({ input }: PutItemCommand): unknown {
    const { TableName, Item = {}, ConditionExpression, ...others } = input;
    refuse(others);
    const { items } = this.#tableOf({ TableName });
    this.#check(items.get(keyOf(Item)), ConditionExpression, {});
    items.set(keyOf(Item), structuredClone(Item));
    return {};
  }

  #update({ input }: UpdateItemCommand): unknown {
    const { TableName, Key, UpdateExpression, ConditionExpression, ExpressionAttributeValues = {}, ...others } = input;
    const { ReturnValues, ReturnValuesOnConditionCheckFailure, ...unknown } = others;
    refuse(unknown);
    if (ReturnValues !== 'ALL_NEW' || ReturnValuesOnConditionCheckFailure !== 'ALL_OLD') refuse(others);
    const { items } = this.#tableOf({ TableName });
    const values = new Values(ExpressionAttributeValues);
    const item = items.get(keyOf(Key));
    this.#check(item, ConditionExpression, ExpressionAttributeValues, values);
    const changed = updated({ ...Key, ...item }, UpdateExpression ?? '', values);
    values.checkUsed();
    items.set(keyOf(Key), changed);
    return { Attributes: changed };
  }

  #delete({ input }: DeleteItemCommand): unknown {
    const { TableName, Key, ConditionExpression, ExpressionAttributeValues = {}, ...others } = input;
    const { ReturnValuesOnConditionCheckFailure, ...unknown } = others;
    refuse(unknown);
    if (ReturnValuesOnConditionCheckFailure !== 'ALL_OLD') refuse(others);
    const { items } = this.#tableOf({ TableName });
    this.#check(items.get(keyOf(Key)), ConditionExpression, ExpressionAttributeValues);
    items.delete(keyOf(Key));
    return {};
  }

  #check(item: Item | undefined, condition: string | undefined, given: Item, values: Values = new Values(given)): void {
    // All terms: what is wrong with one must not hide behind another.
    const terms = condition?.split(' AND ').map((term) => isTrue(item ?? {}, term, values)) ?? [];
    if (!terms.includes(false)) return;
    throw Object.assign(serviceError('ConditionalCheckFailedException'), {
      Item: this.tellsRefused ? structuredClone(item) : undefined,
    });
  }

  #tableOf({ TableName = '' }: { readonly TableName?: string | undefined }): Table {
    const table = this.tables.get(TableName);
    if (table === undefined) throw serviceError('ResourceNotFoundException');
    return table;
  }
}

/** As the SDK throws it. */
export function serviceError(name: string): Error {
  return Object.assign(new Error(`a ${name} of the fake`), { name });
}

/** Values of an expression; DynamoDB refuses those that are missing and those that are not used. */
class Values {
  readonly #unused: Set<string>;
  readonly #values: Item;

  constructor(values: Item) {
    this.#values = values;
    this.#unused = new Set(Object.keys(values));
  }

  get(name: string): AttributeValue {
    const value = this.#values[name];
    if (value === undefined) throw new Error(`${name} has no value`);
    this.#unused.delete(name);
    return value;
  }

  checkUsed(): void {
    if (this.#unused.size > 0) throw new Error(`not used: ${[...this.#unused].join(', ')}`);
  }
}

function isTrue(item: Item, term: string, values: Values): boolean {
  const [, absent] = /^attribute_not_exists\((\w+)\)$/.exec(term) ?? [];
  if (absent !== undefined) return item[absent] === undefined;
  const [, name = '', value] = /^(\w+) = (:\w+)$/.exec(term) ?? [];
  if (value === undefined) throw new Error(`the fake does not know the condition ${term}`);
  return JSON.stringify(item[name]) === JSON.stringify(values.get(value));
}

function updated(item: Item, expression: string, values: Values): Item {
  const clauses = expression.split(/ (?=REMOVE |ADD )/);
  const changed = { ...item };
  for (const clause of clauses) {
    const [, verb = '', list = ''] = /^(SET|REMOVE|ADD) (.+)$/.exec(clause) ?? [];
    for (const part of list.split(', ')) {
      const [, set = '', value = ''] = /^(\w+) = (:\w+)$/.exec(part) ?? [];
      const [, added = '', amount = ''] = /^(\w+) (:\w+)$/.exec(part) ?? [];
      if (verb === 'SET' && set !== '') changed[set] = values.get(value);
      else if (verb === 'REMOVE' && /^\w+$/.test(part)) delete changed[part];
      else if (verb === 'ADD' && added !== '') {
        changed[added] = { N: String(Number(changed[added]?.N ?? 0) + Number(values.get(amount).N)) };
      } else throw new Error(`the fake does not know the update ${clause}`);
    }
  }
  return changed;
}

function keyOf(key: Item | undefined): string {
  const { S } = key?.['leaseKey'] ?? {};
  if (S === undefined) throw new Error('there is no leaseKey');
  return S;
}

function refuse(others: object): void {
  const names = Object.keys(others);
  if (names.length > 0) throw new Error(`the fake does not know ${names.join(', ')} here`);
}
