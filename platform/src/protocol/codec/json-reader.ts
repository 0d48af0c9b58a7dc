import { isAscii, isUtf8 } from 'node:buffer';
import { readInParts } from './json-parts.ts';
import { latin1Slice, utf8Slice } from './native-buffer.ts';

/**
 * Commas and opening brackets of one body, those in strings among them: every value but one follows either. A request has at most some
 * 130,000, should its 500 partition keys be made of nothing else; without the bound a body of 16 MiB becomes a gigabyte of empty lists.
 */
const SEPARATORS_MAX = 250_000;
const SEPARATORS = [0x2c, 0x5b, 0x7b] as const;

/**
 * Parses a JSON body. Nesting needs no bound of its own: the parser keeps its own stack, and what reads the value goes no deeper than its
 * shape.
 *
 * @throws SyntaxError   when the bytes are not UTF-8 or not one JSON value, or are too many values
 */
export function readJson(body: Buffer): unknown {
  if (body.length > SEPARATORS_MAX) boundValues(body);
  const isPlain = isAscii(body);
  if (!isPlain && !isUtf8(body)) throw new SyntaxError('the body is not UTF-8');
  return readInParts(body, isPlain) ?? JSON.parse((isPlain ? latin1Slice : utf8Slice)(body, 0, body.length));
}

function boundValues(body: Buffer): void {
  let count = 0;
  for (const separator of SEPARATORS) {
    for (let at = body.indexOf(separator); at >= 0; at = body.indexOf(separator, at + 1)) {
      if (++count > SEPARATORS_MAX) throw new SyntaxError('too many values');
    }
  }
}
