import type { UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import type { Lease } from '../lease.ts';
import { type Item, keyOf } from './items.ts';

/** What a write does to a lease; attributes that are not named stay as they are. */
export interface Change {
  readonly set?: Item;
  readonly remove?: readonly string[];
  /** One more worker since the last checkpoint. */
  readonly isSwitch?: boolean;
  /** Leaves the counter as it is, and does not look at it either: the holder goes on meanwhile. */
  readonly isUncounted?: boolean;
}

type Conditional = Pick<UpdateItemCommandInput, 'Key' | 'ConditionExpression' | 'ExpressionAttributeValues'>;

/** A write that is refused when another one has come between. */
export function updateOf(seen: Lease, change: Change): Conditional & Pick<UpdateItemCommandInput, 'UpdateExpression'> {
  const { set = {}, remove = [], isSwitch = false, isUncounted = false } = change;
  const condition = conditionOf(seen, isUncounted);
  const values = { ...set, ...(!isUncounted && { leaseCounter: { N: String(seen.fence + 1) } }) };
  const clauses = [
    `SET ${Object.keys(values)
      .map((name) => `${name} = :${name}`)
      .join(', ')}`,
    ...(remove.length > 0 ? [`REMOVE ${remove.join(', ')}`] : []),
    ...(isSwitch ? ['ADD ownerSwitchesSinceCheckpoint :one'] : []),
  ];
  return {
    ...condition,
    UpdateExpression: clauses.join(' '),
    ExpressionAttributeValues: {
      ...condition.ExpressionAttributeValues,
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      ...(isSwitch && { ':one': { N: '1' } }),
    },
  };
}

/**
 * The same owners, and the same counter. The counter alone would do for most: whoever changes who holds a lease changes it, but for the one who
 * asks for it.
 */
export function conditionOf(seen: Lease, isUncounted = false): Conditional {
  const was: Record<string, Item[string] | undefined> = {
    leaseOwner: seen.owner === undefined ? undefined : { S: seen.owner },
    checkpointOwner: seen.previousOwner === undefined ? undefined : { S: seen.previousOwner },
    ...(!isUncounted && { leaseCounter: { N: String(seen.fence) } }),
  };
  const terms = Object.entries(was).map(([name, value]) =>
    value === undefined ? `attribute_not_exists(${name})` : `${name} = :was_${name}`,
  );
  const values = Object.entries(was).flatMap(([name, value]) => (value === undefined ? [] : [[`:was_${name}`, value]]));
  return {
    Key: keyOf(seen.shardId),
    ConditionExpression: terms.join(' AND '),
    ExpressionAttributeValues: Object.fromEntries(values),
  };
}
