import { SeededRandom } from '../durability/seeded-random.ts';
import type { Checks } from '../harness/checks.ts';
import { AttackMix, type Attack, type AttackKind } from './attack.ts';
import type { Outcome } from './answer.ts';
import { judge } from './judge.ts';
import { attackOn, Wire } from './wire.ts';

const workers = 16;
const failuresToldMax = 3;
/** A connection is used for so many attacks, then a new one. */
const usesMax = 200;

/** How often each kind was made, and what went wrong. */
export class Tally {
  readonly counts = new Map<string, number>();
  readonly failures = new Map<string, string[]>();
  readonly slowestMs = new Map<string, number>();
  /** Answers by status; `closed` without any. */
  readonly statuses = new Map<string, number>();

  note(kind: string, attack: Attack, outcome: Outcome): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const statuses = outcome.answers.length === 0 ? ['closed'] : outcome.answers.map(({ status }) => String(status));
    for (const status of statuses) this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const why = judge(outcome, attack);
    if (why !== undefined)
      this.fail(
        kind,
        `${why}; expected: ${wish(attack)}; sent ${attack.speech}${attack.isTls ? ' over TLS' : ''}: ${excerpt(attack.bytes)}`,
      );
  }

  time(kind: string, ms: number): void {
    this.slowestMs.set(kind, Math.max(this.slowestMs.get(kind) ?? 0, ms));
  }

  fail(kind: string, why: string): void {
    const list = this.failures.get(kind) ?? [];
    list.push(why);
    this.failures.set(kind, list);
  }

  /** One check for each kind. */
  report(checks: Checks): void {
    for (const [kind, count] of [...this.counts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const failures = this.failures.get(kind) ?? [];
      const told = failures.slice(0, failuresToldMax).join('\n    ');
      checks.record(
        `${kind} (${count})`,
        failures.length === 0 ? undefined : `${failures.length} of ${count}\n    ${told}`,
      );
    }
    const statuses = [...this.statuses].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const slowest = [...this.slowestMs].toSorted(([, a], [, b]) => b - a).slice(0, 5);
    checks.say(`slowest: ${slowest.map(([kind, ms]) => `${kind} ${ms.toFixed(0)} ms`).join(', ')}`);
    checks.say(`answers: ${statuses.map(([status, count]) => `${status} ${count}`).join(', ')}`);
  }
}

function wish({ expects, types }: Attack): string {
  return types === undefined ? expects : `${expects}, ${types.join(' or ')}`;
}

/** The bytes, as far as one wants to see them. */
function excerpt(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString('latin1', 0, 700));
  return bytes.length <= 700 ? text : `${text} and ${bytes.length - 700} bytes more`;
}

/** Makes `count` attacks, several at a time. The same seed makes the same attacks. */
export async function assault(
  port: number,
  kinds: readonly AttackKind[],
  { count, seed }: { count: number; seed: number },
): Promise<Tally> {
  const mix = new AttackMix(kinds);
  const random = new SeededRandom(seed);
  const tally = new Tally();
  let made = 0;
  const work = async (): Promise<void> => {
    let kept: { wire: Wire; uses: number } | undefined;
    while (made < count) {
      // Every kind once, then by chance.
      const kind = kinds[made++] ?? mix.pick(random);
      const attack = kind.make(random);
      const canKeep = attack.keepsConnection && !attack.isTls && attack.speech === 'HTTP/1.1';
      if (canKeep && (kept === undefined || kept.wire.isClosed || kept.wire.socket.destroyed || kept.uses >= usesMax)) {
        kept?.wire.close();
        kept = { wire: new Wire(port), uses: 0 };
      }
      const wire = canKeep && kept !== undefined ? kept.wire : new Wire(port, tlsOf(attack));
      try {
        const startedMs = performance.now();
        const outcome = await attackOn(wire, attack);
        tally.time(kind.name, performance.now() - startedMs);
        tally.note(kind.name, attack, outcome);
        // What comes late would be taken for the answer to the next.
        if (outcome.isLate || outcome.answers.at(-1)?.headers?.['connection'] === 'close') wire.close();
      } catch (error) {
        tally.fail(kind.name, `${(error as Error).message}; sent ${excerpt(attack.bytes)}`);
      }
      if (!canKeep) wire.close();
      else if (kept !== undefined) kept.uses++;
    }
    kept?.wire.close();
  };
  await Promise.all(Array.from({ length: workers }, work));
  return tally;
}

function tlsOf({ isTls, speech }: Attack): 'http/1.1' | 'h2' | undefined {
  if (!isTls) return undefined;
  return speech === 'HTTP/2' ? 'h2' : 'http/1.1';
}
