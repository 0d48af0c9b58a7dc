import type { SeededRandom } from '../seeded-random.ts';
import { openBook } from './books.ts';
import type { ControlledStream, StreamFacts } from './controlled-stream.ts';
import { put, type WriterParts } from './load.ts';
import { NoAnswerError } from '../connection.ts';

const victimsMax = 3;
const tagsMax = 40;

/** Changes tags and retention of the streams that stay. */
export async function changeStable(parts: WriterParts): Promise<void> {
  const { load, random } = parts;
  while (!load.isStopped) {
    if (!(await changeFacts(parts, random.pick(load.world.stable)))) return;
  }
}

/** Makes streams that the writers put into, changes them, and deletes them while records are on their way. */
export async function makeAndDelete(parts: WriterParts): Promise<void> {
  const { load, random } = parts;
  const { world } = load;
  while (!load.isStopped) {
    const living = world.victims.filter((each) => each.facts !== undefined);
    const isAnswered =
      living.length < victimsMax && random.chance(0.5)
        ? await create(parts, world.newVictim())
        : living.length > 0 && random.chance(0.3)
          ? await remove(parts, random.pick(living))
          : living.length > 0
            ? await changeFacts(parts, random.pick(living))
            : true;
    if (!isAnswered) return;
  }
}

/** Deletes a stream and makes it anew under the same name: what the old one held must not come back. */
export async function raiseAgain(parts: WriterParts, stream: ControlledStream): Promise<void> {
  const { load, random } = parts;
  while (!load.isStopped) {
    if (stream.facts === undefined) {
      if (!(await create(parts, stream))) return;
      continue;
    }
    const dice = random.next();
    if (dice < 0.3) {
      if (!(await remove(parts, stream))) return;
    } else if (dice < 0.5) {
      if (!(await changeFacts(parts, stream))) return;
    } else
      await put(
        parts,
        stream,
        Array.from({ length: random.magnitude(1, 20) }, () => random.magnitude(1, 20_000)),
      );
  }
}

async function create(parts: WriterParts, stream: ControlledStream): Promise<boolean> {
  const { load, connection, random } = parts;
  const after: StreamFacts = { shardCount: random.int(1, 4), retentionHours: 24, tags: newTags(random, 3) };
  const input = { ShardCount: after.shardCount, Tags: after.tags };
  if (!(await stream.change({ connection, ledger: load.world.ledger }, { operation: 'CreateStream', input, after })))
    return false;
  try {
    stream.book = await openBook(connection, stream.name, stream.former);
  } catch (error) {
    // The reading after the restart opens it.
    if (error instanceof NoAnswerError) return false;
    throw error;
  }
  return true;
}

async function remove(parts: WriterParts, stream: ControlledStream): Promise<boolean> {
  const { load, connection } = parts;
  const change = { operation: 'DeleteStream', input: {}, after: undefined };
  if (!(await stream.change({ connection, ledger: load.world.ledger }, change))) return false;
  if (stream.book !== undefined) load.world.deadBooks.push(stream.book);
  stream.former = stream.book ?? stream.former;
  stream.book = undefined;
  return true;
}

/** One of the calls that change tags or retention; false when no answer came. */
async function changeFacts(parts: WriterParts, stream: ControlledStream): Promise<boolean> {
  const { load, connection, random } = parts;
  const change = changeOf(random, stream.facts as StreamFacts);
  return stream.change({ connection, ledger: load.world.ledger }, change);
}

function changeOf(random: SeededRandom, facts: StreamFacts): { operation: string; input: object; after: StreamFacts } {
  const keys = Object.keys(facts.tags);
  const { retentionHours } = facts;
  if (random.chance(0.3)) {
    const isIncrease = retentionHours < 100 || (retentionHours < 8000 && random.chance(0.5));
    const RetentionPeriodHours = isIncrease ? random.int(retentionHours, 8760) : random.int(24, retentionHours);
    const operation = `${isIncrease ? 'Increase' : 'Decrease'}StreamRetentionPeriod`;
    return { operation, input: { RetentionPeriodHours }, after: { ...facts, retentionHours: RetentionPeriodHours } };
  }
  if (keys.length >= tagsMax || (keys.length > 3 && random.chance(0.5))) {
    const TagKeys = keys.filter(() => random.chance(0.3)).slice(0, 10);
    if (TagKeys.length === 0) TagKeys.push(keys[0] as string);
    const tags = Object.fromEntries(Object.entries(facts.tags).filter(([key]) => !TagKeys.includes(key)));
    return { operation: 'RemoveTagsFromStream', input: { TagKeys }, after: { ...facts, tags } };
  }
  const Tags = newTags(random, 6);
  return { operation: 'AddTagsToStream', input: { Tags }, after: { ...facts, tags: { ...facts.tags, ...Tags } } };
}

/** Several at a time, so that half of a call would show. */
function newTags(random: SeededRandom, count: number): Record<string, string> {
  const tags: Record<string, string> = {};
  for (let i = 0; i < count; i++) tags[`tag ${random.int(1, 60)}`] = `value ${random.int(1, 1_000_000)} é`;
  return tags;
}
