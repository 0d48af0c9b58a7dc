import { InvalidArgumentException, type ListStreamsInput, type ListStreamsOutput } from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { openPageToken, sealPageToken } from '../page-token.ts';
import { countCall } from '../resolve.ts';

export async function listStreams(
  context: StreamsContext,
  input: ListStreamsInput,
  caller: Caller,
): Promise<ListStreamsOutput> {
  countCall(context, 'list-streams-calls', caller);
  if (input.NextToken !== undefined && input.ExclusiveStartStreamName !== undefined) {
    throw new InvalidArgumentException('NextToken and ExclusiveStartStreamName cannot be provided together.');
  }
  const after =
    input.NextToken === undefined
      ? input.ExclusiveStartStreamName
      : openPageToken<{ after: string }>(context, 'list-streams', input.NextToken).after;
  const rest = context.domain.in(caller).filter(({ record }) => after === undefined || record.name > after);
  const page = rest.slice(0, input.Limit ?? sizes.listStreamsDefault);
  const hasMore = rest.length > page.length;
  const nowMs = context.clock.now();
  return {
    StreamNames: page.map(({ record }) => record.name),
    HasMoreStreams: hasMore,
    ...(hasMore && { NextToken: sealPageToken(context, 'list-streams', { after: page.at(-1)?.record.name }) }),
    StreamSummaries: page.map((stream) => ({
      StreamName: stream.record.name,
      StreamARN: stream.arn,
      StreamStatus: stream.status(nowMs),
      StreamModeDetails: { StreamMode: stream.record.mode },
      StreamCreationTimestamp: stream.record.createdMs,
    })),
  };
}
