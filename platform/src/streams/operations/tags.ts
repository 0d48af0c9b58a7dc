import {
  type AddTagsToStreamInput,
  type ListTagsForResourceInput,
  type ListTagsForResourceOutput,
  type ListTagsForStreamInput,
  type ListTagsForStreamOutput,
  type RemoveTagsFromStreamInput,
  type TagResourceInput,
  type UntagResourceInput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { resolveResource } from '../consumer-reference.ts';
import { countCall, resolveActive, resolveStream } from '../resolve.ts';
import type { ConsumerKey } from '../state/consumers.ts';
import type { Consumer, Stream } from '../state/stream.ts';
import { checkTags, tagList } from '../tags.ts';
import { propose, streamNotActive } from '../wire-errors.ts';

export async function addTagsToStream(
  context: StreamsContext,
  input: AddTagsToStreamInput,
  caller: Caller,
): Promise<void> {
  countCall(context, 'add-tags-to-stream-calls', caller);
  await addTags(context, resolveActive(context, input, caller), input.Tags);
}

export async function removeTagsFromStream(
  context: StreamsContext,
  input: RemoveTagsFromStreamInput,
  caller: Caller,
): Promise<void> {
  const stream = resolveActive(context, input, caller);
  countCall(context, 'remove-tags-from-stream-calls', stream);
  await removeTags(context, stream, input.TagKeys);
}

export async function listTagsForStream(
  context: StreamsContext,
  input: ListTagsForStreamInput,
  caller: Caller,
): Promise<ListTagsForStreamOutput> {
  const stream = resolveStream(context, input, caller);
  countCall(context, 'list-tags-for-stream-calls', stream);
  const after = input.ExclusiveStartTagKey;
  const rest = tagList(stream.record.tags).filter(({ Key }) => after === undefined || Key > after);
  const limit = input.Limit ?? sizes.listTagsDefault;
  return { Tags: rest.slice(0, limit), HasMoreTags: rest.length > limit };
}

export async function tagResource(context: StreamsContext, input: TagResourceInput, caller: Caller): Promise<void> {
  const { stream, consumer } = resolveActiveResource(context, input, caller);
  countCall(context, 'tag-resource-calls', stream);
  await addTags(context, stream, input.Tags, consumer);
}

export async function untagResource(context: StreamsContext, input: UntagResourceInput, caller: Caller): Promise<void> {
  const { stream, consumer } = resolveActiveResource(context, input, caller);
  countCall(context, 'untag-resource-calls', stream);
  await removeTags(context, stream, input.TagKeys, consumer);
}

export async function listTagsForResource(
  context: StreamsContext,
  input: ListTagsForResourceInput,
  caller: Caller,
): Promise<ListTagsForResourceOutput> {
  const { stream, consumer } = resolveResource(context, input.ResourceARN, input.StreamId, caller);
  countCall(context, 'list-tags-for-resource-calls', stream);
  return { Tags: tagList(consumer?.tags ?? stream.record.tags) };
}

/** @throws ResourceInUseException when the stream is not ACTIVE */
function resolveActiveResource(
  context: StreamsContext,
  input: { readonly ResourceARN: string; readonly StreamId?: string | undefined },
  caller: Caller,
): { stream: Stream; consumer: Consumer | undefined } {
  const resource = resolveResource(context, input.ResourceARN, input.StreamId, caller);
  const nowMs = context.clock.now();
  if (resource.stream.status(nowMs) !== 'ACTIVE') throw streamNotActive(resource.stream, nowMs);
  return resource;
}

async function addTags(
  context: StreamsContext,
  stream: Stream,
  tags: Readonly<Record<string, string>>,
  consumer?: Consumer,
): Promise<void> {
  const { record } = stream;
  const { incarnation } = record;
  checkTags(tags, record);
  const command = { kind: 'add-tags', incarnation, consumer: keyOf(consumer), tags, tagsMax: sizes.tagsMax } as const;
  await propose(context, command, record);
}

async function removeTags(
  context: StreamsContext,
  stream: Stream,
  keys: readonly string[],
  consumer?: Consumer,
): Promise<void> {
  const { record } = stream;
  const { incarnation } = record;
  checkTags(Object.fromEntries(keys.map((key) => [key, ''])), record);
  await propose(context, { kind: 'remove-tags', incarnation, consumer: keyOf(consumer), keys }, record);
}

function keyOf(consumer: Consumer | undefined): ConsumerKey | undefined {
  return consumer && { name: consumer.name, createdSecond: consumer.createdSecond };
}
