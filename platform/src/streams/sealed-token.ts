import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../kernel/random.ts';

/*
 * Tokens that clients hand back: base64 of 8 bytes version (0…01) | 12 bytes nonce | AES-256-GCM ciphertext | 16 bytes tag.
 * The purpose is authenticated with it, so a page token never passes for an iterator.
 */
const version = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]);
const nonceBytes = 12;
const tagBytes = 16;

export type TokenPurpose = 'shard-iterator' | 'list-shards' | 'list-streams' | 'list-stream-consumers';

/** Seals what a client carries for us: nobody can read or change it, and it survives a restart. */
export class TokenSealer {
  readonly #key: Buffer;
  readonly #random: Random;
  #nonces: Buffer = Buffer.alloc(0);
  #nonceAt = 0;

  /** @param key   32 bytes in hexadecimal */
  constructor(key: string, random: Random) {
    this.#key = Buffer.from(key, 'hex');
    this.#random = random;
  }

  seal(purpose: TokenPurpose, content: string): string {
    const nonce = this.#nonce();
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([version, nonce, cipher.update(content, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString('base64');
  }

  /** Undefined when this server did not seal it for this purpose. */
  open(purpose: TokenPurpose, token: string): string | undefined {
    const bytes = Buffer.from(token, 'base64');
    if (bytes.length < version.length + nonceBytes + tagBytes || bytes.toString('base64') !== token) return undefined;
    if (!bytes.subarray(0, version.length).equals(version)) return undefined;
    const contentStart = version.length + nonceBytes;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(version.length, contentStart));
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      return decipher.update(bytes.subarray(contentStart, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      // Altered, or sealed with another key: the caller answers for that.
      return undefined;
    }
  }

  /** Drawn in bulk: one call of the system for a thousand. */
  #nonce(): Buffer {
    if (this.#nonceAt >= this.#nonces.length) {
      this.#nonces = this.#random.bytes(nonceBytes * 1000);
      this.#nonceAt = 0;
    }
    this.#nonceAt += nonceBytes;
    return this.#nonces.subarray(this.#nonceAt - nonceBytes, this.#nonceAt);
  }
}
