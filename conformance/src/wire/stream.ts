import { freshName } from '../harness/target.ts';
import type { Caller } from './call.ts';

/** A stream to call about. */
export interface TestStream {
  readonly name: string;
  readonly arn: string;
  readonly account: string;
}

/** Makes a stream, waits until it is ACTIVE, and removes it with its consumers after `use`. */
export async function withStream(
  caller: Caller,
  input: { readonly ShardCount: number; readonly MaxRecordSizeInKiB?: number },
  use: (stream: TestStream) => Promise<void>,
): Promise<void> {
  const name = freshName('wire');
  await caller.mustCall('CreateStream', { StreamName: name, ...input });
  try {
    await use(await activeStream(caller, name));
  } finally {
    await caller.mustCall('DeleteStream', { StreamName: name, EnforceConsumerDeletion: true });
  }
}

async function activeStream(caller: Caller, name: string): Promise<TestStream> {
  for (;;) {
    const { StreamDescriptionSummary: summary } = await caller.mustCall('DescribeStreamSummary', { StreamName: name });
    const { StreamARN: arn, StreamStatus } = summary as { StreamARN: string; StreamStatus: string };
    if (StreamStatus === 'ACTIVE') return { name, arn, account: arn.split(':')[4] as string };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
