import type { Checks } from '../../harness/checks.ts';
import type { Target } from '../../harness/target.ts';
import { nameOf, waysOf, withClient } from './client.ts';
import { checkConnection, checkGoingAway } from './connection.ts';
import { checkDeletedStream, checkPolling } from './polling.ts';
import { checkProducing } from './producing.ts';
import { checkRegistration } from './registration.ts';
import { checkShardEnd } from './shard-end.ts';
import { checkShardSync } from './shard-sync.ts';
import { checkStates } from './states.ts';
import { checkSubscribing } from './subscribing.ts';
import { checkTakingTurns } from './taking-turns.ts';
import { checkThrottles } from './throttles.ts';

/** What stops a worker of the KCL, or a producer of the KPL, where a server has it otherwise. */
export async function kclDemandsSuite(target: Target, checks: Checks): Promise<void> {
  const ways = waysOf(target);
  for (const way of ways) {
    checks.prefix = `${nameOf(way)}: `;
    await withClient(way, async (client) => {
      if (way === ways[0]) await checkConnection(client, checks);
      await checkShardSync(client, checks);
      await checkPolling(client, checks);
      await checkShardEnd(client, checks);
      await checkDeletedStream(client, checks);
      await checkRegistration(client, checks);
      await checkSubscribing(client, checks);
      await checkProducing(client, checks);
    });
  }
  checks.prefix = '';
  if (!target.isOwn) {
    checks.say('Short lives, states and rates are not checked: that needs servers of our own with other settings.');
    return;
  }
  await checkTakingTurns(checks);
  await checkStates(checks);
  await checkThrottles(target, checks);
  await checkGoingAway(checks);
}
