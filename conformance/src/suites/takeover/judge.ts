import type { Checks } from '../../harness/checks.ts';
import type { Account, Passage, Repeat } from '../failover/account.ts';
import { judgeJournal, mustBeEmpty } from '../kcl/judge.ts';
import type { ProducedStream } from '../kcl/stream.ts';
import type { LeaseItem } from './lease-items.ts';
import type { Leg, Relay } from './relay.ts';

/** Says what a relay has done, and what it should not have. */
export async function judgeRelay(relay: Relay, stream: ProducedStream, checks: Checks): Promise<void> {
  const { account, legs } = relay;
  checks.prefix = `${relay.name}: `;
  await judgeJournal(account.journal, stream, checks);
  await checks.check(`none but what was put again is there twice (${account.twins.length})`, () =>
    mustBeEmpty(account.twins.filter((record) => !stream.putAgain.has(record))),
  );
  for (const [i, leg] of legs.entries()) {
    const next = legs[i + 1];
    if (next === undefined) continue;
    const behind = account.repeats.filter(({ before }) => before === leg.worker);
    await checks.check(`${next.worker} takes over after ${manner(leg)} of ${leg.worker}`, () => judgeEnd(leg, behind));
    const firsts = firstsOf(account, leg, next).map(({ nanos }) => Number(nanos - leg.endNanos) / 1e6);
    const waits = firsts.length === 0 ? '' : `, after ${seconds(Math.min(...firsts))} the first of them`;
    checks.say(`  its end took ${seconds(leg.endMs)}; ${firsts.length} of its shards go on${waits}`);
    checks.say(`  processed again: ${behind.length}`);
  }
  const midst = legs.slice(1).reduce((sum, leg, i) => sum + begunInTheMidst(relay, legs[i] as Leg, leg), 0);
  checks.say(`  ${midst} shards were handed over in the midst of an aggregate`);
  checks.prefix = '';
}

/** In how many shards workers of one kind have gone on in the midst. */
export function goneOn({ account, legs }: Relay, by: Leg['by']): number {
  return legs
    .slice(1)
    .reduce((sum, next, i) => sum + (next.by === by ? firstsOf(account, legs[i] as Leg, next).length : 0), 0);
}

function judgeEnd(leg: Leg, behind: readonly Repeat[]): void {
  const { by, end, table, failure } = leg;
  if (failure !== undefined) throw new Error(failure);
  if (by === 'ours' && end === 'stop') {
    mustBeEmpty(
      (table?.leases ?? []).flatMap(({ shard, owner }) => (owner === undefined ? [] : [`${shard} ${owner}`])),
    );
    return mustBeEmpty(behind.map(told));
  }
  const leases = new Map(table?.leases.map((lease) => [lease.shard, lease]));
  mustBeEmpty(behind.filter((repeat) => !isBehindCheckpoint(repeat, leases.get(repeat.shard))).map(told));
}

/** Records of an aggregate have one number; what is known of them is that they do not lie before it. */
function isBehindCheckpoint({ sequenceNumber, key }: Repeat, lease: LeaseItem | undefined): boolean {
  if (lease === undefined || lease.sequenceNumber === 'SHARD_END') return false;
  if (!/^\d/.test(lease.sequenceNumber)) return true;
  const [is, saved] = [BigInt(sequenceNumber), BigInt(lease.sequenceNumber)];
  return is > saved || (is === saved && key.startsWith('packed-'));
}

/** Shards whose next worker began with the rest of an aggregate. */
function begunInTheMidst({ account }: Relay, { table }: Leg, next: Leg): number {
  const leases = table?.leases ?? [];
  return leases.filter(
    ({ shard, sequenceNumber }) => account.firstOf(shard, next.worker)?.sequenceNumber === sequenceNumber,
  ).length;
}

/** The first records that a worker has processed of shards in whose midst the one before it ended. */
function firstsOf(account: Account, { worker }: Leg, next: Leg): Passage[] {
  return account.shards
    .filter((shard) => account.firstOf(shard, worker) !== undefined)
    .flatMap((shard) => account.firstOf(shard, next.worker) ?? []);
}

function told({ key, shard, sequenceNumber, before, by }: Repeat): string {
  return `${key} ${sequenceNumber} of ${shard} by ${before}, then by ${by}`;
}

function manner({ end }: Leg): string {
  return end === 'kill' ? 'kill -9' : 'a graceful stop';
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
