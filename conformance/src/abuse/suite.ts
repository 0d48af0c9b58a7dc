import type { Checks } from '../harness/checks.ts';
import type { Target } from '../harness/target.ts';
import { amplification, hugeStream } from './amplification.ts';
import { assault } from './assault.ts';
import type { AttackKind, Subject } from './attack.ts';
import { cborBodies } from './attacks/cbor-bodies.ts';
import { formAttacks } from './attacks/forms.ts';
import { framingAttacks } from './attacks/framing.ts';
import { headAttacks } from './attacks/heads.ts';
import { jsonBodies } from './attacks/json-bodies.ts';
import { memberAttacks } from './attacks/members.ts';
import { otherProtocols } from './attacks/other-protocols.ts';
import {
  aliveFailure,
  descriptorFailure,
  latencyFailure,
  memoryFailure,
  stateFailure,
  stderrFailure,
} from './checkups.ts';
import { floods } from './floods.ts';
import { goodCall, Heartbeat, readAll, readState, warmUp } from './good-calls.ts';
import { HeartbeatThread } from './heartbeat-thread.ts';
import { selfTest } from './self-test.ts';
import { heldUp, lateFirstByte, slowAttacks } from './slow.ts';
import { Victim } from './victim.ts';
import { descriptors, latencyLine, mebibytes, residentBytes, isSteady, settle } from './vitals.ts';

const seed = 20_260_101;
const callMsMax = 1000;
const settleMsMax = 10_000;
const connectionsMax = 1000;
const warmUpRounds = 3;
/** From so many requests on, what takes minutes is done as well. */
const longFrom = 50_000;

/**
 * What a stranger may send: refused, forgotten, and never to the harm of others. `target` only says how much is done; the servers are
 * processes of this suite's own, since it looks at them from outside.
 */
export async function abuseSuite(target: Target, checks: Checks): Promise<void> {
  if (!target.isOwn) {
    checks.say('Abuse is for a server of our own: leave --endpoint out.');
    return;
  }
  const requests = target.records;
  const isLong = requests >= longFrom;
  await selfTest(checks);
  await malformed(checks, { requests, isLong });
  await amplification(checks);
  await hugeStream(checks);
  const victim = await Victim.start();
  try {
    await goodCall(victim.port, 'CreateStream', { StreamName: 'good', ShardCount: 1 });
    const connections = Math.min(connectionsMax, Math.ceil(requests / 50));
    await floods(victim, checks, { connections, slowMs: isLong ? 60_000 : 5000, msMax: isLong ? 600_000 : 120_000 });
    if (isLong) await heldUp(victim.port, checks);
    checks.record('floods: the server is alive', aliveFailure(victim));
    checks.record('floods: nothing on stderr', stderrFailure(victim.stderr));
  } finally {
    await victim.close();
  }
}

async function malformed(checks: Checks, options: { requests: number; isLong: boolean }): Promise<void> {
  const victim = await Victim.start();
  try {
    const subject = await prepare(victim);
    await underAbuse(victim, subject, checks, options);
  } finally {
    await victim.close();
  }
}

async function prepare({ port, host }: Victim): Promise<Subject> {
  for (const StreamName of ['good', 'warm', 'subject'])
    await goodCall(port, 'CreateStream', { StreamName, ShardCount: 1 });
  const { StreamDescriptionSummary: summary } = await goodCall(port, 'DescribeStreamSummary', {
    StreamName: 'subject',
  });
  const start = { StreamName: 'subject', ShardId: 'shardId-000000000000', ShardIteratorType: 'LATEST' };
  const { ShardIterator } = await goodCall(port, 'GetShardIterator', start);
  const { StreamARN } = summary as { StreamARN: string };
  return { host, streamName: 'subject', streamArn: StreamARN, iterator: String(ShardIterator) };
}

function allKinds(subject: Subject): AttackKind[] {
  return [
    ...jsonBodies(subject),
    ...cborBodies(subject),
    ...memberAttacks(subject),
    ...formAttacks(subject),
    ...headAttacks(subject),
    ...framingAttacks(subject),
    ...otherProtocols(subject),
  ];
}

/**
 * What malformed requests make the server load, compile and set aside, it does once; memory is to be flat after that. How much garbage there
 * is at a given moment is chance: so this is the highest of several looks.
 */
async function memoryInUse(pid: number, port: number, kinds: readonly AttackKind[], requests: number): Promise<number> {
  const seen: number[] = [];
  for (let round = 0; round < warmUpRounds; round++) {
    await assault(port, kinds, { count: Math.ceil(requests / 4 / warmUpRounds), seed: seed + 1 + round });
    await settle(isSteady(pid), settleMsMax);
    seen.push(residentBytes(pid));
  }
  return Math.max(...seen);
}

async function underAbuse(
  victim: Victim,
  subject: Subject,
  checks: Checks,
  { requests, isLong }: { requests: number; isLong: boolean },
): Promise<void> {
  const { port, pid } = victim;
  const kinds = allKinds(subject);
  const state = await readState(port, 'subject');
  const noSockets = descriptors(pid);
  await warmUp(port, requests);
  const memory = await memoryInUse(pid, port, kinds, requests);
  const files = { sockets: noSockets.sockets, others: descriptors(pid).others };
  checks.say(
    `after ${requests} good requests and some malformed ones: at most ${mebibytes(memory)} resident, ${files.sockets} sockets, ${files.others} other descriptors`,
  );

  const heartbeat = await HeartbeatThread.start(port, 500);
  const startedMs = Date.now();
  const slow = slowAttacks(port, checks, { each: isLong ? 40 : 10, ofUnknownLength: 5, isLong });
  const late = lateFirstByte(port, checks);
  const tally = await assault(port, kinds, { count: requests, seed });
  checks.say(
    `${requests} malformed requests of ${kinds.length} kinds, seed ${seed}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`,
  );
  await Promise.all([slow, late]);
  const pulse = await heartbeat.stop();
  tally.report(checks);
  checks.say(`good calls meanwhile: ${latencyLine(pulse.latenciesMs)}`);
  checks.record('the server is alive', aliveFailure(victim));
  if (!victim.isAlive) return;
  checks.record(
    'good calls are answered rightly, within 1 s',
    latencyFailure(pulse.latenciesMs, pulse.failures, callMsMax),
  );

  const isQuiet = (): boolean =>
    descriptorFailure(files, descriptors(pid)) === undefined && memoryFailure(memory, residentBytes(pid)) === undefined;
  await settle(isQuiet, settleMsMax);
  const after = residentBytes(pid);
  checks.say(
    `after them: ${mebibytes(after)} resident, ${descriptors(pid).sockets} sockets, ${descriptors(pid).others} other descriptors`,
  );
  checks.record('memory is what it was, within a fifth', memoryFailure(memory, after));
  checks.record('descriptors are what they were', descriptorFailure(files, descriptors(pid)));
  await sameAsBefore();

  async function sameAsBefore(): Promise<void> {
    const last = new Heartbeat(port, 0);
    await last.beat();
    checks.record(
      'a good call is answered rightly afterwards, within 1 s',
      latencyFailure(last.latenciesMs, last.failures, callMsMax),
    );
    checks.record('nothing is stored by what was refused', stateFailure(state, await readState(port, 'subject')));
    const put = [...pulse.put, ...last.put].join();
    checks.record(
      'all that good calls put is there, and nothing else',
      (await readAll(port, 'good')).join() === put ? undefined : 'another list of records',
    );
    checks.record('nothing on stderr', stderrFailure(victim.stderr));
  }
}
