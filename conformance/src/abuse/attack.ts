import type { SeededRandom } from '../durability/seeded-random.ts';

/**
 * What may come back.
 *
 * - `refused`: one answer of 4xx.
 * - `refused or closed`: answers of 4xx only, or none and the connection closed.
 * - `survived`: the bytes may be sound by chance; any answers below 500, or closed.
 * - `good, then refused or closed`: the first answer is 200, and what follows is `refused or closed`.
 */
export type Expectation = 'refused' | 'refused or closed' | 'survived' | 'good, then refused or closed';

/** What an attack speaks. */
export type Speech = 'HTTP/1.1' | 'HTTP/2' | 'bytes';

/** The bytes of one attack, and what may come back. */
export interface Attack {
  readonly speech: Speech;
  readonly isTls: boolean;
  readonly bytes: Buffer;
  readonly expects: Expectation;
  /** Error types that are right; without it any error of the client's. */
  readonly types?: readonly string[];
  /** The connection is as good as before when the answer has come; without it, it is not used again. */
  readonly keepsConnection: boolean;
  /** Bytes may be missing: the sending side is closed after them, so that nothing waits for more. */
  readonly isCut: boolean;
}

/** A family of attacks. */
export interface AttackKind {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly weight: number;
  make(random: SeededRandom): Attack;
}

/** What the attacks speak of: nothing of it may have changed at the end. */
export interface Subject {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly streamName: string;
  readonly streamArn: string;
  readonly iterator: string;
}

/** Draws kinds by their weights. */
export class AttackMix {
  readonly #kinds: readonly AttackKind[];
  readonly #total: number;

  constructor(kinds: readonly AttackKind[]) {
    this.#kinds = kinds;
    this.#total = kinds.reduce((sum, { weight }) => sum + weight, 0);
  }

  pick(random: SeededRandom): AttackKind {
    let at = random.next() * this.#total;
    for (const kind of this.#kinds) {
      at -= kind.weight;
      if (at < 0) return kind;
    }
    return this.#kinds.at(-1) as AttackKind;
  }
}
