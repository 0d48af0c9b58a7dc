import type { Random } from '../../kernel/random.ts';

const PREFIX_BYTES = 60;
const COUNTER_CHARS = 16;

/** The two ids every answer carries. Source: data-streams reference, §1.2. */
export class RequestIds {
  readonly #random: Random;
  readonly #prefix: string;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#prefix = random.bytes(PREFIX_BYTES).toString('base64');
  }

  /** A UUID. */
  next(): string {
    return this.#random.uuid();
  }

  /** Base64 of 72 bytes: 60 of this process, 12 that count. Unique, and no random bytes are drawn for it. */
  nextExtended(): string {
    this.#count++;
    return this.#prefix + this.#count.toString(36).padStart(COUNTER_CHARS, '0');
  }
}
