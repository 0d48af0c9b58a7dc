import type { DeleteStreamInput } from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { countCall, resolveStream } from '../resolve.ts';
import { propose } from '../wire-errors.ts';

/** EnforceConsumerDeletion changes nothing while no consumer can be registered. */
export async function deleteStream(context: StreamsContext, input: DeleteStreamInput, caller: Caller): Promise<void> {
  countCall(context, 'delete-stream-calls', caller);
  const { record } = resolveStream(context, input, caller);
  const { incarnation } = record;
  await propose(context, { kind: 'delete', incarnation, delayMs: context.lifecycleDelayMs }, record);
  if (context.lifecycleDelayMs > 0) context.schedulePurge(incarnation);
}
