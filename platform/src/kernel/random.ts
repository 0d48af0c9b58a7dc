import { randomBytes } from 'node:crypto';

/** Randomness comes in through this port, so that a simulation repeats from its seed. */
export interface Random {
  /** `count` unpredictable bytes. */
  bytes(count: number): Buffer;
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
