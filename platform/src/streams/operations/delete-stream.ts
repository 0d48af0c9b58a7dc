import type { DeleteStreamInput } from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { countCall, resolveStream } from '../resolve.ts';
import { propose } from '../wire-errors.ts';

export async function deleteStream(context: StreamsContext, input: DeleteStreamInput, caller: Caller): Promise<void> {
  countCall(context, 'delete-stream-calls', caller);
  const { record } = resolveStream(context, input, caller);
  const { incarnation } = record;
  const withConsumers = input.EnforceConsumerDeletion === true;
  await propose(context, { kind: 'delete', incarnation, delayMs: context.lifecycleDelayMs, withConsumers }, record);
  if (context.lifecycleDelayMs > 0) context.schedulePurge(incarnation);
}
