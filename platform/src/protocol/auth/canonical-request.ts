import { hash } from 'node:crypto';
import type { RequestHead } from '../transport/request-head.ts';
import type { Authorization } from './authorization.ts';

const UNRESERVED = /[!'()*]/g;

/**
 * The canonical request of Signature Version 4, hashed (lower-case hex).
 *
 * @param payloadHash   hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`
 * @throws URIError     when the path or query holds a lone surrogate; callers treat it as a signature that does not match
 */
export function hashCanonicalRequest(head: RequestHead, authorization: Authorization, payloadHash: string): string {
  let headers = '';
  for (const name of authorization.signedHeaders.split(';')) {
    headers += `${name}:${canonicalValue(head, name)}\n`;
  }
  const query = head.query === '' ? '' : canonicalQuery(head.query);
  const text = `${head.method}\n${canonicalPath(head.path)}\n${query}\n${headers}\n${authorization.signedHeaders}\n${payloadHash}`;
  return hash('sha256', text, 'hex');
}

function canonicalValue(head: RequestHead, name: string): string {
  const values = name === 'host' ? [head.host ?? ''] : head.values(name);
  return values.map((value) => value.trim().replaceAll(/\s+/g, ' ')).join(',');
}

/** The path as sent, normalised and encoded once more (every service but S3). */
function canonicalPath(path: string): string {
  if (path === '/' || path === '') return '/';
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(encode(segment));
  }
  const tail = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${tail}`;
}

function canonicalQuery(query: string): string {
  const pairs: { name: string; value: string }[] = [];
  for (const piece of query.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = encode(decode(equals < 0 ? piece : piece.slice(0, equals)));
    if (name === 'X-Amz-Signature') continue;
    pairs.push({ name, value: equals < 0 ? '' : encode(decode(piece.slice(equals + 1))) });
  }
  pairs.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value));
  return pairs.map(({ name, value }) => `${name}=${value}`).join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

function encode(text: string): string {
  return encodeURIComponent(text).replace(UNRESERVED, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not an escape sequence: taken literally, and the signature decides.
  }
}
