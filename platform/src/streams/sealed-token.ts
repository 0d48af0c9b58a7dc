import { hash, timingSafeEqual } from 'node:crypto';

/*
 * Tokens that clients hand back: a version of 12 characters | a code of 32 | the content in base64, all of it one piece of base64.
 * The code is SHA3-256 of key, purpose and content, cut to 192 bits: with this hash a key in front makes a message authentication
 * code, and one call is a third of the cost of a cipher, which an empty poll is made of. Nothing in a token is a secret.
 */
const version = 'AAAAAAAAAAEC';
const codeLength = 32;
const contentAt = version.length + codeLength;

export type TokenPurpose = 'shard-iterator' | 'list-shards' | 'list-streams' | 'list-stream-consumers';

/** Seals what a client carries for us: nobody can change it, and it survives a restart. */
export class TokenSealer {
  readonly #key: string;

  /** @param key   32 bytes in hexadecimal */
  constructor(key: string) {
    this.#key = key;
  }

  seal(purpose: TokenPurpose, content: string): string {
    return version + this.#code(purpose, content) + Buffer.from(content).toString('base64');
  }

  /** Undefined when this server did not seal it for this purpose. */
  open(purpose: TokenPurpose, token: string): string | undefined {
    if (!token.startsWith(version) || token.length <= contentAt) return undefined;
    const sealed = token.slice(contentAt);
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.toString('base64') !== sealed) return undefined;
    const content = bytes.toString();
    const code = Buffer.from(token.slice(version.length, contentAt));
    const expected = Buffer.from(this.#code(purpose, content));
    return code.length === expected.length && timingSafeEqual(code, expected) ? content : undefined;
  }

  /** The purpose goes in, so a page token never passes for an iterator; it holds no space. */
  #code(purpose: TokenPurpose, content: string): string {
    return hash('sha3-256', `${this.#key}${purpose} ${content}`, 'base64').slice(0, codeLength);
  }
}
