import { LimitExceededException } from '../model/index.ts';
import type { Caller, StreamsContext } from './context.ts';
import { sizes } from './limits.ts';

/** @param additional   open shards that a call would add @throws LimitExceededException */
export function checkShardQuota(context: StreamsContext, caller: Caller, additional: number): void {
  if (additional <= 0) return;
  const quota = context.throttle.limits['account-shards'];
  const open = context.domain.in(caller).reduce((sum, { routes }) => sum + routes.shards.length, 0);
  const shardsMax = quota === Infinity ? sizes.accountShardsMax : quota;
  if (open + additional <= shardsMax) return;
  throw new LimitExceededException(
    `This request would exceed the shard limit for the account ${caller.account} in ${caller.region}. ` +
      `Current shard count for the account: ${open}. Limit: ${shardsMax}. ` +
      `Number of additional shards that would have resulted from this request: ${additional}.`,
  );
}
