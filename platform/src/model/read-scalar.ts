/**
 * Reads decoded JSON or CBOR scalars as the model's types. Absent (`null`, `undefined`) values never come here.
 * Source: recorded messages of the service (kinesalite's test suite), unless said otherwise.
 */
import type { Shape } from './shape.ts';
import { SerializationException } from './wire-error.ts';

/** How the body was encoded; decides what blobs and timestamps look like before they are read. */
export type Encoding = 'json' | 'cbor';

/** Longest part of a caller's value that an error message repeats, in UTF-16 code units. */
const echoCharactersMax = 64 * 1024;
/** Largest distance from the epoch that a date can have, in milliseconds. */
const epochMsMax = 8.64e15;

/** On a string that V8 keeps in single bytes, as nearly all are, this answers without looking at the characters. */
const aboveLatin1 = /[\u0100-\uffff]/;

const integerBounds = { min: -2_147_483_648, max: 2_147_483_647 };
/** Assumed: beyond what a double counts exactly, a long is clamped; no request has one of that size. */
const longBounds = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

/** The reader of a scalar shape. */
export function scalarReader(kind: Exclude<Shape['kind'], 'structure' | 'list' | 'map'>, encoding: Encoding): Reader {
  switch (kind) {
    case 'string':
      return readString;
    case 'integer':
      return (value) => readWhole(value, 'Integer', integerBounds);
    case 'long':
      return (value) => readWhole(value, 'Long', longBounds);
    case 'boolean':
      return readBoolean;
    case 'blob':
      return encoding === 'json' ? readBase64 : readBytes;
    case 'timestamp':
      return encoding === 'json' ? readEpochSeconds : readEpochMs;
  }
}

/** Turns a decoded value that is not `null` into its typed form, or throws SerializationException. */
export type Reader = (value: unknown) => unknown;

export function readString(value: unknown): string {
  if (typeof value === 'string') return value;
  throw scalarMismatch(value, 'an String');
}

/** Fractions are floored, what does not fit is clamped. CBOR may bring a `bigint`. */
function readWhole(value: unknown, type: 'Integer' | 'Long', bounds: { min: number; max: number }): number {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw scalarMismatch(value, `an ${type}`);
  const whole = Math.floor(Number(value));
  // Assumed: not-a-number, which only CBOR can say, becomes 0 as in Java's narrowing.
  if (Number.isNaN(whole)) return 0;
  // Adding 0 turns -0 into 0.
  return Math.min(Math.max(whole, bounds.min), bounds.max) + 0;
}

function readBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') throw scalarMismatch(value, 'an Boolean');
  const upper = clip(value).toUpperCase();
  if (upper === 'TRUE' || upper === 'YES' || upper === '1') return true;
  if (upper === 'FALSE' || upper === 'NO' || upper === '0') return false;
  throw new SerializationException(`'${upper}' can not be converted to an Boolean`);
}

/**
 * Strict base64. Node's decoder is lenient in four ways, each checked apart: it skips foreign characters and stops at
 * padding (fewer bytes than the length promises), takes the URL alphabet, looks at the low byte only of characters
 * above U+00FF (as if they were the character of that byte), and ignores the unused bits of the last character.
 */
function readBase64(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw scalarMismatch(value, 'a Blob');
  const length = value.length;
  if (length % 4 !== 0) {
    throw blobError(value, `Base64 encoded length is expected a multiple of 4 bytes but found: ${length}`);
  }
  const padding = paddingLength(value);
  const bytes = Buffer.from(value, 'base64');
  if (
    bytes.length !== (length / 4) * 3 - padding ||
    aboveLatin1.test(value) ||
    value.includes('-') ||
    value.includes('_')
  ) {
    throw blobError(value, `Invalid Base64 character: '${firstForeign(value, padding)}'`);
  }
  if (padding !== 0 && !(padding === 1 ? 'AEIMQUYcgkosw048' : 'AQgw').includes(value.charAt(length - padding - 1))) {
    // Sic, as recorded.
    throw blobError(value, 'Invalid last non-pad Base64 character dectected');
  }
  return bytes;
}

/** Count of `=` at the end, at most two. `length` is a multiple of 4. */
function paddingLength(text: string): 0 | 1 | 2 {
  if (!text.endsWith('=')) return 0;
  return text.endsWith('==') ? 2 : 1;
}

/** The first character that does not belong into base64 text with `padding` pads. */
function firstForeign(text: string, padding: number): string {
  const match = /[^A-Za-z0-9+/]/u.exec(text.slice(0, text.length - padding));
  return match?.[0] ?? '=';
}

function readBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw scalarMismatch(value, 'a Blob');
}

function readEpochSeconds(value: unknown): number {
  if (typeof value !== 'number') throw scalarMismatch(value, 'milliseconds since epoch');
  return clampedMs(value * 1000);
}

/** A CBOR tag 1, decoded to a `Date`, or a bare number; both of milliseconds. */
function readEpochMs(value: unknown): number {
  const isNumber = typeof value === 'number' || typeof value === 'bigint' || value instanceof Date;
  const epochMs = isNumber ? Number(value) : Number.NaN;
  if (Number.isNaN(epochMs)) throw scalarMismatch(value, 'milliseconds since epoch');
  return clampedMs(epochMs);
}

function clampedMs(epochMs: number): number {
  return Math.min(Math.max(Math.round(epochMs), -epochMsMax), epochMsMax) + 0;
}

/** The error for a value that is no scalar, or a scalar of another type than `target`, e.g. `an Integer`. */
export function scalarMismatch(value: unknown, target: string): SerializationException {
  return (
    listMismatch(value) ??
    mapMismatch(value) ??
    new SerializationException(`class ${javaClass(value)} can not be converted to ${target}`)
  );
}

/** The error when `value` is a list where none is expected. */
export function listMismatch(value: unknown): SerializationException | undefined {
  return Array.isArray(value) ? new SerializationException('Start of list found where not expected') : undefined;
}

/** The error when `value` is a structure or map where none is expected. */
export function mapMismatch(value: unknown): SerializationException | undefined {
  if (typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date) return undefined;
  return new SerializationException('Start of structure or map found where not expected.');
}

/** Assumed for bytes and dates, which only CBOR has: no recording shows them. */
function javaClass(value: unknown): string {
  if (typeof value === 'string') return 'java.lang.String';
  if (typeof value === 'boolean') return 'java.lang.Boolean';
  if (value instanceof Uint8Array) return 'java.nio.HeapByteBuffer';
  if (value instanceof Date) return 'java.util.Date';
  return 'com.amazon.coral.value.json.numbers.TruncatingBigNumber';
}

function blobError(value: string, reason: string): SerializationException {
  return new SerializationException(`'${clip(value)}' can not be converted to a Blob: ${reason}`);
}

function clip(value: string): string {
  return value.length <= echoCharactersMax ? value : value.slice(0, echoCharactersMax);
}
