import { hash, timingSafeEqual } from 'node:crypto';
import type { Credentials } from './verifier.ts';

/**
 * Whether an `Authorization: Basic` header holds an access key id and its secret. Only for routes of our own, so that a browser or a
 * metrics scraper that cannot sign gets in; with verification on, connections from elsewhere are under TLS (design §3).
 */
export function hasBasicCredential(header: string, credentials: Credentials): boolean {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  if (encoded === undefined) return false;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const credential = credentials.get(text.slice(0, Math.max(colon, 0)));
  if (credential === undefined) return false;
  // Hashed first, since the comparison needs equal lengths.
  return timingSafeEqual(
    hash('sha256', text.slice(colon + 1), 'buffer'),
    hash('sha256', credential.secretKey, 'buffer'),
  );
}
