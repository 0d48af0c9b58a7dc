import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../harness/checks.ts';
import { workspaceFile } from '../harness/folders.ts';
import { assault } from './assault.ts';
import type { AttackKind } from './attack.ts';
import {
  aliveFailure,
  descriptorFailure,
  latencyFailure,
  memoryFailure,
  stateFailure,
  stderrFailure,
} from './checkups.ts';
import type { Flaw } from './fake-server.ts';
import { goodCall, type State } from './good-calls.ts';
import { http1Bytes } from './request.ts';
import { Victim } from './victim.ts';
import { descriptors, residentBytes, resetPeak, settle } from './vitals.ts';

const attacks = 100;
const callMsMax = 1000;

/** The names of the checkups that find something wrong. */
type Found = readonly string[];

/** Each flaw, and the checkups that must see it, no more and no fewer. */
const flaws: readonly (readonly [Flaw, Found])[] = [
  ['sound', []],
  ['internal failure', ['answers']],
  ['accepts all', ['answers']],
  ['misshapen error', ['answers']],
  ['wrong type', ['answers']],
  ['hangs', ['answers']],
  ['leaks memory', ['memory', 'peak']],
  ['leaks files', ['descriptors']],
  ['slow', ['latency']],
  ['complains', ['stderr']],
  ['dies', ['answers', 'alive', 'latency', 'memory', 'descriptors', 'peak']],
];

/** The checkups of this suite see what they are for: each is turned on a server that has the flaw. */
export async function selfTest(checks: Checks): Promise<void> {
  // Not all at once: what a slow machine does late must not look like a flaw.
  const left = [...flaws];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [flaw, expected] = next;
      const found = await examine(flaw);
      const isRight = found.toSorted().join() === expected.toSorted().join();
      checks.record(
        `self-test: a server that is or does "${flaw}" is found out by ${expected.join(', ') || 'nothing'}`,
        isRight ? undefined : `found by ${found.join(', ') || 'nothing'}`,
      );
    }
  };
  await Promise.all([work(), work(), work()]);
  const state: State = { streams: ['a'], subject: {}, tags: [], records: [] };
  checks.record(
    'self-test: a record stored by a refused request is seen',
    stateFailure(state, { ...state, records: ['x'] }) === undefined ? 'not seen' : undefined,
  );
  checks.record('self-test: nothing stored is nothing seen', stateFailure(state, structuredClone(state)));
}

async function examine(flaw: Flaw): Promise<string[]> {
  const victim = await Victim.run([workspaceFile('src/abuse/fake-server.ts'), flaw]);
  try {
    await assault(victim.port, [attackKind(victim.host, '{}', 'survived')], { count: attacks, seed: 1 });
    await sleep(300);
    const sockets = descriptors(victim.pid);
    const memory = residentBytes(victim.pid);
    resetPeak(victim.pid);
    const kind = attackKind(victim.host, '{', 'refused');
    const tally = await assault(victim.port, [kind], { count: flaw === 'hangs' ? 1 : attacks, seed: 1 });
    const failures: string[] = [];
    const startedMs = performance.now();
    await goodCall(victim.port, 'DescribeLimits', {}).catch((error: unknown) => failures.push(String(error)));
    const latency = performance.now() - startedMs;
    const { isAlive } = victim;
    if (isAlive) await settle(() => descriptorFailure(sockets, descriptors(victim.pid)) === undefined, 1000);
    const found: Record<string, string | undefined> = {
      answers: [...tally.failures.values()].flat()[0],
      alive: aliveFailure(victim),
      latency: latencyFailure([latency], failures, callMsMax),
      stderr: stderrFailure(victim.stderr),
      memory: isAlive ? memoryFailure(memory, residentBytes(victim.pid)) : 'gone',
      peak: isAlive ? memoryFailure(memory, residentBytes(victim.pid, 'peak')) : 'gone',
      descriptors: isAlive ? descriptorFailure(sockets, descriptors(victim.pid)) : 'gone',
    };
    return Object.keys(found).filter((name) => found[name] !== undefined);
  } finally {
    await victim.close();
  }
}

function attackKind(host: string, body: string, expects: 'refused' | 'survived'): AttackKind {
  const bytes = http1Bytes({ host }, { operation: 'PutRecord', encoding: 'json', body: Buffer.from(body) });
  const types = ['SerializationException'];
  return {
    name: body,
    weight: 1,
    make: () => ({
      speech: 'HTTP/1.1',
      isTls: false,
      bytes,
      expects: 'refused',
      types,
      keepsConnection: expects === 'refused',
      isCut: false,
    }),
  };
}
