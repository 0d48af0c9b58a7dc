import { latin1Slice, utf8Slice } from './native-buffer.ts';

/**
 * Text of more than 128 KiB is no ordinary object to V8: each has pages of its own, that the kernel fills with zeros and takes back.
 * Parts are half of that, and what is parsed of them is collected with the young.
 */
const PART_BYTES = 64 * 1024;

/** How much at either end is looked at for what surrounds the list. */
const SURROUNDING_BYTES_MAX = 1024;
const SCALAR = String.raw`"[A-Za-z]+": ?"[ !#-[\]-~]*"`;
const BEFORE_LIST = new RegExp(String.raw`^\{(?:${SCALAR}, ?)*"([A-Za-z]+)": ?\[`);
const AFTER_LIST = new RegExp(String.raw`\](?:, ?${SCALAR})*\}$`);
const BETWEEN_ELEMENTS = Buffer.from('},');
const COMMA_BYTES = 1;

/**
 * Parses a large JSON object that is a list of objects and a few plain strings, a part of the list at a time: same value as `JSON.parse`.
 * `undefined`: it is not one, or is not known to be, and has to be parsed as a whole.
 *
 * A part is cut behind some `},`, which may as well stand within a string or deeper inside. Then it does not parse: whatever does between
 * brackets is a row of whole elements, so that the next part begins with an element again.
 *
 * @param body        UTF-8
 * @param partBytes   what a part has at least, and at most twice; a body of no more than that is not large
 */
export function readInParts(body: Buffer, isAscii: boolean, partBytes: number = PART_BYTES): object | undefined {
  if (body.length <= 2 * partBytes) return undefined;
  const before = BEFORE_LIST.exec(latin1Slice(body, 0, Math.min(body.length, SURROUNDING_BYTES_MAX)));
  const after = AFTER_LIST.exec(latin1Slice(body, Math.max(0, body.length - SURROUNDING_BYTES_MAX), body.length));
  if (before === null || after === null) return undefined;
  const textOf = isAscii ? latin1Slice : utf8Slice;
  const end = body.length - after[0].length;
  try {
    const value = JSON.parse(before[0] + after[0]) as Record<string, unknown>;
    const list = value[before[1] as string];
    // A string, when the key comes once more.
    if (!Array.isArray(list)) return undefined;
    let from = before[0].length;
    for (let isLast = false; !isLast;) {
      isLast = end - from <= 2 * partBytes;
      const to = isLast ? end : elementEnd(body, from + partBytes, from + 2 * partBytes);
      // An element too large for it to be of use.
      if (to === undefined) return undefined;
      const elements = JSON.parse(`[${textOf(body, from, to)}]`) as unknown[];
      // Nothing between two commas.
      if (elements.length === 0) return undefined;
      for (const element of elements) list.push(element);
      from = to + COMMA_BYTES;
    }
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Where the next element ends that one follows on, if it does before `end`. */
function elementEnd(body: Buffer, start: number, end: number): number | undefined {
  const at = body.subarray(start, end).indexOf(BETWEEN_ELEMENTS);
  return at < 0 ? undefined : start + at + 1;
}
