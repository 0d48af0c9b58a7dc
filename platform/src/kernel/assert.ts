import { AssertionError } from 'node:assert';

/** A programmer error: states what must hold. Never caught; the process ends and recovery is the tested path. */
export function assert(condition: unknown, mustHold: string): asserts condition {
  if (!condition) throw new AssertionError({ message: mustHold, stackStartFn: assert });
}
