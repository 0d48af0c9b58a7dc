import {
  InvalidArgumentException,
  LimitExceededException,
  UnknownOperationException,
  type CreateStreamInput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { checkShardQuota } from '../quotas.ts';
import { countCall } from '../resolve.ts';
import { checkTags } from '../tags.ts';
import { propose } from '../wire-errors.ts';

export async function createStream(context: StreamsContext, input: CreateStreamInput, caller: Caller): Promise<void> {
  countCall(context, 'create-stream-calls', caller);
  refuseUnimplemented(input);
  const mode = input.StreamModeDetails?.StreamMode ?? 'PROVISIONED';
  const shardCount = mode === 'ON_DEMAND' ? sizes.onDemandShards : input.ShardCount;
  if (mode === 'ON_DEMAND' && input.ShardCount !== undefined) {
    throw new InvalidArgumentException('ShardCount must not be given for a stream in On-Demand mode.');
  }
  if (shardCount === undefined)
    throw new InvalidArgumentException('ShardCount must be given for a stream in Provisioned mode.');
  const tags = input.Tags ?? {};
  const subject = { name: input.StreamName, account: caller.account };
  checkTags(tags, subject);
  // An existing name is told before a quota: that is what a repeated set-up script needs to hear.
  if (context.domain.find(caller, input.StreamName) === undefined) checkQuotas(context, caller, mode, shardCount);
  const { account, region } = caller;
  await propose(
    context,
    {
      kind: 'create',
      account,
      region,
      name: input.StreamName,
      streamId: newStreamId(context),
      shardCount,
      mode,
      maxRecordKiB: input.MaxRecordSizeInKiB ?? sizes.recordKiBDefault,
      tags,
      delayMs: context.lifecycleDelayMs,
    },
    subject,
  );
}

function refuseUnimplemented(input: CreateStreamInput): void {
  if (input.WarmThroughputMiBps !== undefined) {
    throw new UnknownOperationException('The parameter WarmThroughputMiBps of CreateStream is not implemented.');
  }
  if (input.RecordDistributionStrategy === 'AUTO') {
    throw new UnknownOperationException('RecordDistributionStrategy AUTO of CreateStream is not implemented.');
  }
}

function checkQuotas(context: StreamsContext, caller: Caller, mode: string, shardCount: number): void {
  const { limits } = context.throttle;
  const nowMs = context.clock.now();
  const streams = context.domain.in(caller);
  const creating = streams.filter((each) => each.status(nowMs) === 'CREATING').length;
  if (creating >= limits['account-creating-streams']) {
    throw new LimitExceededException(
      `This request would exceed the limit of ${limits['account-creating-streams']} streams in state CREATING for the account ${caller.account}.`,
    );
  }
  const onDemand = streams.filter(({ record }) => record.mode === 'ON_DEMAND').length;
  if (mode === 'ON_DEMAND' && onDemand >= limits['account-on-demand-streams']) {
    throw new LimitExceededException(
      `This request would exceed the on-demand stream limit for the account ${caller.account} in ${caller.region}. Limit: ${limits['account-on-demand-streams']}.`,
    );
  }
  checkShardQuota(context, caller, shardCount);
}

/** Of the form `[a-z0-9]{20}-[a-z0-9]{3}`. */
function newStreamId({ random }: StreamsContext): string {
  const text = [...random.bytes(23)].map((byte) => (byte % 36).toString(36)).join('');
  return `${text.slice(0, 20)}-${text.slice(20)}`;
}
