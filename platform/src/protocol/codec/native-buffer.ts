/**
 * Methods every Buffer has that its published types leave out. They are the same calls as `toString(encoding)` and
 * `write(…, encoding)` without the look-up of the encoding, which counts at a million records a second.
 */
interface NativeBuffer {
  base64Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, at: number, length: number): number;
  utf8Write(text: string, at: number, length: number): number;
}

const native = Buffer.prototype as unknown as NativeBuffer;

export const base64Slice = (bytes: Uint8Array, start: number, end: number): string =>
  native.base64Slice.call(bytes, start, end);

export const latin1Slice = (bytes: Uint8Array, start: number, end: number): string =>
  native.latin1Slice.call(bytes, start, end);

export const utf8Slice = (bytes: Uint8Array, start: number, end: number): string =>
  native.utf8Slice.call(bytes, start, end);

/** Returns the count of bytes written. */
export const latin1Write = (bytes: Uint8Array, text: string, at: number): number =>
  native.latin1Write.call(bytes, text, at, text.length);

/** Returns the count of bytes written; needs room for three bytes a UTF-16 unit. */
export const utf8Write = (bytes: Uint8Array, text: string, at: number): number =>
  native.utf8Write.call(bytes, text, at, text.length * 3);
