import type { Random } from '../../kernel/random.ts';

/** The two ids every answer carries. Source: data-streams reference, §1.2. */
export interface AnswerIds {
  /** Has the form of a UUID. */
  readonly requestId: string;
  /** Base64 of 72 bytes. */
  readonly extendedId: string;
}

const EXTENDED_PREFIX_BYTES = 63;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const LOW_COUNTS = 2 ** 24;

/** Makes unique ids: a random part for the process and a count, so that nothing is drawn and next to nothing computed for an answer. */
export class RequestIds {
  readonly #prefix: string;
  readonly #extendedPrefix: string;
  /** The count is `high` (six hexadecimal digits) and `low` (24 bits). */
  #high = 0;
  #low = 0;
  #highDigits = '000000';

  constructor(random: Random) {
    const digits = random.bytes(8).toString('hex');
    this.#prefix = `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-8000-`;
    this.#extendedPrefix = random.bytes(EXTENDED_PREFIX_BYTES).toString('base64');
  }

  next(): AnswerIds {
    if (++this.#low === LOW_COUNTS) {
      this.#low = 0;
      this.#highDigits = (++this.#high).toString(16).padStart(6, '0');
    }
    const low = this.#low;
    const count = `${this.#highDigits}${HEX[low >>> 16]}${HEX[(low >>> 8) & 255]}${HEX[low & 255]}`;
    return { requestId: this.#prefix + count, extendedId: this.#extendedPrefix + count };
  }
}
