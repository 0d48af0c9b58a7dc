import type { FlatHeaders } from '../transport/exchange.ts';
import type { RequestHead } from '../transport/request-head.ts';

const EXPOSED = 'x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date';
const MAX_AGE_SECONDS = '172800';

/** Whether a request is a browser's question if it may send another one. */
export function isPreflight(head: RequestHead): boolean {
  return head.method === 'OPTIONS' && head.header('origin') !== undefined;
}

/** Adds what a browser needs to let a page see the answer; the origin has passed the origin rule. Source: reference §1.2. */
export function addCorsHeaders(head: RequestHead, headers: FlatHeaders): void {
  if (head.header('origin') === undefined) return;
  headers.push('Access-Control-Allow-Origin', '*');
  if (head.method !== 'OPTIONS') {
    headers.push('Access-Control-Expose-Headers', EXPOSED);
    return;
  }
  const asked = head.header('access-control-request-headers');
  if (asked !== undefined) headers.push('Access-Control-Allow-Headers', asked);
  const method = head.header('access-control-request-method');
  if (method !== undefined) headers.push('Access-Control-Allow-Methods', method);
  headers.push('Access-Control-Max-Age', MAX_AGE_SECONDS);
}
