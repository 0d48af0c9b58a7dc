import {
  InvalidArgumentException,
  ResourceNotFoundException,
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
import { countCall, parseStreamArn, resolveActive, resolveStream } from '../resolve.ts';
import type { Stream } from '../state/stream.ts';
import { checkTags, tagList } from '../tags.ts';
import { propose } from '../wire-errors.ts';

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
  const stream = resolveActive(context, resource(input.ResourceARN), caller);
  countCall(context, 'tag-resource-calls', stream);
  await addTags(context, stream, input.Tags);
}

export async function untagResource(context: StreamsContext, input: UntagResourceInput, caller: Caller): Promise<void> {
  const stream = resolveActive(context, resource(input.ResourceARN), caller);
  countCall(context, 'untag-resource-calls', stream);
  await removeTags(context, stream, input.TagKeys);
}

export async function listTagsForResource(
  context: StreamsContext,
  input: ListTagsForResourceInput,
  caller: Caller,
): Promise<ListTagsForResourceOutput> {
  const stream = resolveStream(context, resource(input.ResourceARN), caller);
  countCall(context, 'list-tags-for-resource-calls', stream);
  return { Tags: tagList(stream.record.tags) };
}

/** Streams are the only resources that exist so far: a consumer's ARN names nothing. */
function resource(arn: string): { StreamARN: string } {
  if (parseStreamArn(arn) === undefined)
    throw new InvalidArgumentException(`ResourceARN ${arn} is not the ARN of a stream.`);
  if (/:stream\/[^/]+\//.test(arn)) throw new ResourceNotFoundException(`Resource ${arn} not found.`);
  return { StreamARN: arn };
}

async function addTags(context: StreamsContext, stream: Stream, tags: Readonly<Record<string, string>>): Promise<void> {
  const { record } = stream;
  checkTags(tags, record);
  const command = { kind: 'add-tags', incarnation: record.incarnation, tags, tagsMax: sizes.tagsMax } as const;
  await propose(context, command, record);
}

async function removeTags(context: StreamsContext, stream: Stream, keys: readonly string[]): Promise<void> {
  const { record } = stream;
  checkTags(Object.fromEntries(keys.map((key) => [key, ''])), record);
  await propose(context, { kind: 'remove-tags', incarnation: record.incarnation, keys }, record);
}
