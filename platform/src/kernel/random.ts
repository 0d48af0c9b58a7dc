import { randomBytes, randomUUID } from 'node:crypto';

/** Randomness comes in through this port, so that a simulation repeats from its seed. */
export interface Random {
  /** `count` unpredictable bytes. */
  bytes(count: number): Buffer;
  /** A version 4 UUID in lower case. */
  uuid(): string;
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count), uuid: () => randomUUID() };
