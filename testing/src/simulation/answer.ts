import { diskErrorCode } from '../../../platform/src/kernel/disk.ts';
import { WireError } from '../../../platform/src/model/index.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { tick } from '../sim-clock.ts';
import type { StreamsHarness } from '../streams-harness.ts';
import type { Fate } from './ledger.ts';

export interface Answer {
  readonly fate: Fate;
  /** Of an acknowledged call. */
  readonly output?: unknown;
  /** Error type of a refused call. */
  readonly code?: string;
}

export type Operation = keyof StreamsHarness['streams'];

/** Sends a request over the network and waits for its answer; the server may die meanwhile, and either way takes its time. */
export type Ask = (operation: Operation, input: object) => Promise<Answer>;

/** What became of a call. */
export async function answerOf(call: () => Promise<unknown>): Promise<Answer> {
  try {
    return { fate: 'acknowledged', output: await call() };
  } catch (error) {
    // What the protocol layer makes of an error of the operating system.
    if (diskErrorCode(error) !== undefined) return { fate: 'unknown', code: 'InternalFailure' };
    if (!(error instanceof WireError)) throw error;
    return { fate: fateOfCode(error.code), code: error.code };
  }
}

/** A fault of the server says nothing of what became of the call. */
export function fateOfCode(code: string): Fate {
  return code.startsWith('Internal') || code === 'ServiceUnavailable' ? 'unknown' : 'refused';
}

/** The time that one way takes. */
export async function travel(random: SeededRandom): Promise<void> {
  for (let ticks = random.pick([0, 0, 1, 2, 8]); ticks > 0; ticks--) await tick();
}
