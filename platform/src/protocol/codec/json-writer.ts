import type { MapShape, Shape, StructureShape } from '../../model/index.ts';
import type { ByteWriter } from './byte-writer.ts';
import { latin1Write } from './native-buffer.ts';

/** Writes one value of the shape it was compiled for. The value is trusted to be of that shape: services are typed. */
export type ShapeWriter = (out: ByteWriter, value: unknown) => void;

const QUOTE = 0x22;
/** Up to this length one loop that checks and copies beats a check and a copy in native code (measured). */
const ASCII_LOOP_CHARS_MAX = 24;
/** Large plain strings are copied in pieces, so that one chunk never has to hold all of them. */
const PIECE_CHARS = 64 * 1024;
const NEEDS_ESCAPE = /[^ !#-[\]-~]/;

/**
 * Compiles a JSON 1.1 writer: member names as in the model, absent (`undefined` or `null`) members left out, blobs base64 with padding,
 * timestamps seconds with up to three decimals. Source: data-streams reference, §1.3.
 */
export function compileJsonWriter(shape: Shape): ShapeWriter {
  switch (shape.kind) {
    case 'structure':
      return structureWriter(shape);
    case 'list': {
      const element = compileJsonWriter(shape.element);
      return (out, value) => writeList(out, value as readonly unknown[], element);
    }
    case 'map':
      return mapWriter(shape);
    case 'string':
      return isDigitsPattern(shape.pattern)
        ? (out, value) => writePlain(out, value as string)
        : (out, value) => writeString(out, value as string);
    case 'blob':
      return (out, value) => {
        out.byte(QUOTE);
        out.base64(value as Uint8Array);
        out.byte(QUOTE);
      };
    case 'timestamp':
      return (out, value) => writeSeconds(out, value as number);
    case 'integer':
    case 'long':
      return (out, value) => out.ascii(String(value));
    case 'boolean':
      return (out, value) => out.ascii(value === true ? 'true' : 'false');
  }
}

function structureWriter(shape: StructureShape): ShapeWriter {
  const members = shape.members.map((member) => ({
    name: member.name,
    first: Buffer.from(`{"${member.name}":`, 'latin1'),
    later: Buffer.from(`,"${member.name}":`, 'latin1'),
    write: compileJsonWriter(member.shape),
  }));
  return (out, value) => {
    const source = value as Readonly<Record<string, unknown>>;
    let isEmpty = true;
    for (let index = 0; index < members.length; index++) {
      const member = members[index] as (typeof members)[number];
      const field = source[member.name];
      if (field === undefined || field === null) continue;
      out.constant(isEmpty ? member.first : member.later);
      isEmpty = false;
      member.write(out, field);
    }
    out.ascii(isEmpty ? '{}' : '}');
  };
}

function writeList(out: ByteWriter, list: readonly unknown[], element: ShapeWriter): void {
  out.byte(0x5b);
  for (let index = 0; index < list.length; index++) {
    if (index > 0) out.byte(0x2c);
    element(out, list[index]);
  }
  out.byte(0x5d);
}

function mapWriter(shape: MapShape): ShapeWriter {
  const write = compileJsonWriter(shape.value);
  return (out, value) => {
    let separator = 0x7b;
    for (const [key, entry] of Object.entries(value as Readonly<Record<string, unknown>>)) {
      if (entry === undefined || entry === null) continue;
      out.byte(separator);
      separator = 0x2c;
      writeString(out, key);
      out.byte(0x3a);
      write(out, entry);
    }
    out.ascii(separator === 0x7b ? '{}' : '}');
  };
}

/** Writes a quoted JSON string. */
export function writeString(out: ByteWriter, text: string): void {
  const { length } = text;
  if (length <= ASCII_LOOP_CHARS_MAX) {
    out.ensure(length + 2);
    const { buffer, at } = out;
    let to = at;
    buffer[to++] = QUOTE;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === 0x5c) {
        writeEscaped(out, text);
        return;
      }
      buffer[to++] = code;
    }
    buffer[to++] = QUOTE;
    out.at = to;
  } else if (NEEDS_ESCAPE.test(text)) {
    writeEscaped(out, text);
  } else {
    writePlain(out, text);
  }
}

/**
 * Whether what matches `pattern` can only be digits: sequence numbers and hash keys, which we make ourselves and which are most of the text
 * of an answer. They need no look at each character.
 */
function isDigitsPattern(pattern: string | undefined): boolean {
  return pattern !== undefined && /^(?:\\d|\[\d-\d\]|\{\d+(?:,\d*)?\}|[\d|()*+?])+$/.test(pattern);
}

function writePlain(out: ByteWriter, text: string): void {
  out.byte(QUOTE);
  for (let from = 0; from < text.length; from += PIECE_CHARS) {
    const piece = text.length <= PIECE_CHARS ? text : text.slice(from, from + PIECE_CHARS);
    out.ensure(piece.length);
    out.at += latin1Write(out.buffer, piece, out.at);
  }
  out.byte(QUOTE);
}

function writeEscaped(out: ByteWriter, text: string): void {
  out.utf8(JSON.stringify(text));
}

/** Epoch milliseconds as seconds: `1441215410867` is written `1441215410.867`, whole seconds without decimals. */
function writeSeconds(out: ByteWriter, epochMs: number): void {
  const whole = Math.floor(epochMs / 1000);
  const millis = Math.floor(epochMs) - whole * 1000;
  if (whole < 0) {
    out.ascii(String(Math.floor(epochMs) / 1000));
    return;
  }
  out.ascii(String(whole));
  if (millis === 0) return;
  out.ensure(4);
  const { buffer } = out;
  buffer[out.at++] = 0x2e;
  buffer[out.at++] = 0x30 + Math.floor(millis / 100);
  if (millis % 100 === 0) return;
  buffer[out.at++] = 0x30 + (Math.floor(millis / 10) % 10);
  if (millis % 10 === 0) return;
  buffer[out.at++] = 0x30 + (millis % 10);
}
