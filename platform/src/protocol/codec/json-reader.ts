import { isAscii, isUtf8 } from 'node:buffer';
import { latin1Slice, utf8Slice } from './native-buffer.ts';

/**
 * Parses a JSON body. Nesting is bounded by the body's size alone: the parser keeps its own stack, and what reads the value goes no
 * deeper than its shape.
 *
 * @throws SyntaxError   when the bytes are not UTF-8 or not one JSON value
 */
export function readJson(body: Buffer): unknown {
  if (isAscii(body)) return JSON.parse(latin1Slice(body, 0, body.length));
  if (!isUtf8(body)) throw new SyntaxError('the body is not UTF-8');
  return JSON.parse(utf8Slice(body, 0, body.length));
}
